"""Functions as processes, through the whole of LocalStack."""

import base64
import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROLE, LocalStack, Probe
from .waiting import wait_until


def log_lines(localstack: LocalStack, group: str, until: str) -> list[str]:
    """The lines of a log group, once one of them contains until."""
    client = localstack.client("logs")

    def lines() -> list[str]:
        try:
            events = client.filter_log_events(logGroupName=group)["events"]
        except client.exceptions.ResourceNotFoundException:
            return []
        found = [event["message"].rstrip("\n") for event in events]
        return found if any(until in line for line in found) else []

    return wait_until(lines)


def test_the_function_sees_its_invocation(probe: Probe) -> None:
    context = base64.b64encode(json.dumps({"custom": {"tenant": "a"}}).encode()).decode()
    answer = probe.invoke({"do": "describe"}, ClientContext=context)
    seen = answer["Payload"]
    assert "FunctionError" not in answer
    assert seen["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert seen["functionArn"] == probe.arn
    assert seen["custom"] == {"tenant": "a"}
    assert 8_000 < seen["remainingMs"] <= 10_000  # of a timeout of 10 s
    assert Path(seen["taskRoot"], "bootstrap").exists()


def test_an_environment_serves_one_invocation_after_the_other(probe: Probe) -> None:
    first, second = (probe.invoke({"do": "describe"})["Payload"] for _ in range(2))
    assert first["pid"] == second["pid"]
    assert second["custom"] is None  # of the invocation before nothing is left


def test_an_error_of_the_function_is_passed_on(probe: Probe) -> None:
    answer = probe.invoke({"do": "fail", "text": "no such tenant"})
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"] == {"errorMessage": "no such tenant", "errorType": "errorString"}


def test_a_timeout_kills_the_process(deploy: Callable[..., Probe]) -> None:
    probe = deploy(Timeout=1)
    pid = probe.invoke({"do": "describe"})["Payload"]["pid"]
    answer = probe.invoke({"do": "sleep", "amount": 60_000}, LogType="Tail")
    request = answer["ResponseMetadata"]["RequestId"]
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"] == {
        "errorMessage": f"RequestId: {request} Error: Task timed out after 1.00 seconds",
        "errorType": "Sandbox.Timedout",
    }
    assert f"{request} Task timed out after 1.00 seconds" in base64.b64decode(answer["LogResult"]).decode()
    assert not Path(f"/proc/{pid}").exists()
    assert probe.invoke({"do": "describe"})["Payload"]["pid"] != pid


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"do": "exit", "amount": 7, "text": "last words"}, "Runtime exited with error: exit status 7"),
        ({"do": "exit", "amount": 0, "text": "last words"}, "Runtime exited without providing a reason"),
    ],
)
def test_a_crash_is_reported_and_the_next_invocation_gets_a_new_process(
    probe: Probe, event: dict[str, Any], message: str
) -> None:
    answer = probe.invoke(event, LogType="Tail")
    request = answer["ResponseMetadata"]["RequestId"]
    assert answer["Payload"] == {
        "errorMessage": f"RequestId: {request} Error: {message}",
        "errorType": "Runtime.ExitError",
    }
    assert "last words\n" in base64.b64decode(answer["LogResult"]).decode()
    assert "FunctionError" not in probe.invoke({"do": "describe"})


def test_a_panic_is_reported_as_the_function_did(probe: Probe) -> None:
    answer = probe.invoke({"do": "panic", "text": "nil map"})
    assert answer["Payload"]["errorMessage"] == "nil map"
    assert "stackTrace" in answer["Payload"]
    assert "FunctionError" not in probe.invoke({"do": "describe"})


def test_a_process_killed_in_an_invocation_is_reported_and_replaced(probe: Probe) -> None:
    pid = probe.invoke({"do": "describe"})["Payload"]["pid"]
    with ThreadPoolExecutor() as pool:
        running = pool.submit(probe.invoke, {"do": "sleep", "amount": 60_000, "touch": str(probe.events_file)})
        wait_until(probe.events_file.exists)
        os.kill(pid, signal.SIGKILL)
        answer = running.result()
    assert answer["Payload"]["errorType"] == "Runtime.ExitError"
    assert answer["Payload"]["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert "FunctionError" not in probe.invoke({"do": "describe"})


def test_invocations_at_once_have_a_process_each(probe: Probe) -> None:
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(probe.invoke, [{"do": "sleep", "amount": 500}] * 3))
    assert len({answer["Payload"]["pid"] for answer in answers}) == 3


def test_a_process_killed_between_invocations_is_replaced(probe: Probe) -> None:
    pid = probe.invoke({"do": "describe"})["Payload"]["pid"]
    os.kill(pid, 9)
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    assert probe.invoke({"do": "describe"})["Payload"]["pid"] != pid


