"""What is written to and read from the metric store."""

from dataclasses import dataclass

from millrace_localstack.cloudwatch.stats import Samples

type Dimensions = tuple[tuple[str, str], ...]
"""(name, value) pairs, ordered by name. Each distinct set of them is a metric of its own."""


@dataclass(frozen=True, slots=True)
class Datum:
    """Values of one metric at one time."""

    namespace: str
    name: str
    dimensions: Dimensions
    timestamp: int  # seconds since 1970
    unit: str | None
    storage_resolution: int | None  # seconds: 1 or 60
    samples: tuple[Samples, ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """Names the data points to read: exactly this dimension set, and only this unit if there is one."""

    namespace: str
    name: str
    dimensions: Dimensions = ()
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """`count` periods of `period` seconds, the first of which begins at `start` (included)."""

    start: int
    period: int
    count: int

    @property
    def end(self) -> int:
        """The first second after the last period."""
        return self.start + self.period * self.count

    def begin(self, index: int) -> int:
        """The first second of a period: the timestamp of its data point."""
        return self.start + self.period * index
