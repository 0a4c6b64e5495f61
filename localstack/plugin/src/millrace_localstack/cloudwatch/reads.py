"""GetMetricData and GetMetricStatistics over the metric store.

Source: Amazon CloudWatch API reference, GetMetricData and GetMetricStatistics.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from millrace_localstack.cloudwatch import queries, stats
from millrace_localstack.cloudwatch.datum import Metric, Window
from millrace_localstack.cloudwatch.queries import QueryError
from millrace_localstack.cloudwatch.store import MetricStore
from millrace_localstack.cloudwatch.timeseries import TimeSeries

MAX_DATA_POINTS = 100_800  # GetMetricData, in one call
MAX_STATISTICS = 1_440  # GetMetricStatistics, in one call


def metric_data(
    store: MetricStore, requests: Sequence[Mapping[str, Any]], start: datetime, end: datetime, *, ascending: bool
) -> list[dict[str, Any]]:
    """The MetricDataResults; raises QueryError. An expression that yields an array gives
    one result for each of its time series, all with the expression's id."""
    plan = queries.plan(requests)
    labels = {q["Id"]: q.get("Label") or _default_label(q) for q in requests}
    results: list[dict[str, Any]] = []
    for id in plan.returned:
        window = _window(start, end, plan.period(id), MAX_DATA_POINTS)
        value = plan.evaluate(id, lambda m, w, distinct: store.read(m, w, distinct=distinct), window)
        for series in (value,) if isinstance(value, TimeSeries) else value:
            points = [(_time(window.begin(i)), v) for i, v in enumerate(series.values) if v is not None]
            if not ascending:
                points.reverse()
            results.append(
                {
                    "Id": id,
                    "Label": labels[id],
                    "Timestamps": [t for t, _ in points],
                    "Values": [v for _, v in points],
                    "StatusCode": "Complete",
                }
            )
    return results


def metric_statistics(
    store: MetricStore, metric: Metric, statistics: Sequence[str], period: int, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """The Datapoints, of each unit apart; percentiles under ExtendedStatistics. Raises
    QueryError."""
    if not statistics:
        raise QueryError("Statistics or ExtendedStatistics must name at least one statistic")
    try:
        for stat in statistics:
            stats.check(stat)
    except stats.UnsupportedStatistic as e:
        raise QueryError(str(e)) from None
    window = _window(start, end, period, MAX_STATISTICS)
    points: list[dict[str, Any]] = []
    for unit in [metric.unit] if metric.unit else store.units(metric, window):
        of_unit = Metric(metric.namespace, metric.name, metric.dimensions, unit)
        distinct = any(stats.percentile_rank(stat) is not None for stat in statistics)
        for index, samples in enumerate(store.read(of_unit, window, distinct=distinct)):
            if samples:
                values = {stat: stats.statistic(stat, samples) for stat in statistics}
                points.append(_data_point(values, _time(window.begin(index)), unit))
    return points


def _data_point(values: Mapping[str, float | None], timestamp: datetime, unit: str) -> dict[str, Any]:
    point: dict[str, Any] = {"Timestamp": timestamp, "Unit": unit}
    extended: dict[str, float] = {}
    for stat, value in values.items():
        if value is not None and stats.percentile_rank(stat) is None:
            point[stat] = value
        elif value is not None:
            extended[stat] = value
    if extended:
        point["ExtendedStatistics"] = extended
    return point


def _window(start: datetime, end: datetime, period: int, most: int) -> Window:
    """Start is rounded down to a whole minute, or to a whole period that is shorter."""
    if period <= 0:
        raise QueryError(f"the period is {period} seconds; it must be positive")
    begin, stop = int(start.timestamp()), int(end.timestamp())
    if begin >= stop:
        raise QueryError("StartTime must be before EndTime")
    begin -= begin % min(period, 60)
    count = -((begin - stop) // period)  # rounded up
    if count > most:
        raise QueryError(
            f"{count} data points are asked for, {most} are allowed: use a longer period or a shorter time"
        )
    return Window(begin, period, count)


def _default_label(query: Mapping[str, Any]) -> str:
    return str(query["MetricStat"]["Metric"]["MetricName"] if query.get("MetricStat") else query["Id"])


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
