import json

from millrace_localstack.executor.report import Report, json_log, text_log
from millrace_localstack.executor.sandbox import Outcome, Status


def report(outcome: Outcome, init: float | None = None) -> Report:
    return Report("id", "3", outcome, 0.0123, init, 512, 31 << 20)


def test_a_first_invocation_as_text() -> None:
    log = text_log(report(Outcome(b"{}"), init=0.1), "starting\n", "working")
    assert log == (
        "starting\n"
        "START RequestId: id Version: 3\n"
        "working\n"
        "END RequestId: id\n"
        "REPORT RequestId: id\tDuration: 12.30 ms\tBilled Duration: 113 ms\tMemory Size: 512 MB\t"
        "Max Memory Used: 31 MB\tInit Duration: 100.00 ms\n"
    )


def test_an_error_of_the_function_itself_is_not_lambdas_to_report() -> None:
    log = text_log(report(Outcome(b"{}", Status.ERROR)), "", "")
    assert log.endswith("Max Memory Used: 31 MB\n")


def test_a_timeout_and_a_crash_as_text() -> None:
    timeout = Outcome(b"{}", Status.TIMEOUT, "Sandbox.Timedout", "Task timed out\n")
    assert text_log(report(timeout), "", "").endswith("Max Memory Used: 31 MB\tStatus: timeout\n")
    crash = Outcome(b"{}", Status.ERROR, "Runtime.ExitError", "Runtime exited\n")
    lines = text_log(report(crash), "", "").splitlines()
    assert lines[1] == "Runtime exited"
    assert lines[-1].endswith("Status: error\tError Type: Runtime.ExitError")


def test_json_keeps_what_the_function_wrote() -> None:
    crash = Outcome(b"{}", Status.ERROR, "Runtime.ExitError", "note")
    start, line, end = json_log(report(crash), "", '{"level":"INFO"}\n').splitlines()
    assert json.loads(start)["record"] == {"requestId": "id", "version": "3"}
    assert line == '{"level":"INFO"}'
    assert json.loads(end)["record"] == {
        "requestId": "id", "status": "error", "errorType": "Runtime.ExitError",
        "metrics": {"durationMs": 12.3, "billedDurationMs": 13, "memorySizeMB": 512, "maxMemoryUsedMB": 31},
    }  # fmt: skip
