"""A member of the mapping's consumer group: reads records, keeps its partitions, commits."""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as Dict
from typing import cast

from confluent_kafka import (
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from .mapping import Mapping, Start
from .record import Partition, Record, new_record

LOG = logging.getLogger(__name__)

_SLICE = 500  # records read at once: what may lie beyond the 6 MB of an event stays little
_TIMEOUT = 10.0  # seconds for a question to the brokers
_MAX_POLL_INTERVAL_MS = 15 * 60 * 1000  # an invocation may take 14 minutes, and nothing is polled meanwhile
_REFUSED = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._SSL})


class GroupConsumer:
    """Not safe for use by several threads.

    on_lost is called, from within poll and serve, with partitions that another consumer has now: what was read of
    them must be neither processed nor committed.
    """

    def __init__(
        self,
        mapping: Mapping,
        security: Dict[str, str | int | bool],
        on_lost: Callable[[Collection[Partition]], None],
    ) -> None:
        self._mapping = mapping
        self._on_lost = on_lost
        self._paused = False
        self._refused: KafkaError | None = None
        self._batch: list[Record] = []  # what poll has read so far
        self._consumer = Consumer(
            {
                "bootstrap.servers": mapping.source.bootstrap_servers,
                "client.id": f"lambda-{mapping.uuid}",
                "group.id": mapping.group,
                "enable.auto.commit": False,
                # Only where a committed offset is out of range: _start_offsets decides about a start without one.
                "auto.offset.reset": "earliest",
                "max.poll.interval.ms": _MAX_POLL_INTERVAL_MS,
                "session.timeout.ms": 10_000,  # how long a LocalStack that was killed keeps its partitions
                "fetch.wait.max.ms": 100,
                "queued.max.messages.kbytes": 16384,
                "topic.metadata.refresh.interval.ms": 10000,
                "error_cb": self._on_error,
                "logger": LOG,
                **security,
            }
        )
        self._consumer.subscribe(
            list(mapping.topics), on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke
        )

    def poll(self, wait: float, max_bytes: int) -> list[Record]:
        """Reads up to a batch of records.

        Waits up to wait seconds for the first; from then on the mapping's window counts. Raises KafkaException.
        """
        self._resume()
        self._batch = []
        size = self._read(1, wait)
        deadline = time.monotonic() + self._mapping.window
        while self._batch and len(self._batch) < self._mapping.batch_size and size < max_bytes:
            left = max(0.0, deadline - time.monotonic())
            more = self._read(min(self._mapping.batch_size - len(self._batch), _SLICE), left)
            if not more and left == 0:
                break
            size += more
        return self._batch

    def serve(self) -> None:
        """Stays a member of the group without reading: for while a batch is still to be retried."""
        self._consumer.pause(self._consumer.assignment())
        self._paused = True
        message = self._consumer.poll(0)
        if message and not message.error():  # of a partition that has just been assigned: read again later
            partition, offset = _position(message)
            self._consumer.seek(TopicPartition(partition.topic, partition.number, offset))

    def commit(self, offsets: Dict[Partition, int]) -> None:
        """Commits; each offset is that of the next record to read. Raises KafkaException."""
        _commit(self._consumer, [TopicPartition(p.topic, p.number, offset) for p, offset in offsets.items()])

    def close(self) -> None:
        """Leaves the group."""
        self._consumer.close()

    def _read(self, count: int, wait: float) -> int:
        """Adds up to count records to the batch; returns how many bytes their JSON has."""
        size = 0
        for message in self._consumer.consume(count, wait):
            if error := message.error():
                raise KafkaException(error)
            record = _record(message)
            self._batch.append(record)
            size += len(record.text)
        if self._refused:
            raise KafkaException(self._refused)
        return size

    def _resume(self) -> None:
        if self._paused:
            self._consumer.resume(self._consumer.assignment())
            self._paused = False

    def _on_error(self, error: KafkaError) -> None:
        """Errors that librdkafka would try to overcome for ever, without a word to poll."""
        LOG.warning("event source mapping %s: Kafka: %s", self._mapping.uuid, error)
        if error.code() in _REFUSED:
            self._refused = error

    def _assign(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        committed = consumer.committed(list(partitions), timeout=_TIMEOUT)
        known = [p for p in committed if p.offset >= 0]
        new = self._start_offsets(consumer, [p for p in committed if p.offset < 0])
        consumer.assign(known + new)
        consumer.resume(known + new)  # a partition that was paused when it went comes back paused
        # So that the start is the same however often the consumer is replaced before it reads a record.
        _commit(consumer, new)
        LOG.info(
            "event source mapping %s reads %s",
            self._mapping.uuid,
            [f"{p.topic}-{p.partition}@{p.offset}" for p in known + new],
        )

    def _start_offsets(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """https://docs.aws.amazon.com/lambda/latest/dg/kafka-starting-positions.html"""
        starts = []
        for p in partitions:
            low, high = consumer.get_watermark_offsets(p, timeout=_TIMEOUT)
            offset = high if self._mapping.start is Start.NEWEST else low
            if self._mapping.start is Start.TIMESTAMP:
                at = TopicPartition(p.topic, p.partition, self._mapping.start_at)
                found = consumer.offsets_for_times([at], timeout=_TIMEOUT)[0].offset
                offset = found if found >= 0 else high  # nothing is that young yet
            starts.append(TopicPartition(p.topic, p.partition, offset))
        return starts

    def _revoke(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        lost = {Partition(p.topic, p.partition) for p in partitions}
        self._batch = [record for record in self._batch if record.partition not in lost]
        self._on_lost(lost)


def _commit(consumer: Consumer, offsets: list[TopicPartition]) -> None:
    if not offsets:
        return
    for partition in consumer.commit(offsets=offsets, asynchronous=False) or []:
        if partition.error:  # a commit can fail for some partitions only
            raise KafkaException(partition.error)


def _position(message: Message) -> tuple[Partition, int]:
    """Of a message without an error, which has them all."""
    topic, number, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None and number is not None and offset is not None
    return Partition(topic, number), offset


def _record(message: Message) -> Record:
    partition, offset = _position(message)
    kind, timestamp = message.timestamp()
    headers = cast(list[tuple[str, bytes | None]], message.headers() or [])
    return new_record(
        partition,
        offset,
        timestamp,
        log_append_time=kind == TIMESTAMP_LOG_APPEND_TIME,
        key=message.key(),
        value=message.value(),
        headers=headers,
    )
