"""A metric alarm's definition, checked, and its evaluation at one time.

Source: Amazon CloudWatch API reference, PutMetricAlarm.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from millrace_localstack.cloudwatch import judge, queries, stats
from millrace_localstack.cloudwatch.datum import Window
from millrace_localstack.cloudwatch.judge import DataPoint, Rule, Verdict
from millrace_localstack.cloudwatch.queries import Plan, QueryError, Read

# Seconds that data may take to arrive: a period is looked at when it ended so long ago.
# shared/alarm has the same; AWS says only that data may be late.
SETTLE = 2


class AlarmError(ValueError):
    """The alarm is wrong, or of a kind that is not supported; the text says why."""


@dataclass(frozen=True)
class MetricAlarm:
    plan: Plan
    result: str  # id of the query that is compared with the threshold
    period: int  # seconds
    rule: Rule
    # The rank of the alarm's percentile where few samples are to be ignored, else None.
    ignore_few_samples: float | None


def define(alarm: Mapping[str, Any]) -> MetricAlarm:
    """Reads the request of PutMetricAlarm, or what DescribeAlarms returns; raises AlarmError."""
    if alarm.get("ThresholdMetricId"):
        raise AlarmError("anomaly detection (ThresholdMetricId) is not supported")
    try:
        plan = queries.for_alarm(_queries(alarm))
        period = plan.period(plan.returned[0])
    except QueryError as e:
        raise AlarmError(str(e)) from None
    if period not in (10, 20, 30) and (period <= 0 or period % 60):
        raise AlarmError(f"the period is {period} seconds; it must be 10, 20, 30 or a multiple of 60")
    return MetricAlarm(plan, plan.returned[0], period, _rule(alarm), _ignored_rank(alarm))


def check(alarm: Mapping[str, Any]) -> None:
    """Raises AlarmError for what `define` or any `evaluate` would: an expression whose
    result is not one time series shows without data too."""
    defined = define(alarm)
    try:
        evaluate(defined, lambda _, window, __: [[]] * window.count, evaluation_window(defined, 0))
    except QueryError as e:
        raise AlarmError(str(e)) from None


def evaluation_window(alarm: MetricAlarm, now: float) -> Window:
    """The periods that are looked at: those that have ended. User Guide, "Alarm
    evaluation": with a period of 5 minutes, "at the end of minute 5 the alarm evaluates
    based on data from minutes 1 to 5. Then at the end of minute 6 [...] from minutes 2 to
    6"; an alarm with a period of 10, 20 or 30 seconds moves on every 10 seconds. So the
    period that is not over yet counts for nothing, and a value is in the same period at
    each evaluation between two steps."""
    step = 60 if alarm.period >= 60 else 10
    end = int(now - SETTLE) // step * step
    count = alarm.rule.evaluation_range
    return Window(end - alarm.period * count, alarm.period, count)


def evaluate(alarm: MetricAlarm, read: Read, window: Window) -> Verdict:
    """The verdict over the periods of `window`."""
    if alarm.ignore_few_samples is not None and _few(alarm, read, window, alarm.ignore_few_samples):
        return Verdict(None, "There are too few samples for this percentile: the state is kept.", ())
    series = alarm.plan.evaluate(alarm.result, read, window)
    if isinstance(series, tuple):
        raise AlarmError(f"expression {alarm.result!r} returns {len(series)} time series; an alarm watches one")
    points = [DataPoint(window.begin(i), value) for i, value in enumerate(series.values)]
    return judge.judge(alarm.rule, points)


def _queries(alarm: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    if alarm.get("Metrics"):
        if alarm.get("MetricName"):
            raise AlarmError("an alarm has either MetricName or Metrics")
        metrics: Sequence[Mapping[str, Any]] = alarm["Metrics"]
        return metrics
    stat = alarm.get("Statistic") or alarm.get("ExtendedStatistic")
    for name, value in (
        ("MetricName", alarm.get("MetricName")),
        ("Namespace", alarm.get("Namespace")),
        ("Period", alarm.get("Period")),
        ("Statistic or ExtendedStatistic", stat),
    ):
        if not value:
            raise AlarmError(f"an alarm on a metric needs {name}")
    metric = {"Metric": alarm, "Period": alarm["Period"], "Stat": stat, "Unit": alarm.get("Unit")}
    return [{"Id": "m1", "MetricStat": metric}]


def _rule(alarm: Mapping[str, Any]) -> Rule:
    comparison, missing_data = alarm.get("ComparisonOperator"), alarm.get("TreatMissingData") or "missing"
    if comparison not in judge.COMPARISONS:
        raise AlarmError(f"ComparisonOperator {comparison!r} is not supported: use {', '.join(judge.COMPARISONS)}")
    if missing_data not in judge.TREATMENTS:
        raise AlarmError(f"TreatMissingData {missing_data!r}: use {', '.join(judge.TREATMENTS)}")
    threshold = alarm.get("Threshold")
    if threshold is None:
        raise AlarmError("an alarm needs a Threshold")
    periods = int(alarm.get("EvaluationPeriods") or 0)
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    if not 1 <= needed <= periods:
        raise AlarmError(f"DatapointsToAlarm is {needed} and EvaluationPeriods {periods}: 1 <= M <= N is needed")
    return Rule(comparison, float(threshold), periods, needed, missing_data)


def _ignored_rank(alarm: Mapping[str, Any]) -> float | None:
    if alarm.get("EvaluateLowSampleCountPercentile") != "ignore" or alarm.get("Metrics"):
        return None
    return stats.percentile_rank(alarm.get("ExtendedStatistic") or "")


def _few(alarm: MetricAlarm, read: Read, window: Window, rank: float) -> bool:
    """User Guide, "Percentile-based alarms and low data samples": fewer than 10/(1-p)
    samples in the evaluation periods, for p99 1,000; 10/p below the median. No sample at
    all is missing data, not few samples."""
    share = min(rank, 100 - rank) / 100
    least = 10 / share if share else math.inf
    periods = alarm.plan.samples(alarm.result, read, window)[-alarm.rule.evaluation_periods :]
    return 0 < sum(map(stats.sample_count, periods)) < least
