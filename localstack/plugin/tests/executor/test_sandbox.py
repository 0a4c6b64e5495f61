"""Real processes: scripts that misbehave where the Go runtime does not."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from millrace_localstack.executor.process import Exit
from millrace_localstack.executor.runtime_api import Invocation
from millrace_localstack.executor.sandbox import InitError, Sandbox, Status

from ..integration.waiting import wait_until

PYTHON = """#!{python}
import os, sys, time, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/"
def next(): return urllib.request.urlopen(base + "invocation/next").headers["Lambda-Runtime-Aws-Request-Id"]
def post(path, body): urllib.request.urlopen(base + path, body).read()
{body}
"""


@contextmanager
def sandbox(folder: Path, body: str) -> Iterator[Sandbox]:
    program = folder / "bootstrap"
    program.write_text(PYTHON.format(python=sys.executable, body=body))
    program.chmod(0o755)
    box = Sandbox(program, {})
    try:
        yield box
    finally:
        box.stop(grace=0)


def invocation(request_id: str = "id") -> Invocation:
    return Invocation(request_id, b"{}", "arn", 0)


def test_an_answer_counts_even_if_the_process_ends_after_it(tmp_path: Path) -> None:
    with sandbox(tmp_path, 'post(f"invocation/{next()}/response", b"done")') as box:
        box.init("id", 20)
        outcome = box.invoke(invocation(), 20, 20)
        assert (outcome.payload, outcome.status) == (b"done", Status.SUCCESS)
        assert not box.alive


def test_an_answer_counts_even_if_the_process_does_not_come_back(tmp_path: Path) -> None:
    with sandbox(tmp_path, 'post(f"invocation/{next()}/response", b"done"); time.sleep(60)') as box:
        box.init("id", 20)
        assert box.invoke(invocation(), 1, 1).payload == b"done"
        assert not box.alive


def test_init_errors(tmp_path: Path) -> None:
    cases = {
        'post("init/error", b"{}"); time.sleep(60)': "Runtime.InitError",
        "sys.exit(4)": "Runtime.ExitError",
    }
    for body, kind in cases.items():
        with sandbox(tmp_path, body) as box, pytest.raises(InitError) as raised:
            box.init("id", 20)
        assert raised.value.outcome.error_type == kind
    with sandbox(tmp_path, "time.sleep(60)") as box, pytest.raises(InitError) as raised:
        box.init("id", 0.2)
    assert raised.value.outcome.status is Status.TIMEOUT


def test_a_file_that_cannot_be_executed(tmp_path: Path) -> None:
    program = tmp_path / "bootstrap"
    program.write_bytes(b"\x7fELF of another machine")
    program.chmod(0o755)
    with pytest.raises(InitError, match="Runtime.InvalidEntrypoint"):
        Sandbox(program, {})


def test_children_end_with_the_process(tmp_path: Path) -> None:
    body = 'import subprocess; print(subprocess.Popen(["sleep", "60"]).pid, flush=True); next(); sys.exit(0)'
    with sandbox(tmp_path, body) as box:
        box.init("id", 20)
        child = int(box.take_output())
        box.invoke(invocation(), 20, 20)
        wait_until(lambda: not _running(child))


def _running(pid: int) -> bool:
    """A zombie whose parent died may stay for a moment: it does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_memory_is_the_functions_own_even_after_its_end(tmp_path: Path) -> None:
    mine = bytearray(300 << 20)
    mine[::4096] = bytes(len(mine[::4096]))  # resident, so that it would be counted
    with sandbox(tmp_path, 'x = b"x" * (80 << 20); next(); sys.exit(1)') as box:
        box.init("id", 20)
        box.take_output()
        box.invoke(invocation(), 20, 20)
        assert not box.alive
        assert 80 << 20 < box.peak_memory() < 200 << 20


def test_sigterm_comes_before_sigkill(tmp_path: Path) -> None:
    body = (
        'import signal; signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), os._exit(0))); next()'
    )
    with sandbox(tmp_path, body) as box:
        box.init("id", 20)
        box.stop(grace=20)
        assert box.take_output() == "bye\n"
    with sandbox(tmp_path, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); next()") as box:
        box.init("id", 20)
        started = time.monotonic()
        box.stop(grace=0.2)
        assert 0.2 <= time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (Exit(0), "without providing a reason"),
        (Exit(2), "with error: exit status 2"),
        (Exit(-9, signal.SIGKILL), "with error: signal: killed"),
    ],
)
def test_how_an_end_is_worded(end: Exit, words: str) -> None:
    assert str(end) == words
