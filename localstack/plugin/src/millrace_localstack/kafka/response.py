"""A function's partial batch response.

https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
"""

import json
from collections.abc import Mapping

from .record import Partition


class InvalidResponseError(ValueError):
    """The response names something that is not in the batch: Lambda retries the whole batch."""


def failed_offsets(payload: bytes, spans: Mapping[Partition, tuple[int, int]]) -> dict[Partition, int]:
    """The lowest failed offset of each partition with a failure.

    Empty for a response that is empty or null or has no failures: a complete success.
    spans has the first and last offset of each partition in the batch.
    """
    failed: dict[Partition, int] = {}
    for item in _items(payload):
        identifier = item.get("itemIdentifier") if isinstance(item, dict) else None
        partition, offset = _locate(identifier)
        first, last = spans.get(partition, (0, -1))
        if not first <= offset <= last:
            raise InvalidResponseError(f"itemIdentifier {json.dumps(identifier)} is not in the batch")
        failed[partition] = min(failed.get(partition, offset), offset)
    return failed


def _items(payload: bytes) -> list[object]:
    if not payload.strip():
        return []
    try:
        response = json.loads(payload)
    except ValueError as error:
        raise InvalidResponseError(f"the response is no JSON: {error}") from error
    if response is None or response == "":
        return []
    if not isinstance(response, dict):
        raise InvalidResponseError("the response is no JSON object")
    items = response.get("batchItemFailures") or []
    if not isinstance(items, list):
        raise InvalidResponseError("batchItemFailures is no list")
    return items


def _locate(identifier: object) -> tuple[Partition, int]:
    """Kafka's identifiers are objects: {"partition": "TOPIC-NUMBER", "offset": NUMBER}."""
    if isinstance(identifier, dict):
        name, offset = identifier.get("partition"), identifier.get("offset")
        if isinstance(name, str) and isinstance(offset, int) and not isinstance(offset, bool):
            topic, _, number = name.rpartition("-")
            if topic and number.isdecimal():
                return Partition(topic, int(number)), offset
    raise InvalidResponseError(f"{json.dumps(identifier)} is no itemIdentifier of a Kafka record")
