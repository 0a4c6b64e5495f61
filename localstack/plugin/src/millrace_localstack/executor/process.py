"""One process of a function: its output, its memory, its end.

Linux only: it waits with a pidfd and reads the peak of memory from /proc.
"""

import os
import re
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_OUTPUT = 8 << 20
"""Bytes of output kept between two invocations; a function that writes more loses the oldest."""

_MEASURE_MS = 1000  # how often memory is read while nothing else gives a reason to


@dataclass(frozen=True)
class Exit:
    """How a process ended: an exit code, or the number of the signal that killed it."""

    code: int
    signal: int | None = None

    def __str__(self) -> str:
        """The words in which Lambda reports it, after "Runtime exited "."""
        if self.signal is not None:
            return f"with error: signal: {signal.strsignal(self.signal)}".lower()
        if self.code != 0:
            return f"with error: exit status {self.code}"
        return "without providing a reason"


class FunctionProcess:
    """A running bootstrap and all that it starts.

    on_exit is called once, from a thread of its own, after the process has ended and its output was read.
    Raises OSError when the file cannot be executed.
    """

    def __init__(self, program: Path, env: Mapping[str, str], on_exit: Callable[[Exit], None]) -> None:
        # A session of its own, so that what the function starts ends with it.
        self._popen = subprocess.Popen(
            [str(program)],
            cwd=program.parent,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._popen.stdout is not None
        self._pipe = self._popen.stdout.fileno()
        os.set_blocking(self._pipe, False)
        self._on_exit = on_exit
        self._lock = threading.Lock()  # guards _output, _peak and whether the pid is still ours
        self._output = bytearray()
        self._peak = 0
        self._ended = threading.Event()
        threading.Thread(target=self._watch, name=f"function-{self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return not self._ended.is_set()

    def take_output(self) -> str:
        """What the process has written since the last call, including what is still in the pipe."""
        with self._lock:
            if self.running:
                self._drain()
                self._measure()
            output = self._output.decode(errors="replace")
            self._output.clear()
            return output

    def peak_memory(self) -> int:
        """The most memory the process has had resident, in bytes.

        Of one that has ended it is what was measured last, at most a second before.
        """
        with self._lock:
            if self.running:
                self._measure()
            return self._peak

    def kill(self) -> None:
        """Ends the process and its children at once, and waits for it."""
        self._signal(signal.SIGKILL)
        self._ended.wait()

    def stop(self, grace: float) -> None:
        """Asks the process to end (SIGTERM); after grace seconds it is killed."""
        self._signal(signal.SIGTERM)
        if not self._ended.wait(grace):
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:  # the pid is not reused before _reap, which takes the lock too
            if self.running:
                os.killpg(self.pid, number)

    def _watch(self) -> None:
        pidfd = os.pidfd_open(self.pid)
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            poll.register(self._pipe, select.POLLIN)
            output_open = True
            while all(fd != pidfd for fd, _ in poll.poll(_MEASURE_MS)):
                with self._lock:
                    self._measure()
                    if output_open and not self._drain():  # only its end is left to wait for
                        poll.unregister(self._pipe)
                        output_open = False
        finally:
            os.close(pidfd)
        self._on_exit(self._reap())

    def _reap(self) -> Exit:
        with self._lock:
            os.killpg(self.pid, signal.SIGKILL)  # what it started and left behind; its own pid is still ours
            self._drain()
            _, status = os.waitpid(self.pid, 0)
            self._popen.returncode = os.waitstatus_to_exitcode(status)
            assert self._popen.stdout is not None
            self._popen.stdout.close()
            self._ended.set()
        code = self._popen.returncode
        return Exit(code) if code >= 0 else Exit(code, signal=-code)

    def _drain(self) -> bool:
        """Reads what is in the pipe; False at its end."""
        while True:
            try:
                data = os.read(self._pipe, 1 << 16)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._output += data
            if len(self._output) > MAX_OUTPUT:
                del self._output[:-MAX_OUTPUT]

    def _measure(self) -> None:
        """Reads VmHWM. The process's resource usage is of no use: it begins with LocalStack's own memory, from
        before exec."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return
        if found := re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE):  # a zombie has no such line
            self._peak = max(self._peak, int(found[1]) << 10)
