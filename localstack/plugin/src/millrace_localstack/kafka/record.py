"""Kafka records in the form in which Lambda hands them to a function.

https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html
"""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Partition(NamedTuple):
    """A partition of a topic; as text it is the key of an event's records."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.number}"


@dataclass(frozen=True)
class Record:
    """One record. timestamp is in milliseconds of Unix time; text is its JSON in the event, made once."""

    partition: Partition
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    text: str


def new_record(
    partition: Partition,
    offset: int,
    timestamp: int,
    *,
    log_append_time: bool = False,
    key: bytes | None = None,
    value: bytes | None = None,
    headers: Iterable[tuple[str, bytes | None]] = (),
) -> Record:
    document = {
        "topic": partition.topic,
        "partition": partition.number,
        "offset": offset,
        "timestamp": timestamp,
        "timestampType": "LOG_APPEND_TIME" if log_append_time else "CREATE_TIME",
        "headers": [{name: _signed(value or b"")} for name, value in headers],
    }
    for name, data in (("key", key), ("value", value)):
        if data is not None:
            document[name] = base64.b64encode(data).decode()
    return Record(partition, offset, timestamp, key, value, json.dumps(document, separators=(",", ":")))


def _signed(data: bytes) -> list[int]:
    """Java's bytes, as AWS sends them: aws-lambda-go decodes into int8 and refuses 200."""
    return [byte - 256 if byte > 127 else byte for byte in data]


@dataclass(frozen=True)
class Source:
    """What an event says of where it comes from. arn is that of the MSK cluster, empty where self-managed."""

    bootstrap_servers: str
    arn: str = ""

    @property
    def name(self) -> str:
        return "aws:kafka" if self.arn else "SelfManagedKafka"

    def event(self, records: Sequence[Record]) -> bytes:
        """The event of an invocation, as JSON."""
        groups: dict[Partition, list[str]] = {}
        for record in records:
            groups.setdefault(record.partition, []).append(record.text)
        body = ",".join(f"{json.dumps(str(p))}:[{','.join(texts)}]" for p, texts in groups.items())
        return f'{self._head()}"records":{{{body}}}}}'.encode()

    def _head(self) -> str:
        head = {"eventSource": self.name, "bootstrapServers": self.bootstrap_servers}
        if self.arn:
            head["eventSourceArn"] = self.arn
        return json.dumps(head, separators=(",", ":"))[:-1] + ","
