"""The poller's rules, driven with failures that a real Kafka and function have only now and then."""

import json
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from millrace_localstack.kafka.failure import Answer
from millrace_localstack.kafka.mapping import Mapping as Settings
from millrace_localstack.kafka.poller import MappingPoller
from millrace_localstack.kafka.record import Partition, Record, Source

from .records import records

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = Settings(
    uuid="id", function_arn="function", source=Source("broker:9092"), topics=("t",), group="g",
    destination="arn:aws:sqs:us-east-1:000000000000:failed", batch_size=8,
)  # fmt: skip


class Log:
    """A topic and the offsets of one group: what outlives a consumer."""

    def __init__(self, partitions: int, length: int) -> None:
        self.records = {Partition("t", n): records(0, length - 1, partition=n) for n in range(partitions)}
        self.committed = dict.fromkeys(self.records, 0)
        self.consumers: list[LogConsumer] = []
        self.refused_commits = 0  # how many of the next commits fail

    def connect(self, on_lost: Callable[[Collection[Partition]], None]) -> "LogConsumer":
        self.consumers.append(LogConsumer(self, on_lost))
        return self.consumers[-1]

    def done(self) -> bool:
        return all(self.committed[p] == len(r) for p, r in self.records.items())


class LogConsumer:
    """A member that has all partitions; rebalance takes them away and gives them back."""

    def __init__(self, log: Log, on_lost: Callable[[Collection[Partition]], None]) -> None:
        self.log = log
        self.on_lost = on_lost
        self.position = dict(log.committed)
        self.rebalance = False
        self.closed = False

    def poll(self, wait: float, max_bytes: int) -> list[Record]:
        self.serve()
        polled: list[Record] = []
        for partition, log in self.log.records.items():
            polled += log[self.position[partition] :][: SETTINGS.batch_size // 2]
        for record in polled:
            self.position[record.partition] = record.offset + 1
        return polled

    def serve(self) -> None:
        assert not self.closed
        if self.rebalance:
            self.rebalance = False
            self.on_lost(set(self.position))
            self.position = dict(self.log.committed)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        assert not self.closed
        if self.log.refused_commits:
            self.log.refused_commits -= 1
            raise RuntimeError("the group is rebalancing")
        for partition, offset in offsets.items():
            assert offset >= self.log.committed[partition], "a commit goes back"
            self.log.committed[partition] = offset

    def close(self) -> None:
        self.closed = True


class Function:
    """Answers as told, and remembers what settled each record: an invocation that succeeded or a message."""

    def __init__(self, behave: Callable[[list[tuple[str, int]]], Any]) -> None:
        self.behave = behave
        self.seen: list[list[tuple[str, int]]] = []
        self.messages: list[dict[str, Any]] = []
        self.refuse_messages = 0

    def invoke(self, payload: bytes) -> Answer:
        event = json.loads(payload)
        offsets = [(p, r["offset"]) for p, group in event["records"].items() for r in group]
        self.seen.append(offsets)
        reply = self.behave(offsets)
        if isinstance(reply, Exception):
            raise reply
        error = "Unhandled" if reply == "error" else ""
        return Answer("request", 200, "$LATEST", error, json.dumps(None if error else reply).encode())

    def give_up(self, message: str) -> None:
        if self.refuse_messages:
            self.refuse_messages -= 1
            raise RuntimeError("no such queue")
        self.messages.append(json.loads(message))


def new_poller(log: Log, function: Function, settings: Settings = SETTINGS) -> MappingPoller:
    return MappingPoller(settings, log.connect, function, accepts=lambda _: True, now=lambda: NOW)


def failures(offsets: Sequence[tuple[str, int]]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": {"partition": p, "offset": o}} for p, o in offsets]}


def test_a_throttled_invocation_is_no_attempt() -> None:
    answers: list[object] = [RuntimeError("429")] * 20 + ["error", None]
    log, function = Log(1, 1), Function(lambda _: answers.pop(0))
    poller = new_poller(log, function, replace(SETTINGS, max_retries=1))
    assert [poller.step() for _ in range(22)] == [False] * 21 + [True]
    assert log.done()
    assert not function.messages
    assert len(log.consumers) == 1  # nor a reason to connect anew


def test_a_destination_that_cannot_be_reached_loses_nothing() -> None:
    log, function = Log(1, 1), Function(lambda _: "error")
    function.refuse_messages = 2
    poller = new_poller(log, function, replace(SETTINGS, max_retries=0))
    assert [poller.step() for _ in range(3)] == [False, False, True]
    assert log.done()
    (message,) = function.messages
    assert message["requestContext"]["approximateInvokeCount"] == 3


def test_a_refused_commit_reads_again_from_what_is_committed() -> None:
    log, function = Log(1, 4), Function(lambda _: None)
    log.refused_commits = 1
    poller = new_poller(log, function)
    assert [poller.step() for _ in range(2)] == [False, True]
    assert log.done()
    assert function.seen == [[("t-0", n) for n in range(4)]] * 2


def test_bisecting_costs_no_retries() -> None:
    log, function = Log(1, 4), Function(lambda offsets: "error" if ("t-0", 2) in offsets else None)
    poller = new_poller(log, function, replace(SETTINGS, bisect=True, max_retries=0))
    while not log.done():
        poller.step()
    assert [[o for _, o in event] for event in function.seen] == [[0, 1, 2, 3], [0, 1], [2, 3], [2], [3]]
    (message,) = function.messages
    assert message["KafkaBatchInfo"]["batchSize"] == 1


def test_only_what_is_too_old_is_given_up() -> None:
    log, function = Log(1, 4), Function(lambda _: None)
    old = int(NOW.timestamp() - 61) * 1000
    young = int(NOW.timestamp() - 59) * 1000
    partition = Partition("t", 0)
    log.records[partition] = [
        replace(r, timestamp=old if r.offset in {1, 2} else young) for r in log.records[partition]
    ]
    poller = new_poller(log, function, replace(SETTINGS, max_age=60))
    assert poller.step()
    assert function.seen == [[("t-0", 0), ("t-0", 3)]]
    info = function.messages[0]["KafkaBatchInfo"]
    assert (info["batchSize"], info["recordsInfo"]["t-0"]["firstRecordOffset"]) == (2, "1")
    assert log.done()


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_each_record_is_settled_in_order(seed: int) -> None:
    """Errors, partial responses, throttling, rebalances, refused commits and messages, in any mixture."""
    rng = random.Random(seed)
    settings = replace(
        SETTINGS, bisect=rng.random() < 0.5, partial_response=rng.random() < 0.7, max_retries=rng.choice([0, 2, 5])
    )
    settled: set[tuple[str, int]] = set()

    def behave(offsets: list[tuple[str, int]]) -> Any:
        for name in {p for p, _ in offsets}:
            mine = [o for p, o in offsets if p == name]
            assert mine == sorted(mine)
            assert all((name, before) in settled for before in range(mine[0])), "a record was skipped"
        match rng.randrange(6):
            case 0:
                return "error"
            case 1:
                return RuntimeError("throttled")
            case 2 if settings.partial_response:
                failed = rng.sample(offsets, rng.randrange(1, len(offsets) + 1))
                first = {p: min(o for q, o in failed if q == p) for p, _ in failed}
                settled.update((p, o) for p, o in offsets if o < first.get(p, 1 << 30))
                return failures(failed)
            case _:
                settled.update(offsets)
                return None

    log, function = Log(3, 20), Function(behave)
    poller = new_poller(log, function, settings)
    for _ in range(5000):
        if log.done():
            break
        if log.consumers and not log.consumers[-1].closed:
            log.consumers[-1].rebalance = rng.random() < 0.05
        log.refused_commits = int(rng.random() < 0.05)
        function.refuse_messages = int(rng.random() < 0.1)
        poller.step()
        for message in function.messages:
            for name, info in message["KafkaBatchInfo"]["recordsInfo"].items():
                span = range(int(info["firstRecordOffset"]), int(info["lastRecordOffset"]) + 1)
                settled.update((name, offset) for offset in span)
        for partition, committed in log.committed.items():
            assert {(str(partition), o) for o in range(committed)} <= settled, "committed, but not settled"
    assert log.done()
