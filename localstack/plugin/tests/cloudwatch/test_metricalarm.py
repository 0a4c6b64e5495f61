"""metricalarm: definitions, the window that is looked at, and few samples."""

from collections.abc import Sequence
from typing import Any

import pytest

from millrace_localstack.cloudwatch.datum import Metric, Window
from millrace_localstack.cloudwatch.judge import State
from millrace_localstack.cloudwatch.metricalarm import (
    SETTLE,
    AlarmError,
    check,
    define,
    evaluate,
    evaluation_window,
)
from millrace_localstack.cloudwatch.queries import Read
from millrace_localstack.cloudwatch.stats import Samples

MINUTE = 1_700_000_040  # a whole one
DEFINITION = {
    "Namespace": "N",
    "MetricName": "m",
    "Dimensions": [],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 5,
    "ComparisonOperator": "GreaterThanThreshold",
}


def data(*points: tuple[int, float, float]) -> Read:
    """Points as (seconds before the last second of a minute, value, count)."""

    def read(_: Metric, window: Window, __: bool) -> Sequence[Sequence[Samples]]:
        periods: list[list[Samples]] = [[] for _ in range(window.count)]
        for ago, value, count in points:
            index = (MINUTE - 1 - ago - window.start) // window.period
            if 0 <= index < window.count:
                periods[index].append(Samples(count, value * count, value, value))
        return periods

    return read


def state(read: Read, **changes: Any) -> State | None:
    alarm = define({**DEFINITION, **changes})
    return evaluate(alarm, read, evaluation_window(alarm, MINUTE + SETTLE)).state


@pytest.mark.parametrize(
    ("period", "now", "end"),
    [
        (60, 0, -60),  # data of the minute that has just ended may still come
        (60, SETTLE - 0.1, -60),
        (60, SETTLE, 0),
        (60, 59, 0),  # of the minute that is not over nothing is looked at
        (60, 61.9, 0),
        (60, 62, 60),
        (300, SETTLE, 0),  # five minutes that end at any minute
        (300, 62, 60),
        (86_400, 62, 60),
        (10, 11.9, 0),
        (10, 12, 10),
        (20, 12, 10),  # evaluated every 10 seconds
        (30, 12, 10),
        (30, 22, 20),
    ],
)
def test_a_window_ends_at_a_whole_minute_or_ten_seconds(period: int, now: float, end: int) -> None:
    window = evaluation_window(define({**DEFINITION, "Period": period}), MINUTE + now)
    assert window == Window(MINUTE + end - 3 * period, period, 3)


def test_a_value_stays_in_its_period_until_the_window_moves() -> None:
    # Two periods of 3 are no period of 6, whenever it is looked between two steps.
    read, alarm = data((60, 3, 1), (0, 3, 1)), define(DEFINITION)
    for second in range(60):
        assert evaluate(alarm, read, evaluation_window(alarm, MINUTE + SETTLE + second)).state == State.OK


def test_the_newest_period_is_the_last_one_that_has_ended() -> None:
    assert state(data((0, 9, 1))) == State.ALARM
    assert state(data((59, 3, 1), (0, 3, 1))) == State.ALARM  # 6 within 60 s
    assert state(data((60, 3, 1), (0, 3, 1))) == State.OK  # 60 s ago is the period before
    assert state(data((-1, 9, 1))) == State.INSUFFICIENT_DATA


@pytest.mark.parametrize("period", [10, 30, 60, 300, 86_400, 259_200])
def test_periods(period: int) -> None:
    assert state(data((period - 1, 9, 1)), Period=period) == State.ALARM
    assert state(data((period * 3, 9, 1)), Period=period) == State.INSUFFICIENT_DATA


def test_a_stopped_metric_is_evaluated_again_while_it_is_in_the_evaluation_range() -> None:
    # User Guide: "CloudWatch alarms may repeatedly re-evaluate the last set of data points
    # for a period of time after the metric has stopped flowing."
    assert state(data((150, 9, 1)), TreatMissingData="notBreaching") == State.ALARM
    assert state(data((180, 9, 1)), TreatMissingData="notBreaching") == State.OK


@pytest.mark.parametrize(
    ("count", "percentile", "wanted"),
    [
        (999, "p99", None),
        (1000, "p99", State.ALARM),
        (199, "p95", None),
        (200, "p95", State.ALARM),
        (99, "p10", None),
        (100, "p10", State.ALARM),
        (10**6, "p100", None),
    ],
)
def test_few_samples_keep_the_state(count: int, percentile: str, wanted: State | None) -> None:
    definition = {"Statistic": None, "ExtendedStatistic": percentile}
    assert state(data((0, 9, count)), **definition, EvaluateLowSampleCountPercentile="ignore") == wanted
    assert state(data((0, 9, count)), **definition) == State.ALARM
    assert state(data((0, 9, count)), **definition, EvaluateLowSampleCountPercentile="evaluate") == State.ALARM


def test_no_samples_are_missing_data_and_not_few_samples() -> None:
    definition = {"Statistic": None, "ExtendedStatistic": "p99", "EvaluateLowSampleCountPercentile": "ignore"}
    assert state(data(), **definition) == State.INSUFFICIENT_DATA
    assert state(data(), **definition, TreatMissingData="notBreaching") == State.OK


def queries(expression: str) -> dict[str, Any]:
    stat = {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    metric = {"Id": "m", "MetricStat": stat, "ReturnData": False}
    result = {"Id": "e", "Expression": expression}
    return {"Metrics": [metric, result], "MetricName": None, "Statistic": None, "Period": None}


def test_metric_math() -> None:
    assert state(data((0, 3, 1)), **queries("m * 2")) == State.ALARM
    assert state(data((0, 2, 1)), **queries("m * 2")) == State.OK


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ThresholdMetricId": "t"}, "anomaly detection (ThresholdMetricId) is not supported"),
        ({"Namespace": None}, "an alarm on a metric needs Namespace"),
        ({"Statistic": None}, "an alarm on a metric needs Statistic or ExtendedStatistic"),
        ({"Statistic": "Median"}, "statistic 'Median' is not supported"),
        ({"Period": 45}, "the period is 45 seconds; it must be 10, 20, 30 or a multiple of 60"),
        ({"Threshold": None}, "an alarm needs a Threshold"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "'GreaterThanUpperThreshold' is not supported"),
        ({"TreatMissingData": "fine"}, "TreatMissingData 'fine': use missing, ignore"),
        ({"EvaluationPeriods": 0}, "1 <= M <= N"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm is 2 and EvaluationPeriods 1"),
        ({**queries("m"), "MetricName": "m"}, "either MetricName or Metrics"),
        (queries("SUM(m)"), "the result is a single number"),
        (queries("[m, m]"), "expression 'e' returns 2 time series; an alarm watches one"),
        (queries("ABS(m, m)"), "ABS takes 1 arguments"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(AlarmError) as e:
        check({**DEFINITION, **changes})
    assert says in str(e.value)


def test_a_good_definition_passes() -> None:
    check(DEFINITION)
    check({**DEFINITION, **queries("IF(m > 1, m / 0, 0)")})
