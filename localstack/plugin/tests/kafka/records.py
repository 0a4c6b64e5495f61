"""Records for tests, without a Kafka."""

from millrace_localstack.kafka.record import Partition, Record, new_record


def record(offset: int, value: str | bytes = "v", *, partition: int = 0, timestamp: int = 0) -> Record:
    data = value.encode() if isinstance(value, str) else value
    return new_record(Partition("t", partition), offset, timestamp, value=data)


def records(first: int, last: int, *, partition: int = 0) -> list[Record]:
    return [record(offset, partition=partition) for offset in range(first, last + 1)]
