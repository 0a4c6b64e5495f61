"""Batches of records and the ways in which they are divided. Nothing here reads or sends."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .record import Partition, Record


@dataclass(frozen=True)
class Batch:
    """Records for one invocation, those of a partition together and in order.

    ends is, for each partition, the offset to commit once the batch is done with. It also covers records that
    a filter left out, and may name partitions of which there is no record. attempts counts invocations.
    """

    records: tuple[Record, ...]
    ends: Mapping[Partition, int] = field(default_factory=dict)
    attempts: int = 0

    def spans(self) -> dict[Partition, tuple[int, int]]:
        """The first and the last offset of each partition's records."""
        spans: dict[Partition, tuple[int, int]] = {}
        for record in self.records:
            first = spans.get(record.partition, (record.offset, 0))[0]
            spans[record.partition] = (first, record.offset)
        return spans


def gather(polled: Iterable[Record], wanted: Callable[[Record], bool]) -> Batch:
    """A batch of the polled records that are wanted, grouped by partition."""
    groups: dict[Partition, list[Record]] = {}
    ends: dict[Partition, int] = {}
    for record in polled:
        ends[record.partition] = record.offset + 1
        if wanted(record):
            groups.setdefault(record.partition, []).append(record)
    return Batch(tuple(record for group in groups.values() for record in group), ends)


def cut(batch: Batch, frame: int, limit: int) -> list[Batch]:
    """Divides a batch so that no event made of a part exceeds limit bytes, save those of a single record.

    frame is the bytes of an event without records.
    """
    parts: list[list[Record]] = []
    used = limit  # no part is open yet
    partition: Partition | None = None
    for record in batch.records:
        cost = len(record.text) + 1  # and a comma
        heading = len(str(record.partition)) + 6  # "TOPIC-NUMBER":[],
        if used + cost + (heading if record.partition != partition else 0) > limit:
            parts.append([])
            used, partition = frame, None
        used += cost + (heading if record.partition != partition else 0)
        partition = record.partition
        parts[-1].append(record)
    return _divide(batch, parts)


def halves(batch: Batch) -> list[Batch]:
    """Bisects a batch of two or more records. The halves keep its count of attempts."""
    middle = len(batch.records) // 2
    return _divide(batch, [list(batch.records[:middle]), list(batch.records[middle:])])


def rest(batch: Batch, failed: Mapping[Partition, int]) -> tuple[dict[Partition, int], Batch]:
    """Splits a batch by the lowest failed offset of each partition.

    Returns the offsets that may be committed, and what is left: from the failed offset on.
    """
    done = {p: failed.get(p, end) for p, end in batch.ends.items()}
    left = tuple(r for r in batch.records if r.partition in failed and r.offset >= failed[r.partition])
    return done, replace(batch, records=left, ends={p: batch.ends[p] for p in failed})


def without(batch: Batch, gone: Collection[Partition]) -> Batch:
    """The batch less the records and offsets of partitions that now belong to another consumer."""
    return replace(
        batch,
        records=tuple(r for r in batch.records if r.partition not in gone),
        ends={p: end for p, end in batch.ends.items() if p not in gone},
    )


def drop(batch: Batch, unwanted: Callable[[Record], bool]) -> tuple[list[Record], Batch]:
    """Takes records out of a batch. Their offsets are still committed with it."""
    out = [r for r in batch.records if unwanted(r)]
    return out, replace(batch, records=tuple(r for r in batch.records if not unwanted(r))) if out else batch


def _divide(batch: Batch, parts: Sequence[Sequence[Record]]) -> list[Batch]:
    """One batch for each part, in order.

    A part commits up to its own last record, the last of a partition up to the end of the whole; partitions
    without records are committed with the first part.
    """
    if len(parts) < 2:
        return [batch]
    batches, spans = [], batch.spans()
    for number, records in enumerate(parts):
        ends = {p: end for p, end in batch.ends.items() if p not in spans} if number == 0 else {}
        for record in records:
            last = record.offset == spans[record.partition][1]
            ends[record.partition] = batch.ends[record.partition] if last else record.offset + 1
        batches.append(replace(batch, records=tuple(records), ends=ends))
    return batches
