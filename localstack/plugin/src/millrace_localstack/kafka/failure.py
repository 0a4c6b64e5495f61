"""The message that tells an on-failure destination of records that were given up.

SQS and SNS get metadata only; the records stay in Kafka, where their offsets find them.
https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from .mapping import Mapping
from .record import Record


class Condition(StrEnum):
    """Why records were given up.

    Lambda's page for Kafka names the first and the last; RecordAgeExceeded is the word of its page for Kinesis,
    whose message has otherwise the same form.
    """

    RETRIES = "RetryAttemptsExhausted"
    AGE = "RecordAgeExceeded"
    SIZE = "MaximumPayloadSizeExceeded"


@dataclass(frozen=True)
class Answer:
    """How the last invocation of a batch ended: Lambda's view of it. payload is the function's."""

    request_id: str
    status: int
    version: str
    function_error: str
    payload: bytes


def failure_message(
    mapping: Mapping,
    condition: Condition,
    records: Sequence[Record],
    attempts: int,
    answer: Answer | None,
    now: datetime,
) -> str:
    """The message as JSON. answer is None where the function was not invoked with these records."""
    response = None
    if answer:
        response = {"statusCode": answer.status, "executedVersion": answer.version}
        if answer.function_error:
            response["functionError"] = answer.function_error
    info: dict[str, object] = {
        "batchSize": len(records),
        "bootstrapServers": mapping.source.bootstrap_servers,
        "payloadSize": len(mapping.source.event(records)),
        "recordsInfo": _records_info(records),
    }
    if mapping.source.arn:
        info["eventSourceArn"] = mapping.source.arn
    return json.dumps(
        {
            "requestContext": {
                "requestId": answer.request_id if answer else "",
                "functionArn": mapping.function_arn,
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "responseContext": response,
            "version": "1.0",
            "timestamp": _iso(now.timestamp() * 1000),
            "KafkaBatchInfo": info,
        }
    )


def _records_info(records: Sequence[Record]) -> dict[str, dict[str, str]]:
    """First and last record of each partition; offsets are text, as in Lambda's example."""
    info: dict[str, dict[str, str]] = {}
    for record in records:
        entry = info.setdefault(
            str(record.partition),
            {"firstRecordOffset": str(record.offset), "firstRecordTimestamp": _iso(record.timestamp)},
        )
        entry["lastRecordOffset"] = str(record.offset)
        entry["lastRecordTimestamp"] = _iso(record.timestamp)
    return info


def _iso(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
