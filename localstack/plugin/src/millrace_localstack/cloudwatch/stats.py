"""Statistics of one period: Sum, Average, Minimum, Maximum, SampleCount and percentiles.

Source: Amazon CloudWatch User Guide, "CloudWatch statistics definitions". Trimmed means,
winsorized means, percentile ranks and interquartile means are not supported: nothing in
Millrace uses them.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

_PERCENTILE = re.compile(r"[pP](\d{1,3}(?:\.\d{1,10})?)")


class Samples(NamedTuple):
    """Values that came together: `weight` equal ones, or a statistic set of `weight` values.

    A tuple, since a percentile makes one for each value of its period."""

    weight: float
    total: float
    minimum: float
    maximum: float


class UnsupportedStatistic(ValueError):
    """The statistic is misspelt, or one that is not supported here."""


def percentile_rank(stat: str) -> float | None:
    """The rank of a percentile (99.9 for "p99.9"), None for any other statistic."""
    match = _PERCENTILE.fullmatch(stat)
    if match is None:
        return None
    rank = float(match[1])
    if rank > 100:
        raise UnsupportedStatistic(f"statistic {stat!r}: a percentile is between p0 and p100")
    return rank


def check(stat: str) -> None:
    """Raises UnsupportedStatistic unless `statistic` can compute it."""
    if stat not in _SIMPLE and percentile_rank(stat) is None:
        supported = ", ".join(_SIMPLE)
        raise UnsupportedStatistic(
            f"statistic {stat!r} is not supported: use {supported} or a percentile such as p99"
        )


def statistic(stat: str, samples: Sequence[Samples]) -> float | None:
    """The statistic of a period's samples; None means that there is no data point."""
    samples = [s for s in samples if s.weight > 0]
    if not samples:
        return None
    if simple := _SIMPLE.get(stat):
        return float(simple(samples))  # SQLite returns whole numbers as int
    rank = percentile_rank(stat)
    if rank is None:
        check(stat)
        return None
    return _percentile(samples, rank)


def sample_count(samples: Sequence[Samples]) -> float:
    """How many values there are."""
    return sum(s.weight for s in samples)


def _percentile(samples: Sequence[Samples], rank: float) -> float | None:
    """Linear interpolation between the closest ranks, each value weighted by its count.

    CloudWatch has no percentiles of a period with negative values, nor with a statistic
    set whose values differ ("Percentiles", same page).
    """
    if any(s.minimum != s.maximum or s.minimum < 0 for s in samples):
        return None
    ordered = sorted(samples, key=lambda s: s.minimum)
    position = (sample_count(ordered) - 1) * rank / 100
    lower, upper = int(position), int(position) + 1
    low, high = _nth(ordered, lower), _nth(ordered, upper)
    return low + (high - low) * (position - lower)


def _nth(ordered: Sequence[Samples], n: int) -> float:
    """The n-th smallest value, counted from 0; the largest where n is beyond the end."""
    seen = 0.0
    for s in ordered:
        seen += s.weight
        if n < seen:
            return float(s.minimum)
    return float(ordered[-1].minimum)


_SIMPLE: dict[str, Callable[[Sequence[Samples]], float]] = {
    "SampleCount": sample_count,
    "Sum": lambda samples: sum(s.total for s in samples),
    "Average": lambda samples: sum(s.total for s in samples) / sample_count(samples),
    "Minimum": lambda samples: min(s.minimum for s in samples),
    "Maximum": lambda samples: max(s.maximum for s in samples),
}
