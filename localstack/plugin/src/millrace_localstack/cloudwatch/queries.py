"""The MetricDataQueries of a GetMetricData request or of an alarm: checked, then evaluated.

Source: Amazon CloudWatch API reference, MetricDataQuery and MetricStat.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from millrace_localstack.cloudwatch import mathexpr, mathparse, stats
from millrace_localstack.cloudwatch.datum import Metric, Window
from millrace_localstack.cloudwatch.mathexpr import Request, Value
from millrace_localstack.cloudwatch.mathparse import MathError, Node
from millrace_localstack.cloudwatch.stats import Samples
from millrace_localstack.cloudwatch.timeseries import TimeSeries

_ID = re.compile(r"[a-z]\w{0,254}")

type Read = Callable[[Metric, Window, bool], Sequence[Sequence[Samples]]]
"""Reads the samples of each period of a window; the last argument is `distinct` of
MetricStore.read."""


class QueryError(ValueError):
    """A query is wrong or not supported; the text names it by its id."""


@dataclass(frozen=True, slots=True)
class MetricQuery:
    id: str
    metric: Metric
    stat: str
    period: int  # seconds


@dataclass(frozen=True, slots=True)
class ExpressionQuery:
    id: str
    node: Node
    reads: frozenset[str]  # ids of queries
    period: int | None  # seconds; needed only where no metric says it


@dataclass(frozen=True)
class Plan:
    """Queries that can be evaluated: ids are known, nothing refers to itself."""

    metrics: Mapping[str, MetricQuery]
    expressions: Mapping[str, ExpressionQuery]  # each after those that it reads
    returned: Sequence[str]  # the ids whose results are asked for, in the order of the request

    def period(self, id: str) -> int:
        """The period of a query's result in seconds: that of all metrics it is made of."""
        if query := self.metrics.get(id):
            return query.period
        expression = self.expressions[id]
        periods = {self.period(read) for read in expression.reads}
        if len(periods) > 1:
            found = ", ".join(map(str, sorted(periods)))
            raise QueryError(f"expression {id!r} combines metrics with different periods ({found} seconds)")
        if not periods and expression.period is None:
            raise QueryError(f"expression {id!r} reads no metric and has no Period")
        return periods.pop() if periods else expression.period or 0

    def evaluate(self, id: str, read: Read, window: Window) -> TimeSeries | tuple[TimeSeries, ...]:
        """The result of one query; the window's period is `period(id)`."""
        values: dict[str, Value] = {}
        for needed in self._needed(id):
            values[needed] = self._value(needed, values, read, window)
        result = values[id]
        assert not isinstance(result, float)  # mathexpr.evaluate refuses scalars
        return result

    def samples(self, id: str, read: Read, window: Window) -> Sequence[Sequence[Samples]]:
        """The samples behind a query of a metric."""
        return read(self.metrics[id].metric, window, True)

    def _needed(self, id: str) -> list[str]:
        """The query and all that it reads, each after those that it reads."""
        wanted = {id}
        for expression in reversed(list(self.expressions.values())):
            if expression.id in wanted:
                wanted |= expression.reads
        return [i for i in (*self.metrics, *self.expressions) if i in wanted]

    def _value(self, id: str, values: Mapping[str, Value], read: Read, window: Window) -> Value:
        if query := self.metrics.get(id):
            distinct = stats.percentile_rank(query.stat) is not None
            periods = read(query.metric, window, distinct)
            return TimeSeries(tuple(stats.statistic(query.stat, p) for p in periods), window.period)
        try:
            return mathexpr.evaluate(
                self.expressions[id].node, Request(values, list(self.metrics), window.period, window.count)
            )
        except MathError as e:
            raise QueryError(f"expression {id!r}: {e}") from None


def plan(queries: Sequence[Mapping[str, Any]]) -> Plan:
    """Checks queries; raises QueryError. Alarms have further rules: `for_alarm`."""
    metrics: dict[str, MetricQuery] = {}
    expressions: dict[str, ExpressionQuery] = {}
    nodes: dict[str, tuple[Node, int | None]] = {}
    for query in queries:
        id = query.get("Id") or ""
        if not _ID.fullmatch(id):
            raise QueryError(
                f"id {id!r}: it must begin with a lower-case letter and have letters, digits and _ only"
            )
        if id in metrics or id in nodes:
            raise QueryError(f"id {id!r} is used twice")
        if bool(query.get("Expression")) == bool(query.get("MetricStat")):
            raise QueryError(f"query {id!r} must have either an Expression or a MetricStat")
        if stat := query.get("MetricStat"):
            metrics[id] = _metric_query(id, stat)
        else:
            nodes[id] = (_parse(id, query["Expression"]), query.get("Period"))
    for id, (node, period) in nodes.items():
        reads = mathparse.references(node)
        for unknown in sorted(reads - metrics.keys() - nodes.keys()):
            raise QueryError(f"expression {id!r}: there is no metric or expression with the id {unknown!r}")
        if "METRICS" in mathparse.functions(node):
            reads = reads.union(metrics)
        expressions[id] = ExpressionQuery(id, node, reads, period)
    returned = [q["Id"] for q in queries if q.get("ReturnData") is not False]
    return Plan(metrics, _ordered(expressions), returned)


def for_alarm(queries: Sequence[Mapping[str, Any]]) -> Plan:
    """Checks the Metrics of PutMetricAlarm: one result, at most 10 metrics, one period."""
    made = plan(queries)
    if len(made.returned) != 1:
        raise QueryError(f"exactly one of Metrics must have ReturnData true, {len(made.returned)} have")
    if len(made.metrics) > 10:
        raise QueryError(f"an alarm can use 10 metrics, this one uses {len(made.metrics)}")
    made.period(made.returned[0])
    return made


def metric(source: Mapping[str, Any], unit: str | None = None) -> Metric:
    """A Metric from a structure with Namespace, MetricName and Dimensions."""
    dimensions = tuple(sorted((d["Name"], d["Value"]) for d in source.get("Dimensions") or ()))
    return Metric(source["Namespace"], source["MetricName"], dimensions, unit)


def _metric_query(id: str, stat: Mapping[str, Any]) -> MetricQuery:
    try:
        stats.check(stat["Stat"])
    except stats.UnsupportedStatistic as e:
        raise QueryError(f"query {id!r}: {e}") from None
    return MetricQuery(id, metric(stat["Metric"], stat.get("Unit")), stat["Stat"], int(stat["Period"]))


def _parse(id: str, expression: str) -> Node:
    try:
        node = mathparse.parse(expression)
        mathexpr.check_functions(node)
    except MathError as e:
        raise QueryError(f"expression {id!r}: {e}") from None
    return node


def _ordered(expressions: Mapping[str, ExpressionQuery]) -> dict[str, ExpressionQuery]:
    ordered: dict[str, ExpressionQuery] = {}
    waiting = dict(expressions)
    while waiting:
        ready = [e for e in waiting.values() if not e.reads & waiting.keys()]
        if not ready:
            raise QueryError(f"expressions refer to each other in a circle: {', '.join(waiting)}")
        for expression in ready:
            ordered[expression.id] = waiting.pop(expression.id)
    return ordered
