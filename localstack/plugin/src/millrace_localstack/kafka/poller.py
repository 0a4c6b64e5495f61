"""One event source mapping at work: poll, filter, batch, invoke, commit.

Delivery is at least once and in order within a partition: an offset is committed only after the outcome of every
record before it is settled, by a successful invocation or by a message to the on-failure destination.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as Dict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from . import batch as batches
from .batch import Batch
from .failure import Answer, Condition, failure_message
from .mapping import Mapping
from .record import Partition, Record
from .response import InvalidResponseError, failed_offsets

LOG = logging.getLogger(__name__)

MAX_PAYLOAD = 6 * 1024 * 1024
"""Bytes of an invocation's payload. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_FIRST_RECORD_WAIT = 1.0
"""Seconds that a poll waits for a record, and a mapping at most for its deletion."""


class Consumer(Protocol):
    """What the poller needs of GroupConsumer, whose methods say the rest."""

    def poll(self, wait: float, max_bytes: int) -> list[Record]: ...
    def serve(self) -> None: ...
    def commit(self, offsets: Dict[Partition, int]) -> None: ...
    def close(self) -> None: ...


class Target(Protocol):
    """Where batches go. Both methods raise any error if they could not be carried out: it is tried again."""

    def invoke(self, payload: bytes) -> Answer:
        """Invokes the function and waits for its answer, which may be an error."""

    def give_up(self, message: str) -> None:
        """Delivers a message to the on-failure destination, of which there is one."""


class _UnavailableError(Exception):
    """The function or the destination could not be called; the batch stays as it is."""


class MappingPoller:
    """Polls one mapping, from one thread.

    connect makes the consumer when it is first needed, and a new one after an error: credentials are read again
    then. Its argument is what to call with lost partitions.
    """

    def __init__(
        self,
        mapping: Mapping,
        connect: Callable[[Callable[[Collection[Partition]], None]], Consumer],
        target: Target,
        accepts: Callable[[Record], bool],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._mapping = mapping
        self._connect = connect
        self._target = target
        self._accepts = accepts
        self._now = now
        self._consumer: Consumer | None = None
        self._pending: deque[Batch] = deque()  # read and not settled, in order

    def step(self) -> bool:
        """Reads a batch and invokes the function, or does so again with one that failed.

        False where something failed and the caller should wait a little. An error of Kafka leaves a poller that
        starts afresh from the committed offsets.
        """
        try:
            consumer = self._consumer = self._consumer or self._connect(self._lost)
            if self._pending:
                consumer.serve()
            else:
                self._poll(consumer)
            return not self._pending or self._process(consumer, self._pending[0])
        except _UnavailableError as error:
            LOG.warning("event source mapping %s: %s", self._mapping.uuid, error)
            return False
        except Exception as error:
            LOG.warning("event source mapping %s: %s", self._mapping.uuid, error)
            self.close()
            return False

    def close(self) -> None:
        """Stops reading. What is not committed is read again by the next consumer of the group."""
        self._pending.clear()
        if self._consumer:
            consumer, self._consumer = self._consumer, None
            try:
                consumer.close()
            except Exception as error:
                LOG.warning("event source mapping %s: close: %s", self._mapping.uuid, error)

    def _poll(self, consumer: Consumer) -> None:
        records = consumer.poll(_FIRST_RECORD_WAIT, MAX_PAYLOAD)
        if records:
            batch = batches.gather(records, self._accepts)
            self._pending.extend(batches.cut(batch, len(self._mapping.source.event(())), MAX_PAYLOAD))

    def _lost(self, partitions: Collection[Partition]) -> None:
        left = [batches.without(batch, partitions) for batch in self._pending]
        self._pending = deque(batch for batch in left if batch.ends)

    def _process(self, consumer: Consumer, batch: Batch) -> bool:
        """One attempt at the first batch. True if it came nearer to its end."""
        batch = self._without_aged(batch)
        if not batch.records:
            self._settle(consumer, batch.ends, [])
            return True
        payload = self._mapping.source.event(batch.records)
        if len(payload) > MAX_PAYLOAD:  # a single record: others were cut
            self._give_up(Condition.SIZE, batch.records, batch.attempts, None)
            self._settle(consumer, batch.ends, [])
            return True
        try:
            answer = self._target.invoke(payload)
        except Exception as error:  # throttled, or Lambda does not answer: that is no attempt
            raise _UnavailableError(f"invoke: {error}") from error
        done, left = self._judge(replace(batch, attempts=batch.attempts + 1), answer)
        if not left.records:
            self._settle(consumer, {**done, **left.ends}, [])
            return True
        return self._retry(consumer, done, left, answer)

    def _judge(self, batch: Batch, answer: Answer) -> tuple[Dict[Partition, int], Batch]:
        """Divides a batch by the function's answer into what is done with and what failed."""
        nothing: dict[Partition, int] = {}
        if answer.function_error:
            LOG.warning(
                "event source mapping %s: attempt %d failed: %s",
                self._mapping.uuid, batch.attempts, answer.payload[:500].decode(errors="replace"),
            )  # fmt: skip
            return nothing, batch
        if not self._mapping.partial_response:
            return batch.ends, replace(batch, records=(), ends={})
        try:
            return batches.rest(batch, failed_offsets(answer.payload, batch.spans()))
        except InvalidResponseError as error:
            LOG.warning("event source mapping %s: whole batch failed: %s", self._mapping.uuid, error)
            return nothing, batch

    def _retry(self, consumer: Consumer, done: Dict[Partition, int], left: Batch, answer: Answer) -> bool:
        """Puts what failed first in line again, in two parts if the mapping wants that, or gives it up."""
        # Halving is no retry: a poisonous record is found before the retries of its neighbours are used up.
        if self._mapping.bisect and answer.function_error and len(left.records) > 1:
            parts = [replace(part, attempts=left.attempts - 1) for part in batches.halves(left)]
            self._settle(consumer, done, parts)
            return True
        self._settle(consumer, done, [left])
        if self._mapping.max_retries < 0 or left.attempts <= self._mapping.max_retries:
            return False
        self._give_up(Condition.RETRIES, left.records, left.attempts, answer)
        self._settle(consumer, left.ends, [])
        return True

    def _without_aged(self, batch: Batch) -> Batch:
        if self._mapping.max_age < 0:
            return batch
        oldest = (self._now().timestamp() - self._mapping.max_age) * 1000
        aged, batch = batches.drop(batch, lambda record: record.timestamp < oldest)
        if aged:
            self._give_up(Condition.AGE, aged, batch.attempts, None)
            self._pending[0] = batch
        return batch

    def _give_up(
        self, condition: Condition, records: Sequence[Record], attempts: int, answer: Answer | None
    ) -> None:
        spans = ", ".join(f"{p} {first} to {last}" for p, (first, last) in Batch(tuple(records)).spans().items())
        LOG.warning(
            "event source mapping %s gives up %d records (%s): %s",
            self._mapping.uuid, len(records), condition, spans,
        )  # fmt: skip
        if not self._mapping.destination:
            return
        message = failure_message(self._mapping, condition, records, attempts, answer, self._now())
        try:
            self._target.give_up(message)
        except Exception as error:
            raise _UnavailableError(f"on-failure destination {self._mapping.destination}: {error}") from error

    def _settle(self, consumer: Consumer, done: Dict[Partition, int], instead: Sequence[Batch]) -> None:
        """Replaces the first batch, and commits what is done of it."""
        self._pending.popleft()
        self._pending.extendleft(reversed(instead))
        consumer.commit(done)
