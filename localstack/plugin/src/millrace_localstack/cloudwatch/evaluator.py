"""The loop over all alarms of LocalStack's CloudWatch.

Replaces LocalStack's scheduler. States change through LocalStack's own code, which writes
the history and sends the SNS messages in AWS's shape.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from localstack.aws.api import RequestContext
from localstack.aws.api.cloudwatch import ResourceNotFound
from localstack.services.cloudwatch.models import LocalStackAlarm, LocalStackMetricAlarm, cloudwatch_stores
from localstack.services.cloudwatch.provider_v2 import CloudwatchProvider

from millrace_localstack.cloudwatch import metricalarm
from millrace_localstack.cloudwatch.complaints import Complaints
from millrace_localstack.cloudwatch.composite import CompositeAlarms
from millrace_localstack.cloudwatch.datum import Metric, Window
from millrace_localstack.cloudwatch.judge import Verdict
from millrace_localstack.cloudwatch.stats import Samples
from millrace_localstack.cloudwatch.store import MetricStore

LOG = logging.getLogger(__name__)


class Evaluator:
    """Evaluates the alarms of one CloudwatchProvider. `evaluate_all` is called by one
    thread; `alarm_changed` by any."""

    def __init__(self, provider: CloudwatchProvider, now: Callable[[], float]) -> None:
        self._provider = provider
        self._now = now
        self._complaints = Complaints(LOG)
        self._composites = CompositeAlarms(provider, now, self._complaints)
        self._evaluating: int | None = None  # the thread inside evaluate_all
        # The end of the window that an alarm was judged by. Putting an alarm again makes a
        # new object of it, which has not been judged.
        self._judged: WeakKeyDictionary[LocalStackAlarm, int] = WeakKeyDictionary()

    def run(self, stop: threading.Event, interval: float) -> None:
        """Evaluates every `interval` seconds until `stop` is set."""
        while not stop.wait(interval):
            try:
                self.evaluate_all()
            except Exception:
                # Nothing may end the loop: without it every alarm would be silently dead.
                LOG.exception("evaluation of alarms failed; it is tried again in %s s", interval)

    def evaluate_all(self) -> None:
        """Evaluates the metric alarms by ARN, each once for the periods that have ended,
        then the composite alarms, which so see one moment's states and not a mixture of
        old and new ones."""
        self._evaluating = threading.get_ident()
        try:
            for account, region, alarms in _alarms():
                for alarm in alarms:
                    if isinstance(alarm, LocalStackMetricAlarm):
                        self._evaluate(context(account, region), alarm)
                self._composites.evaluate(context(account, region))
        finally:
            self._evaluating = None

    def alarm_changed(self, context: RequestContext) -> None:
        """An alarm changed its state: by evaluate_all, which sees to the composite alarms
        itself, or by SetAlarmState."""
        if self._evaluating != threading.get_ident():
            self._composites.evaluate(context)

    def _evaluate(self, context: RequestContext, alarm: LocalStackMetricAlarm) -> None:
        definition: dict[str, Any] = {**alarm.alarm}
        subject = f"alarm {definition['AlarmName']!r} in {context.account_id}/{context.region}"
        try:
            defined = metricalarm.define(definition)
            now = int(self._now())
            window = metricalarm.evaluation_window(defined, now)
            if self._judged.get(alarm) == window.end:
                return
            verdict = metricalarm.evaluate(defined, self._reader(context), window)
            self._judged[alarm] = window.end
            if verdict.state is not None and verdict.state != definition["StateValue"]:
                data = _reason_data(definition, defined.period, verdict, now)
                self._provider.set_alarm_state(
                    context, definition["AlarmName"], verdict.state.value, verdict.reason, json.dumps(data)
                )
        except ResourceNotFound:
            return  # deleted meanwhile
        except Exception as e:
            # One bad alarm must not keep the others from being evaluated.
            self._complaints.say(subject, f"evaluation or action failed: {str(e) or repr(e)}")
        else:
            self._complaints.settled(subject)

    def _reader(self, context: RequestContext) -> Callable[[Metric, Window, bool], list[list[Samples]]]:
        store = MetricStore(self._provider.cloudwatch_database, context.account_id, context.region)
        return lambda metric, window, distinct: store.read(metric, window, distinct=distinct)


def context(account: str, region: str) -> RequestContext:
    """The context of a call that no request stands behind."""
    made = RequestContext(None)
    made.account_id, made.region = account, region
    return made


def _alarms() -> Iterator[tuple[str, str, list[LocalStackAlarm]]]:
    for account, region, store in sorted(cloudwatch_stores.iter_stores(), key=lambda s: s[:2]):
        alarms = list(store.alarms.items())
        yield account, region, [alarm for _, alarm in sorted(alarms)]


def _reason_data(alarm: dict[str, Any], period: int, verdict: Verdict, now: int) -> dict[str, Any]:
    """StateReasonData as CloudWatch writes it."""
    data: dict[str, Any] = {
        "version": "1.0",
        "queryDate": _date(now),
        "period": period,
        "threshold": alarm["Threshold"],
    }
    for name in ("Statistic", "ExtendedStatistic", "Unit"):
        if alarm.get(name):
            data["statistic" if name == "ExtendedStatistic" else name.lower()] = alarm[name]
    data["recentDatapoints"] = [p.value for p in reversed(verdict.evaluated)]
    data["evaluatedDatapoints"] = [{"timestamp": _date(p.timestamp), "value": p.value} for p in verdict.evaluated]
    return data


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
