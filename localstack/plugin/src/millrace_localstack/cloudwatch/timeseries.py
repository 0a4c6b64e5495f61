"""A time series and what metric math does with one alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """One value per period, oldest first; None is a period without a data point."""

    values: tuple[float | None, ...]
    period: int  # seconds

    def present(self) -> list[float]:
        """The values of the data points that there are."""
        return [v for v in self.values if v is not None]

    def each(self, function: Callable[[float], float]) -> TimeSeries:
        return self._with(None if v is None else function(v) for v in self.values)

    def change(self, *, per_second: bool) -> TimeSeries:
        """The difference to the data point before, which may be several periods back."""
        values: list[float | None] = []
        previous: tuple[int, float] | None = None
        for index, value in enumerate(self.values):
            if value is None or previous is None:
                values.append(None)
            else:
                seconds = (index - previous[0]) * self.period
                values.append((value - previous[1]) / (seconds if per_second else 1))
            if value is not None:
                previous = (index, value)
        return self._with(values)

    def repeated(self) -> TimeSeries:
        """Gaps filled with the value before; before the first data point nothing is known."""
        return self._with(itertools.accumulate(self.values, lambda last, value: last if value is None else value))

    def interpolated(self) -> TimeSeries:
        """Gaps filled on a straight line; before the first and after the last data point
        nothing is known."""
        values = list(self.values)
        known = [(i, v) for i, v in enumerate(self.values) if v is not None]
        for (left, low), (right, high) in itertools.pairwise(known):
            for index in range(left + 1, right):
                values[index] = low + (high - low) * (index - left) / (right - left)
        return self._with(values)

    def _with(self, values: Iterable[float | None]) -> TimeSeries:
        return TimeSeries(tuple(values), self.period)
