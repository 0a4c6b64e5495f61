"""A topic of the tests' Kafka."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

_NO_COORDINATOR = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


@dataclass
class Topic:
    """security is librdkafka's settings, for a listener that needs them."""

    name: str
    brokers: str
    security: dict[str, Any] = field(default_factory=dict)

    @property
    def _client(self) -> dict[str, Any]:
        return {"bootstrap.servers": self.brokers, **self.security}

    @cached_property
    def _admin(self) -> AdminClient:
        return AdminClient(self._client)

    def create(self, partitions: int) -> None:
        new = self._admin.create_topics([NewTopic(self.name, partitions, 1)])
        new[self.name].result(30)

    def delete(self) -> None:
        self._admin.delete_topics([self.name])[self.name].result(30)

    def send(self, *values: bytes | str, partition: int = 0, **options: Any) -> None:
        """Appends records to a partition; options are those of produce."""
        producer = Producer({**self._client, "message.max.bytes": 16 << 20})
        for value in values:
            producer.produce(self.name, value, partition=partition, **options)
        assert producer.flush(30) == 0

    def committed(self, group: str) -> dict[int, int]:
        """The group's committed offsets, where it has any; none while a new broker has no coordinator yet."""
        consumer = Consumer({**self._client, "group.id": group})
        try:
            partitions = list(consumer.list_topics(self.name, 30).topics[self.name].partitions)
            offsets = consumer.committed([TopicPartition(self.name, p) for p in partitions], 30)
            return {o.partition: o.offset for o in offsets if o.offset >= 0}
        except KafkaException as error:
            if error.args[0].code() in _NO_COORDINATOR:
                return {}
            raise
        finally:
            consumer.close()

    def allow_message_bytes(self, size: int) -> None:
        """Lets the topic have messages larger than Kafka's 1 MB."""
        resource = ConfigResource(
            ConfigResource.Type.TOPIC, self.name, incremental_configs=[
                ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
            ],
        )  # fmt: skip
        self._admin.incremental_alter_configs([resource])[resource].result(30)

    def members(self, group: str) -> int:
        """How many consumers the group has."""
        described = self._admin.describe_consumer_groups([group])
        return len(described[group].result(30).members)

    @contextmanager
    def member(self, group: str) -> Iterator[list[int]]:
        """Another consumer of the group, which reads nothing of the partitions it is given: those in the list."""
        given: list[int] = []

        def assign(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            given[:] = [p.partition for p in partitions]
            consumer.assign(partitions)
            consumer.pause(partitions)

        consumer = Consumer({**self._client, "group.id": group, "enable.auto.commit": False})
        consumer.subscribe([self.name], on_assign=assign)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                consumer.poll(0.1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield given
        finally:
            stop.set()
            thread.join()
            consumer.close()
