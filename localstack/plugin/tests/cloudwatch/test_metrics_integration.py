"""Metrics in a LocalStack of its own: logs in, statistics out; what Lambda and SQS write;
dashboards and changed alarms through CloudFormation."""

import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ..integration.conftest import LocalStack, Probe
from ..integration.waiting import wait_until


def statistics(
    localstack: LocalStack, namespace: str, name: str, dimensions: dict[str, str], *stats: str
) -> dict[str, float]:
    """Statistics of the last minutes, as one period."""
    end = datetime.now(UTC) + timedelta(seconds=60)
    percentiles = [s for s in stats if s.startswith("p")]
    wanted = {"Statistics": [s for s in stats if s not in percentiles], "ExtendedStatistics": percentiles}
    points = localstack.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": n, "Value": v} for n, v in dimensions.items()],
        **{k: v for k, v in wanted.items() if v},
        Period=600,
        StartTime=end - timedelta(seconds=600),
        EndTime=end,
    )["Datapoints"]
    if not points:
        return {}
    (point,) = points
    return {s: v for s, v in {**point, **point.get("ExtendedStatistics", {})}.items() if s in stats}


@pytest.fixture
def log(localstack: LocalStack) -> Callable[..., None]:
    """Writes lines to a log stream."""
    logs, group = localstack.client("logs"), f"group-{uuid.uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")

    def write(*lines: str) -> None:
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line + "\n"} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)

    return write


def emf(namespace: str, **members: Any) -> str:
    directive = {
        "Namespace": namespace,
        "Dimensions": [["Service", "Stage"]],
        "Metrics": [{"Name": n, "Unit": "Count"} for n in members],
    }
    metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": metadata, "Service": "millrace", "Stage": "ingest", **members})


def test_log_lines_become_metrics(localstack: LocalStack, log: Callable[..., None]) -> None:
    namespace = f"Emf{uuid.uuid4().hex[:8]}"
    log("START", emf(namespace, Events=3), emf(namespace, Events=4, Latency=[10] * 90 + [500] * 10), "END")
    stage = {"Service": "millrace", "Stage": "ingest"}
    assert statistics(localstack, namespace, "Events", stage, "Sum", "SampleCount") == {"Sum": 7, "SampleCount": 2}
    assert statistics(localstack, namespace, "Latency", stage, "p90", "p99", "Maximum") == {
        "p90": pytest.approx(59),
        "p99": 500,
        "Maximum": 500,
    }
    assert statistics(localstack, namespace, "Events", {"Stage": "ingest"}, "Sum") == {}


def test_a_histogram_is_stored_with_its_weights(localstack: LocalStack, log: Callable[..., None]) -> None:
    namespace = f"Emf{uuid.uuid4().hex[:8]}"
    log(emf(namespace, Latency={"Values": [10, 800], "Counts": [9800, 200]}))
    stage = {"Service": "millrace", "Stage": "ingest"}
    found = statistics(localstack, namespace, "Latency", stage, "SampleCount", "Average", "p50", "p99")
    assert found == {"SampleCount": 10_000, "Average": pytest.approx(25.8), "p50": 10, "p99": 800}


def test_a_line_that_breaks_a_limit_is_said(localstack: LocalStack, log: Callable[..., None]) -> None:
    log(emf("N", Latency=[1] * 101))
    wait_until(lambda: "'Latency': 101 values in one line, 100 are allowed" in localstack.log.read_text())


def test_metric_data_with_expressions(localstack: LocalStack) -> None:
    cloudwatch, namespace = localstack.client("cloudwatch"), f"Data{uuid.uuid4().hex[:8]}"
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {"MetricName": name, "Value": value, "Timestamp": minute - timedelta(minutes=ago)}
            for name, ago, value in (("E", 2, 5), ("E", 1, 1), ("R", 2, 10), ("R", 1, 0), ("R", 3, 4))
        ],
    )

    def metric(id: str, stat: str = "Sum") -> dict[str, Any]:
        named = {"Namespace": namespace, "MetricName": id.upper()}
        return {"Id": id, "MetricStat": {"Metric": named, "Period": 60, "Stat": stat}}

    results = cloudwatch.get_metric_data(
        MetricDataQueries=[
            {**metric("e"), "ReturnData": False},
            metric("r", "p50"),
            {"Id": "ratio", "Expression": "100 * e / r", "Label": "percent"},
        ],
        StartTime=minute - timedelta(minutes=4),
        EndTime=minute,
        ScanBy="TimestampAscending",
    )["MetricDataResults"]
    assert [(r["Id"], r["Label"], r["Values"]) for r in results] == [
        ("r", "R", [4, 10, 0]),
        ("ratio", "percent", [0, 50]),  # no errors, 5 of 10, and a division by zero
    ]
    assert results[1]["Timestamps"] == [minute - timedelta(minutes=3), minute - timedelta(minutes=2)]


def test_wrong_queries_are_refused(localstack: LocalStack) -> None:
    cloudwatch, now = localstack.client("cloudwatch"), datetime.now(UTC)
    with pytest.raises(ClientError, match="expression 'e': there is no metric or expression with the id 'x'"):
        cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "e", "Expression": "x + 1"}],
            StartTime=now - timedelta(minutes=1),
            EndTime=now,
        )
    with pytest.raises(ClientError, match="StartTime must be before EndTime"):
        cloudwatch.get_metric_statistics(
            Namespace="N", MetricName="m", Statistics=["Sum"], Period=60, StartTime=now, EndTime=now
        )
    with pytest.raises(ClientError, match="10080 data points are asked for, 1440 are allowed"):
        cloudwatch.get_metric_statistics(
            Namespace="N",
            MetricName="m",
            Statistics=["Sum"],
            Period=60,
            StartTime=now.replace(second=0, microsecond=0) - timedelta(days=7),
            EndTime=now.replace(second=0, microsecond=0),
        )


