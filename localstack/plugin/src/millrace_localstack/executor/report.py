"""The lines that Lambda itself writes into a function's log, around what the function wrote.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html
"""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime

from .sandbox import Outcome, Status


@dataclass(frozen=True)
class Report:
    """One invocation. Times are in seconds, memory in bytes; init is None where the process was there already."""

    request_id: str
    version: str
    outcome: Outcome
    duration: float
    init: float | None
    memory_size_mb: int
    peak_memory: int

    @property
    def duration_ms(self) -> float:
        return round(self.duration * 1000, 2)

    @property
    def init_ms(self) -> float | None:
        return None if self.init is None else round(self.init * 1000, 2)

    @property
    def billed_ms(self) -> int:
        """Lambda bills the initialization too, and rounds up."""
        return math.ceil(self.duration_ms + (self.init_ms or 0))

    @property
    def max_memory_mb(self) -> int:
        return math.ceil(self.peak_memory / (1 << 20))


def text_log(report: Report, before: str, output: str) -> str:
    """The log of an invocation in the format Text. before is what was written since the last one."""
    rid = report.request_id
    end = [
        f"REPORT RequestId: {rid}",
        f"Duration: {report.duration_ms:.2f} ms",
        f"Billed Duration: {report.billed_ms} ms",
        f"Memory Size: {report.memory_size_mb} MB",
        f"Max Memory Used: {report.max_memory_mb} MB",
    ]
    if report.init_ms is not None:
        end.append(f"Init Duration: {report.init_ms:.2f} ms")
    if report.outcome.error_type:
        end.append(f"Status: {report.outcome.status}")
        if report.outcome.status is not Status.TIMEOUT:
            end.append(f"Error Type: {report.outcome.error_type}")
    return "".join(
        [
            _line(before),
            f"START RequestId: {rid} Version: {report.version}\n",
            _line(output),
            report.outcome.note,
            f"END RequestId: {rid}\n",
            "\t".join(end) + "\n",
        ]
    )


def json_log(report: Report, before: str, output: str) -> str:
    """The same in the format JSON: platform events, and what the function wrote as it is."""
    metrics: dict[str, float] = {
        "durationMs": report.duration_ms,
        "billedDurationMs": report.billed_ms,
        "memorySizeMB": report.memory_size_mb,
        "maxMemoryUsedMB": report.max_memory_mb,
    }
    if report.init_ms is not None:
        metrics["initDurationMs"] = report.init_ms
    end: dict[str, object] = {
        "requestId": report.request_id,
        "metrics": metrics,
        "status": str(report.outcome.status),
    }
    if report.outcome.error_type:
        end["errorType"] = report.outcome.error_type
    start = {"requestId": report.request_id, "version": report.version}
    return "".join([_line(before), _event("platform.start", start), _line(output), _event("platform.report", end)])


def _event(kind: str, record: dict[str, object] | dict[str, str]) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": now, "type": kind, "record": record}) + "\n"


def _line(text: str) -> str:
    """text with a line feed at its end, unless it is empty: a function may be killed in mid-line."""
    return text if not text or text.endswith("\n") else text + "\n"