def test_a_failed_start_is_reported_with_what_the_function_wrote(
    localstack: LocalStack, deploy: Callable[..., Probe]
) -> None:
    probe = deploy(env={"PROBE_INIT_FAILS": "secret not found"})
    answer = probe.invoke({"do": "describe"}, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in answer["Payload"]["errorMessage"]
    assert "secret not found" in base64.b64decode(answer["LogResult"]).decode()
    log_lines(localstack, f"/aws/lambda/{probe.name}", "secret not found")


def test_a_response_of_6_mb_passes_and_more_does_not(probe: Probe) -> None:
    limit = 6 * 1024 * 1024 + 100
    assert len(probe.invoke({"do": "respond", "amount": limit - 2})["Payload"]) == limit - 2  # two quotes
    answer = probe.invoke({"do": "respond", "amount": limit - 1})
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"] == {
        "errorMessage": f"Response payload size exceeded maximum allowed payload size ({limit} bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    assert "FunctionError" not in probe.invoke({"do": "describe"})


def test_logs_and_measured_memory_reach_cloudwatch(localstack: LocalStack, deploy: Callable[..., Probe]) -> None:
    group = "/millrace/probe-logs"
    probe = deploy(LoggingConfig={"LogGroup": group, "LogFormat": "Text"}, MemorySize=512)
    answer = probe.invoke({"do": "log", "text": "hello"})
    assert answer["Payload"]["logGroup"] == group
    bigger = probe.invoke({"do": "allocate", "amount": 80 << 20})
    request = answer["ResponseMetadata"]["RequestId"]
    lines = log_lines(localstack, group, f"REPORT RequestId: {bigger['ResponseMetadata']['RequestId']}")
    start = lines.index(f"START RequestId: {request} Version: $LATEST")
    assert lines[start + 1 : start + 4] == ["out: hello", "err: hello", f"END RequestId: {request}"]
    report, later = (line for line in lines if line.startswith("REPORT"))
    assert "Init Duration: " in report
    assert "Init Duration: " not in later
    used = [int(line.split("Max Memory Used: ")[1].split(" ")[0]) for line in (report, later)]
    assert 1 < used[0] < 60
    assert 80 < used[1] < 250


def test_what_is_written_between_invocations_is_in_the_next_log(probe: Probe) -> None:
    probe.invoke({"do": "log later", "amount": 1, "text": "afterthought"})

    def logged() -> bool:
        answer = probe.invoke({"do": "describe"}, LogType="Tail")
        return "afterthought\n" in base64.b64decode(answer["LogResult"]).decode()

    assert wait_until(logged)


def test_logs_as_json(deploy: Callable[..., Probe]) -> None:
    probe = deploy(LoggingConfig={"LogFormat": "JSON"})
    answer = probe.invoke({"do": "log", "text": "hello"}, LogType="Tail")
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    start, report = json.loads(lines[0]), json.loads(lines[-1])
    assert (start["type"], report["type"]) == ("platform.start", "platform.report")
    assert report["record"]["status"] == "success"
    assert report["record"]["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert lines[1:-1] == ["out: hello", "err: hello"]


def test_new_code_ends_the_old_process_even_if_it_ignores_sigterm(
    probe_zip: bytes, deploy: Callable[..., Probe]
) -> None:
    probe = deploy(env={"PROBE_IGNORES_SIGTERM": "yes"})
    pid = probe.invoke({"do": "describe"})["Payload"]["pid"]
    probe.client.update_function_code(FunctionName=probe.name, ZipFile=probe_zip)  # retires its environments
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    assert probe.invoke({"do": "describe"})["Payload"]["pid"] != pid


def test_other_runtimes_are_refused_in_words(localstack: LocalStack, probe_zip: bytes) -> None:
    client = localstack.client("lambda")
    client.create_function(
        FunctionName="probe-node",
        Role=ROLE,
        Runtime="nodejs22.x",
        Handler="index.handler",
        Code={"ZipFile": probe_zip},
    )
    configuration = wait_until(
        lambda: (c := client.get_function_configuration(FunctionName="probe-node"))["State"] == "Failed" and c
    )
    assert "only the runtimes provided.*" in configuration["StateReason"]


def test_a_warm_invocation_is_quick(probe: Probe) -> None:
    probe.invoke({"do": "describe"})
    times = []
    for _ in range(20):
        start = time.monotonic()
        probe.invoke({"do": "describe"})
        times.append(time.monotonic() - start)
    times.sort()
    print(f"warm invocation through LocalStack: median {times[10] * 1000:.1f} ms")
    assert times[10] < 0.5
