"""Patches of LocalStack's alarms."""

import json
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import RequestContext
from localstack.services.cloudwatch import provider_v2
from localstack.services.cloudwatch.alarm_scheduler import AlarmScheduler
from localstack.services.cloudwatch.models import LocalStackAlarm
from localstack.services.cloudwatch.provider_v2 import CloudwatchProvider, ValidationException
from localstack.services.cloudwatch.resource_providers.aws_cloudwatch_alarm import CloudWatchAlarmProvider
from localstack.services.cloudwatch.resource_providers.aws_cloudwatch_compositealarm import (
    CloudWatchCompositeAlarmProvider,
)
from localstack.utils.aws import arns
from localstack.utils.patch import patch

from millrace_localstack.cloudwatch import metricalarm, rules
from millrace_localstack.cloudwatch.running import RunningService

# What an update of an alarm leaves as it is (User Guide, "Edit a CloudWatch alarm").
_STATE = ("StateValue", "StateReason", "StateReasonData", "StateUpdatedTimestamp", "StateTransitionedTimestamp")


def apply(service: RunningService) -> None:
    """Puts the patches in place."""
    _life(service)
    _evaluation(service)
    _puts()
    _history()
    _messages()
    _cloudformation()


def _life(service: RunningService) -> None:
    @patch(CloudwatchProvider.on_before_start)
    def on_before_start(start: Any, self: CloudwatchProvider) -> None:
        start(self)
        service.started(self)

    @patch(CloudwatchProvider.on_before_stop)
    def on_before_stop(stop: Any, self: CloudwatchProvider) -> None:
        service.stopping()
        stop(self)


def _evaluation(service: RunningService) -> None:
    @patch(AlarmScheduler.schedule_metric_alarm)
    def schedule_metric_alarm(_schedule: Any, _self: AlarmScheduler, _alarm_arn: str) -> None:
        """LocalStack's scheduler skips percentiles and metric math, and looks at an alarm
        only once in all its evaluation periods: service.evaluator evaluates all alarms."""

    @patch(CloudwatchProvider._evaluate_composite_alarms)
    def evaluate_composite_alarms(
        _evaluate: Any, _self: CloudwatchProvider, context: RequestContext, _triggering_alarm: LocalStackAlarm
    ) -> None:
        """LocalStack reads every rule as one OR of ALARM conditions on metric alarms."""
        if evaluator := service.evaluator:
            evaluator.alarm_changed(context)


def _puts() -> None:
    """LocalStack takes any expression and any rule and then never evaluates it; and an
    update sends an alarm back to INSUFFICIENT_DATA, so that it pages again."""

    @patch(CloudwatchProvider.put_metric_alarm)
    def put_metric_alarm(put: Any, self: CloudwatchProvider, context: RequestContext, request: Any) -> None:
        try:
            metricalarm.check(request)
        except metricalarm.AlarmError as e:
            raise ValidationException(str(e)) from None
        _put(put, self, context, request)

    @patch(CloudwatchProvider.put_composite_alarm)
    def put_composite_alarm(put: Any, self: CloudwatchProvider, context: RequestContext, request: Any) -> None:
        try:
            rules.parse(request["AlarmRule"])
        except rules.RuleError as e:
            raise ValidationException(f"AlarmRule: {e}") from None
        _put(put, self, context, request)

    @patch(CloudwatchProvider._validate_alarm_rule_expression)
    def validate_alarm_rule_expression(_validate: Any, _self: CloudwatchProvider, _alarm_rule: str) -> list[str]:
        """It would warn of every operator but OR."""
        return []


def _put(put: Any, provider: CloudwatchProvider, context: RequestContext, request: Any) -> None:
    arn = arns.cloudwatch_alarm_arn(
        request["AlarmName"], account_id=context.account_id, region_name=context.region
    )
    with provider_v2._STORE_LOCK:
        alarms = provider.get_store(context.account_id, context.region).alarms
        before = alarms.get(arn)
        put(provider, context, request)
        if before is not None:
            alarms[arn].alarm.update({name: before.alarm[name] for name in _STATE if name in before.alarm})


def _history() -> None:
    @patch(CloudwatchProvider._update_state)
    def update_state(
        update: Any,
        self: CloudwatchProvider,
        context: RequestContext,
        alarm: LocalStackAlarm,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """LocalStack stamps a change in the history with the time of the change before, and
        the alarm with a local time without zone: DescribeAlarmHistory with a date fails on it."""
        update(self, context, alarm, *args, **kwargs)
        now = datetime.now(UTC)
        alarm.alarm["StateUpdatedTimestamp"] = now
        self.get_store(context.account_id, context.region).histories[-1]["Timestamp"] = now


def _messages() -> None:
    @patch(provider_v2.create_message_response_update_state_sns)
    def create_message(create: Any, alarm: LocalStackAlarm, old_state: str) -> str:
        """AWS's message of an alarm on metric math has its queries; LocalStack's has not."""
        message: str = create(alarm, old_state)
        if not alarm.alarm.get("Metrics"):
            return message
        content = json.loads(message)
        content["Trigger"]["Metrics"] = [_message_query(q) for q in alarm.alarm["Metrics"]]
        for name in ("MetricName", "Namespace", "Unit", "Dimensions"):
            content["Trigger"].pop(name, None)
        return json.dumps(content)


def _message_query(query: dict[str, Any]) -> dict[str, Any]:
    shown = {**query, "ReturnData": query.get("ReturnData") is not False}
    if stat := query.get("MetricStat"):
        dimensions = [{"value": d["Value"], "name": d["Name"]} for d in stat["Metric"].get("Dimensions") or ()]
        shown["MetricStat"] = {**stat, "Metric": {**stat["Metric"], "Dimensions": dimensions}}
    return shown


def _cloudformation() -> None:
    for provider in (CloudWatchAlarmProvider, CloudWatchCompositeAlarmProvider):

        @patch(provider.update)
        def update(_update: Any, self: Any, request: Any) -> Any:
            """LocalStack reports an update as done and does nothing: a changed threshold
            would never be deployed. Putting an alarm again is an update."""
            request.desired_state["AlarmName"] = request.previous_state["AlarmName"]
            return self.create(request)