def test_the_age_of_the_oldest_message(localstack: LocalStack) -> None:
    sqs, name = localstack.client("sqs"), f"age-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="old")

    def age() -> float:
        found = statistics(localstack, "AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": name}, "Maximum")
        return found.get("Maximum", 0)

    wait_until(lambda: age() >= 2)


def test_lambda_metrics(localstack: LocalStack, probe: Probe) -> None:
    probe.invoke({"do": "describe"})
    probe.invoke({"do": "fail", "text": "on purpose"})
    probe.invoke({"do": "sleep", "amount": 300})
    function = {"FunctionName": probe.name}

    def read(name: str, *stats: str) -> dict[str, float]:
        return statistics(localstack, "AWS/Lambda", name, function, *stats)

    assert read("Invocations", "Sum") == {"Sum": 3}
    assert read("Errors", "Sum", "SampleCount") == {"Sum": 1, "SampleCount": 3}
    assert read("Throttles", "Sum") == {"Sum": 0}
    assert read("ConcurrentExecutions", "Maximum") == {"Maximum": 1}
    assert read("Duration", "Maximum")["Maximum"] >= 300


def test_lambda_metrics_by_alias(localstack: LocalStack, probe: Probe) -> None:
    version = probe.client.publish_version(FunctionName=probe.name)["Version"]
    probe.client.get_waiter("function_active_v2").wait(FunctionName=probe.name, WaiterConfig={"Delay": 1})
    probe.client.create_alias(FunctionName=probe.name, Name="live", FunctionVersion=version)
    probe.invoke({"do": "describe"}, Qualifier="live")
    alias = {"FunctionName": probe.name, "Resource": f"{probe.name}:live"}
    assert statistics(localstack, "AWS/Lambda", "Invocations", alias, "Sum") == {"Sum": 1}
    assert statistics(localstack, "AWS/Lambda", "Invocations", {"FunctionName": probe.name}, "Sum") == {"Sum": 1}


def test_throttles(localstack: LocalStack, probe: Probe) -> None:
    probe.client.put_function_concurrency(FunctionName=probe.name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequests"):
        probe.invoke({"do": "describe"})
    function = {"FunctionName": probe.name}
    assert statistics(localstack, "AWS/Lambda", "Throttles", function, "Sum") == {"Sum": 1}
    assert statistics(localstack, "AWS/Lambda", "Invocations", function, "Sum") == {}


def template(threshold: int, title: str) -> str:
    body = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": title}}]})
    alarm = {
        "Namespace": "N",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": threshold,
    }
    return json.dumps(
        {
            "Resources": {
                "Named": {"Type": "AWS::CloudWatch::Alarm", "Properties": {**alarm, "AlarmName": "cfn-named"}},
                "Unnamed": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
                "Composite": {
                    "Type": "AWS::CloudWatch::CompositeAlarm",
                    "Properties": {"AlarmName": "cfn-composite", "AlarmRule": f"ALARM(cfn-named) OR {title}"},
                },
                "Dashboard": {
                    "Type": "AWS::CloudWatch::Dashboard",
                    "Properties": {"DashboardName": "cfn-dashboard", "DashboardBody": body},
                },
            }
        }
    )


def test_alarms_and_dashboards_of_a_stack_follow_its_template(localstack: LocalStack) -> None:
    cloudformation, cloudwatch = localstack.client("cloudformation"), localstack.client("cloudwatch")

    def deployed() -> tuple[list[float], list[str], str]:
        found = cloudwatch.describe_alarms()
        thresholds = [a["Threshold"] for a in found["MetricAlarms"] if "cfn" in a["AlarmName"]]
        composites = [a["AlarmRule"] for a in found["CompositeAlarms"] if "cfn" in a["AlarmName"]]
        body = json.loads(cloudwatch.get_dashboard(DashboardName="cfn-dashboard")["DashboardBody"])
        return thresholds, composites, body["widgets"][0]["properties"]["markdown"]

    cloudformation.create_stack(StackName="cfn-stack", TemplateBody=template(5, "FALSE"))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="cfn-stack", WaiterConfig={"Delay": 1})
    assert deployed() == ([5, 5], ["ALARM(cfn-named) OR FALSE"], "FALSE")
    cloudformation.update_stack(StackName="cfn-stack", TemplateBody=template(7, "TRUE"))
    cloudformation.get_waiter("stack_update_complete").wait(StackName="cfn-stack", WaiterConfig={"Delay": 1})
    assert deployed() == ([7, 7], ["ALARM(cfn-named) OR TRUE"], "TRUE")
    cloudformation.delete_stack(StackName="cfn-stack")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="cfn-stack", WaiterConfig={"Delay": 1})
    assert [a for a in cloudwatch.describe_alarms()["MetricAlarms"] if "cfn" in a["AlarmName"]] == []
    with pytest.raises(ClientError, match="does not exist"):
        cloudwatch.get_dashboard(DashboardName="cfn-dashboard")


def test_a_dashboard_that_is_not_json_fails_the_stack(localstack: LocalStack) -> None:
    cloudformation = localstack.client("cloudformation")
    dashboard = {"DashboardName": "cfn-bad", "DashboardBody": "{"}
    resources = {"D": {"Type": "AWS::CloudWatch::Dashboard", "Properties": dashboard}}
    cloudformation.create_stack(StackName="cfn-bad", TemplateBody=json.dumps({"Resources": resources}))

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName="cfn-bad")["Stacks"][0]["StackStatus"])

    wait_until(lambda: status() not in ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"))
    assert status() in ("CREATE_FAILED", "ROLLBACK_COMPLETE")
