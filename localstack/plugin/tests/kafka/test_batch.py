import random

from millrace_localstack.kafka.batch import Batch, cut, drop, gather, halves, rest, without
from millrace_localstack.kafka.record import Partition, Source

from .records import record, records

P0, P1, P2 = (Partition("t", number) for number in range(3))


def offsets(batch: Batch) -> list[tuple[int, int]]:
    return [(r.partition.number, r.offset) for r in batch.records]


def test_gather_groups_by_partition_and_counts_what_a_filter_leaves_out() -> None:
    polled = [record(1), record(8, partition=1), record(2), record(3), record(6, partition=2)]
    batch = gather(polled, lambda r: r.partition != P2 and r.offset != 3)
    assert offsets(batch) == [(0, 1), (0, 2), (1, 8)]
    assert batch.ends == {P0: 4, P1: 9, P2: 7}


def test_halves_commit_each_its_own() -> None:
    batch = gather([*records(0, 4), record(9, partition=1)], lambda r: r.offset != 4)
    first, second = halves(batch)
    assert (offsets(first), first.ends) == ([(0, 0), (0, 1)], {P0: 2})
    assert (offsets(second), second.ends) == ([(0, 2), (0, 3), (1, 9)], {P0: 5, P1: 10})


def test_rest_starts_at_the_failed_offset() -> None:
    batch = gather([*records(0, 5), *records(0, 3, partition=1)], lambda _: True)
    done, left = rest(batch, {P0: 4})
    assert done == {P0: 4, P1: 4}
    assert (offsets(left), left.ends) == ([(0, 4), (0, 5)], {P0: 6})


def test_without_and_drop() -> None:
    batch = gather([*records(0, 2), record(5, partition=1)], lambda _: True)
    assert without(batch, {P0}).ends == {P1: 6}
    dropped, kept = drop(batch, lambda r: r.offset == 1)
    assert [r.offset for r in dropped] == [1]
    assert (offsets(kept), kept.ends) == ([(0, 0), (0, 2), (1, 5)], batch.ends)


def test_cut_keeps_order_loses_nothing_and_fits() -> None:
    """Random batches: every part's event fits, and the parts together are the batch."""
    source, rng = Source("broker:9092"), random.Random(1)
    frame = len(source.event([]))
    for _ in range(200):
        polled = [
            record(offset, "x" * rng.randrange(300), partition=number)
            for number in rng.sample(range(12), rng.randrange(1, 5))
            for offset in range(rng.randrange(1, 30))
        ]
        limit = rng.randrange(700, 5000)
        batch = gather(polled, lambda _: rng.random() < 0.9)
        parts = cut(batch, frame, limit)
        assert all(len(source.event(part.records)) <= limit for part in parts)
        assert [r for part in parts for r in part.records] == list(batch.records)
        ends: dict[Partition, int] = {}
        for part in parts:
            for partition, end in part.ends.items():
                assert end > ends.get(partition, 0)
                ends[partition] = end
        assert ends == batch.ends


def test_cut_leaves_a_record_that_is_too_large_alone() -> None:
    batch = gather([record(0), record(1, "x" * 5000), record(2)], lambda _: True)
    assert [offsets(part) for part in cut(batch, 100, 1000)] == [[(0, 0)], [(0, 1)], [(0, 2)]]
