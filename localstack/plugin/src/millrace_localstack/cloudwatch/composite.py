"""Composite alarms of LocalStack's CloudWatch.

Source: Amazon CloudWatch User Guide, "Create a composite alarm". A composite alarm is in
ALARM where its rule is true, else OK; a cycle of composite alarms is not evaluated.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from localstack.aws.api import RequestContext
from localstack.services.cloudwatch.models import LocalStackAlarm, LocalStackCompositeAlarm
from localstack.services.cloudwatch.provider_v2 import _STORE_LOCK, CloudwatchProvider
from localstack.utils.time import timestamp_millis

from millrace_localstack.cloudwatch import rules, suppress
from millrace_localstack.cloudwatch.complaints import Complaints
from millrace_localstack.cloudwatch.judge import State
from millrace_localstack.cloudwatch.suppress import Pending, Suppressor

# CDK's default, and the only documented one (aws_cloudwatch.CompositeAlarmProps).
_DEFAULT_SECONDS = 60


class CompositeAlarms:
    """Evaluates the composite alarms of one CloudwatchProvider. Safe for concurrent use."""

    def __init__(self, provider: CloudwatchProvider, now: Callable[[], float], complaints: Complaints) -> None:
        self._provider = provider
        self._now = now
        self._complaints = complaints
        self._pending: dict[str, Pending] = {}  # by ARN

    def evaluate(self, context: RequestContext) -> None:
        """Evaluates all composite alarms of an account and region, each after those that
        its rule names."""
        with _STORE_LOCK:
            alarms = self._provider.get_store(context.account_id, context.region).alarms
            named = {key: a for a in alarms.values() for key in (a.alarm["AlarmName"], a.alarm["AlarmArn"])}
            waiting = self._parsed(context, dict(sorted(alarms.items())))
            while waiting:
                ready = [arn for arn, rule in waiting.items() if not self._waits(rule, named, waiting)]
                if not ready:
                    for arn in waiting:
                        self._complain(context, alarms[arn], "not evaluated: its rule leads back to itself")
                    return
                for arn in ready:
                    self._evaluate(context, alarms[arn], waiting.pop(arn), named)

    def _parsed(self, context: RequestContext, alarms: Mapping[str, LocalStackAlarm]) -> dict[str, rules.Rule]:
        parsed: dict[str, rules.Rule] = {}
        for arn, alarm in alarms.items():
            if isinstance(alarm, LocalStackCompositeAlarm):
                try:
                    parsed[arn] = rules.parse(alarm.alarm["AlarmRule"])
                except rules.RuleError as e:
                    self._complain(context, alarm, f"not evaluated: {e}")
        return parsed

    @staticmethod
    def _waits(rule: rules.Rule, named: Mapping[str, LocalStackAlarm], waiting: Mapping[str, rules.Rule]) -> bool:
        return any(child in named and named[child].alarm["AlarmArn"] in waiting for child in rules.children(rule))

    def _evaluate(
        self,
        context: RequestContext,
        composite: LocalStackCompositeAlarm,
        rule: rules.Rule,
        named: Mapping[str, LocalStackAlarm],
    ) -> None:
        unknown = [child for child in rules.children(rule) if child not in named]
        if unknown:
            self._complain(context, composite, f"not evaluated: there is no alarm {', '.join(map(repr, unknown))}")
            return
        self._complaints.settled(_subject(context, composite))
        state = State.ALARM if rules.holds(rule, lambda child: named[child].alarm["StateValue"]) else State.OK
        trigger = _trigger(composite, state, [named[child] for child in rules.children(rule)])
        if state != composite.alarm["StateValue"]:
            self._change(context, composite, state, trigger)
        self._act(context, composite, trigger, named)

    def _change(
        self, context: RequestContext, composite: LocalStackCompositeAlarm, state: State, trigger: LocalStackAlarm
    ) -> None:
        arn = composite.alarm["AlarmArn"]
        if arn not in self._pending:
            self._pending[arn] = Pending(composite.alarm["StateValue"], self._now())
        composite.alarm["StateTransitionedTimestamp"] = datetime.now(UTC)
        changed = _changed(trigger)
        child = {"value": trigger.alarm["StateValue"], "timestamp": timestamp_millis(changed)}
        self._provider._update_state(
            context,
            composite,
            state.value,
            f"{trigger.alarm['AlarmArn']} transitioned to {trigger.alarm['StateValue']} "
            f"at {changed:%A %d %B, %Y %H:%M:%S %Z}",
            {"triggeringAlarms": [{"arn": trigger.alarm["AlarmArn"], "state": child}]},
        )

    def _act(
        self,
        context: RequestContext,
        composite: LocalStackCompositeAlarm,
        trigger: LocalStackAlarm,
        named: Mapping[str, LocalStackAlarm],
    ) -> None:
        """Runs the actions of a change, unless its suppressor holds them back."""
        arn, alarm = composite.alarm["AlarmArn"], composite.alarm
        pending = self._pending.get(arn)
        if pending is None:
            return
        if alarm["StateValue"] == pending.announced:
            self._done(composite)
            return
        if suppressor := alarm.get("ActionsSuppressor"):
            settings = Suppressor(
                float(alarm.get("ActionsSuppressorWaitPeriod", _DEFAULT_SECONDS)),
                float(alarm.get("ActionsSuppressorExtensionPeriod", _DEFAULT_SECONDS)),
            )
            in_alarm = suppressor in named and named[suppressor].alarm["StateValue"] == State.ALARM
            decision = suppress.decide(pending, settings, suppressor_in_alarm=in_alarm, now=self._now())
            if not decision.run:
                alarm["ActionsSuppressedBy"] = decision.by
                alarm["ActionsSuppressedReason"] = f"Actions suppressed by {decision.by}"
                return
        self._done(composite)
        if alarm["ActionsEnabled"]:
            try:
                self._provider._run_composite_alarm_actions(context, composite, pending.announced, trigger)
            except Exception as e:
                self._complain(context, composite, f"its actions failed: {e!r}")

    def _done(self, composite: LocalStackCompositeAlarm) -> None:
        self._pending.pop(composite.alarm["AlarmArn"], None)
        composite.alarm.pop("ActionsSuppressedBy", None)
        composite.alarm.pop("ActionsSuppressedReason", None)

    def _complain(self, context: RequestContext, alarm: LocalStackAlarm, message: str) -> None:
        self._complaints.say(_subject(context, alarm), message)


def _subject(context: RequestContext, alarm: LocalStackAlarm) -> str:
    return f"composite alarm {alarm.alarm['AlarmName']!r} in {context.account_id}/{context.region}"


def _trigger(
    composite: LocalStackCompositeAlarm, state: State, children: list[LocalStackAlarm]
) -> LocalStackAlarm:
    """The alarm that a message names: of those in the composite alarm's new state (the
    others made no change), or of all where none is, the one that changed last."""
    candidates = [c for c in children if c.alarm["StateValue"] == state] or children
    return max(candidates, key=_changed, default=composite)


def _changed(alarm: LocalStackAlarm) -> datetime:
    changed: datetime = alarm.alarm["StateTransitionedTimestamp"]
    return changed
