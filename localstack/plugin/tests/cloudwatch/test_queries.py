"""queries and reads: MetricDataQueries, checked and evaluated."""

from collections.abc import Sequence
from typing import Any

import pytest

from millrace_localstack.cloudwatch.datum import Metric, Window
from millrace_localstack.cloudwatch.queries import QueryError, for_alarm, plan
from millrace_localstack.cloudwatch.stats import Samples
from millrace_localstack.cloudwatch.timeseries import TimeSeries

DATA: dict[str, list[float | None]] = {"errors": [4.0, None, 6.0], "requests": [100.0, 50.0, 0.0]}


def metric(id: str, name: str | None = None, stat: str = "Sum", period: int = 60, **more: Any) -> dict[str, Any]:
    named = {"Namespace": "N", "MetricName": name or id, "Dimensions": [{"Name": "Stage", "Value": "a"}]}
    query: dict[str, Any] = {"Id": id, "MetricStat": {"Metric": named, "Period": period, "Stat": stat}}
    return query | more


def expression(id: str, text: str, **more: Any) -> dict[str, Any]:
    return {"Id": id, "Expression": text, **more}


def read(metric: Metric, window: Window, distinct: bool) -> Sequence[Sequence[Samples]]:
    assert metric.dimensions == (("Stage", "a"),)
    return [[] if v is None else [Samples(1, v, v, v)] for v in DATA[metric.name][: window.count]]


def evaluate(id: str, *queries: dict[str, Any]) -> list[float | None]:
    made = plan(queries)
    result = made.evaluate(id, read, Window(0, made.period(id), 3))
    assert isinstance(result, TimeSeries)
    return list(result.values)


def test_expressions_are_evaluated_after_what_they_read_whatever_the_order() -> None:
    queries = [
        expression("percent", "100 * ratio"),
        expression("ratio", "errors / requests"),
        metric("requests"),
        metric("errors"),
    ]
    assert evaluate("percent", *queries) == [4, 0, None]
    assert evaluate("errors", *queries) == [4, None, 6]


def test_metrics_reads_metrics_and_no_expressions() -> None:
    queries = [
        metric("errors"),
        metric("requests"),
        expression("sum", "SUM(METRICS())"),
        expression("x", "sum * 2"),
    ]
    assert evaluate("sum", *queries) == [104, 50, 6]
    assert evaluate("x", *queries) == [208, 100, 12]


def test_only_what_is_needed_is_read() -> None:
    seen: list[str] = []

    def noting(metric: Metric, window: Window, distinct: bool) -> Sequence[Sequence[Samples]]:
        seen.append(metric.name)
        return read(metric, window, distinct)

    made = plan([metric("errors"), metric("requests"), expression("e", "errors + 1")])
    made.evaluate("e", noting, Window(0, 60, 3))
    assert seen == ["errors"]


def test_percentiles_ask_for_distinct_values() -> None:
    asked: list[bool] = []

    def noting(metric: Metric, window: Window, distinct: bool) -> Sequence[Sequence[Samples]]:
        asked.append(distinct)
        return read(metric, window, distinct)

    made = plan([metric("errors", stat="p99"), metric("requests")])
    for id in ("errors", "requests"):
        made.evaluate(id, noting, Window(0, 60, 3))
    assert asked == [True, False]


def test_the_unit_of_a_metric_is_passed_on() -> None:
    query = metric("errors")
    query["MetricStat"]["Unit"] = "Count"
    assert plan([query]).metrics["errors"].metric.unit == "Count"


def test_what_is_returned() -> None:
    made = plan([metric("a", ReturnData=False), metric("b", ReturnData=True), metric("c")])
    assert made.returned == ["b", "c"]


@pytest.mark.parametrize(
    ("queries", "says"),
    [
        ([metric("Errors")], "id 'Errors': it must begin with a lower-case letter"),
        ([metric("e"), expression("e", "e")], "id 'e' is used twice"),
        ([{"Id": "e"}], "query 'e' must have either an Expression or a MetricStat"),
        ([metric("e", Expression="e")], "query 'e' must have either"),
        ([metric("e", stat="tm99")], "query 'e': statistic 'tm99' is not supported"),
        ([expression("e", "1 +")], "expression 'e': expected a number"),
        ([expression("e", "m + 1")], "expression 'e': there is no metric or expression with the id 'm'"),
        ([expression("e", "LOG(m)"), metric("m")], "expression 'e': function LOG is not supported"),
        ([expression("e", "SEARCH('x', 'Sum')")], "SEARCH is not supported"),
        ([expression("a", "b"), expression("b", "a")], "in a circle: a, b"),
        ([expression("a", "a + 1")], "in a circle: a"),
    ],
)
def test_what_is_wrong_is_said(queries: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(QueryError) as e:
        plan(queries)
    assert says in str(e.value)


def test_an_error_of_evaluation_names_the_expression() -> None:
    with pytest.raises(QueryError, match="expression 'e': the result is a single number"):
        evaluate("e", metric("errors"), expression("e", "SUM(errors)"))


def test_periods() -> None:
    mixed = [metric("a", period=60), metric("b", period=300), expression("e", "a + b"), expression("f", "b * 2")]
    made = plan(mixed)
    assert made.period("f") == 300
    with pytest.raises(QueryError, match=r"'e' combines metrics with different periods \(60, 300 seconds\)"):
        made.period("e")
    with pytest.raises(QueryError, match="reads no metric and has no Period"):
        plan([expression("e", "TIME_SERIES(1)")]).period("e")
    assert plan([expression("e", "TIME_SERIES(1)", Period=30)]).period("e") == 30


@pytest.mark.parametrize(
    ("queries", "says"),
    [
        ([metric("a"), metric("b")], "exactly one of Metrics must have ReturnData true, 2 have"),
        ([metric("a", ReturnData=False)], "exactly one of Metrics must have ReturnData true, 0 have"),
        ([metric(f"m{i}", ReturnData=i == 0) for i in range(11)], "an alarm can use 10 metrics, this one uses 11"),
    ],
)
def test_an_alarm_has_further_rules(queries: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(QueryError) as e:
        for_alarm(queries)
    assert says in str(e.value)
