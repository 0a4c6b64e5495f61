"""Every kind of alarm in a LocalStack of its own: the state it reaches, and the message on
the queue behind its topic."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ..integration.conftest import LocalStack
from ..integration.waiting import wait_until

NAMESPACE = "AlarmsIntegration"
DEADLINE = 90  # seconds: an alarm is evaluated once a minute


def dimensions(**pairs: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in pairs.items()]


def metric(name: str, stat: str = "Sum", **dims: str) -> dict[str, Any]:
    named = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions(**dims)}
    return {"MetricStat": {"Metric": named, "Period": 60, "Stat": stat}, "ReturnData": False}


def math(expression: str, /, **metrics: dict[str, Any]) -> dict[str, Any]:
    """Metrics of an alarm on an expression."""
    others = [{"Id": id, **m} for id, m in metrics.items()]
    return {"Metrics": [*others, {"Id": "result", "Expression": expression, "ReturnData": True}]}


def inner(expression: str) -> dict[str, Any]:
    return {"Expression": expression, "ReturnData": False}


def plain(name: str, stat: str = "Sum", **dims: str) -> dict[str, Any]:
    key = "ExtendedStatistic" if stat.startswith("p") else "Statistic"
    return {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions(**dims), "Period": 60, key: stat}


# Written once, for the last minute that has ended: errors 8 of 100 requests at
# stage a; latency 10 ms but for the slowest 2 %; stage ab has 500 errors.
ERRORS, REQUESTS = metric("Errors", Stage="a"), metric("Requests", Stage="a")
SILENT = metric("Nobody", Stage="a")
P99 = metric("Latency", "p99", Stage="a")

# name -> (state it must reach, definition); the comparison is > threshold unless it says otherwise.
METRIC_ALARMS: dict[str, tuple[str, dict[str, Any]]] = {
    "sum": ("ALARM", {**plain("Errors", Stage="a"), "Threshold": 5}),
    "sum-below": ("OK", {**plain("Errors", Stage="a"), "Threshold": 8}),
    "at-the-threshold": (
        "ALARM",
        {**plain("Errors", Stage="a"), "Threshold": 8, "ComparisonOperator": "GreaterThanOrEqualToThreshold"},
    ),
    "less-than": (
        "ALARM",
        {**plain("Requests", Stage="a"), "Threshold": 101, "ComparisonOperator": "LessThanThreshold"},
    ),
    "average": ("ALARM", {**plain("Latency", "Average", Stage="a"), "Threshold": 15}),
    "maximum": ("OK", {**plain("Latency", "Maximum", Stage="a"), "Threshold": 900}),
    "sample-count": ("ALARM", {**plain("Latency", "SampleCount", Stage="a"), "Threshold": 99}),
    # Stage ab has 500: LocalStack's own matching with LIKE would see them too.
    "exact-dimensions": ("OK", {**plain("Errors", Stage="a"), "Threshold": 100}),
    "other-dimensions": ("INSUFFICIENT_DATA", {**plain("Errors", Stage="a", Env="x"), "Threshold": 1}),
    "no-dimensions": ("INSUFFICIENT_DATA", {**plain("Errors"), "Threshold": 1}),
    "unit": ("ALARM", {**plain("Errors", Stage="a"), "Unit": "Count", "Threshold": 5}),
    "other-unit": ("INSUFFICIENT_DATA", {**plain("Errors", Stage="a"), "Unit": "Bytes", "Threshold": 5}),
    "p99-high": ("ALARM", {**plain("Latency", "p99", Stage="a"), "Threshold": 500}),
    "p50-low": ("OK", {**plain("Latency", "p50", Stage="a"), "Threshold": 500}),
    "p99-few-samples": (
        "INSUFFICIENT_DATA",  # 100 samples, 1,000 are needed: the first state is kept
        {**plain("Latency", "p99", Stage="a"), "Threshold": 500, "EvaluateLowSampleCountPercentile": "ignore"},
    ),
    "ratio": ("ALARM", {**math("IF(r >= 50, 100 * e / r, 0)", e=ERRORS, r=REQUESTS), "Threshold": 5}),
    "ratio-gated": ("OK", {**math("IF(r >= 500, 100 * e / r, 0)", e=ERRORS, r=REQUESTS), "Threshold": 5}),
    "fill": ("ALARM", {**math("FILL(n, 0) + 9 * (e > 0)", n=SILENT, e=ERRORS), "Threshold": 5}),
    "fill-silent": (
        "ALARM",
        {**math("FILL(n, 0)", n=SILENT), "Threshold": 1, "ComparisonOperator": "LessThanThreshold"},
    ),
    "fill-repeat": ("ALARM", {**math("FILL(e, REPEAT)", e=ERRORS), "Threshold": 5}),
    "expression-on-expression": (
        "ALARM",
        {**math("double / 2", e=ERRORS, double=inner("e * 2")), "Threshold": 5},
    ),
    "sum-of-array": ("ALARM", {**math("SUM([e, r])", e=ERRORS, r=REQUESTS), "Threshold": 107}),
    "max-of-metrics": ("ALARM", {**math("MAX(METRICS())", e=ERRORS, r=REQUESTS), "Threshold": 99}),
    "p99-inside-math": ("ALARM", {**math("IF(l > 500 AND r > 0, l, 0)", l=P99, r=REQUESTS), "Threshold": 500}),
    "2-of-3": (
        "ALARM",
        {**plain("History", Case="two-of-three"), "Threshold": 5, "EvaluationPeriods": 3, "DatapointsToAlarm": 2},
    ),
    "3-of-3": ("OK", {**plain("History", Case="two-of-three"), "Threshold": 5, "EvaluationPeriods": 3}),
    "missing-missing": ("INSUFFICIENT_DATA", {**plain("Nobody"), "Threshold": 1, "TreatMissingData": "missing"}),
    "missing-ignore": ("INSUFFICIENT_DATA", {**plain("Nobody"), "Threshold": 1, "TreatMissingData": "ignore"}),
    "missing-breaching": ("ALARM", {**plain("Nobody"), "Threshold": 1, "TreatMissingData": "breaching"}),
    "missing-not": ("OK", {**plain("Nobody"), "Threshold": 1, "TreatMissingData": "notBreaching"}),
}

COMPOSITES = {
    "and": ("ALARM", "ALARM(sum) AND ALARM(p99-high)"),
    "and-false": ("OK", "ALARM(sum) AND ALARM(sum-below)"),
    "and-not": ("ALARM", "ALARM(sum) AND NOT ALARM(sum-below)"),
    "suppressed-by-not": ("OK", "ALARM(sum) AND NOT ALARM(p99-high)"),
    "parentheses": ("OK", "(ALARM(sum) OR ALARM(ratio)) AND ALARM(p50-low)"),
    "without-parentheses": ("ALARM", "ALARM(sum) OR ALARM(ratio) AND ALARM(p50-low)"),
    "by-arn": ("ALARM", 'ALARM("arn:aws:cloudwatch:us-east-1:000000000000:alarm:sum")'),
    "constant": ("ALARM", "TRUE"),
    "a-nested": ("ALARM", 'ALARM("z-inner") AND INSUFFICIENT_DATA(missing-missing)'),
    "z-inner": ("ALARM", "ALARM(and) AND OK(and-false)"),
    "a-circle": ("INSUFFICIENT_DATA", "ALARM(z-circle)"),
    "z-circle": ("INSUFFICIENT_DATA", "ALARM(a-circle)"),
    "child-missing": ("INSUFFICIENT_DATA", "ALARM(sum) OR ALARM(there-is-none)"),
}


def data(name: str, values: list[float], counts: list[float], at: datetime, **dims: str) -> dict[str, Any]:
    named = {"MetricName": name, "Dimensions": dimensions(**dims), "Timestamp": at, "Unit": "Count"}
    return {**named, "Values": values, "Counts": counts}


@pytest.fixture(scope="module")
def topic(localstack: LocalStack) -> str:
    arn: str = localstack.client("sns").create_topic(Name="alarms")["TopicArn"]
    return arn


@pytest.fixture(scope="module")
def pages(localstack: LocalStack, topic: str) -> "Pages":
    sqs = localstack.client("sqs")
    url = sqs.create_queue(QueueName="alarms-pages")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    localstack.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    return Pages(sqs, url)


class Pages:
    """The messages on the queue so far, by alarm and new state."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs, self._url = sqs, url
        self._seen: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def read(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for m in messages:
                page = json.loads(m["Body"])
                self._seen.setdefault((page["AlarmName"], page["NewStateValue"]), []).append(page)
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=m["ReceiptHandle"])
        return self._seen

    def wait(self, alarm: str, state: str) -> dict[str, Any]:
        key = (alarm, state)
        wait_until(lambda: key in self.read(), DEADLINE, lambda: sorted(self._seen))
        return self._seen[key][-1]


def states(cloudwatch: Any) -> dict[str, str]:
    found = cloudwatch.describe_alarms()
    return {a["AlarmName"]: a["StateValue"] for a in [*found["MetricAlarms"], *found["CompositeAlarms"]]}


@pytest.fixture(scope="module")
def reached(localstack: LocalStack, topic: str, pages: Pages) -> float:
    """All alarms are put, and have reached their states; how many seconds it took."""
    cloudwatch = localstack.client("cloudwatch")
    now = datetime.now(UTC).replace(second=0) - timedelta(seconds=30)  # in the minute that has ended
    cloudwatch.put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            data("Errors", [1, 2], [4, 2], now, Stage="a"),
            data("Errors", [500], [1], now, Stage="ab"),
            data("Requests", [100], [1], now, Stage="a"),
            data("Latency", [10, 800], [98, 2], now, Stage="a"),
            data("History", [9], [1], now - timedelta(minutes=2), Case="two-of-three"),
            data("History", [0], [1], now - timedelta(minutes=1), Case="two-of-three"),
            data("History", [9], [1], now, Case="two-of-three"),
        ],
    )
    defaults = {
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": [topic],
        "OKActions": [topic],
    }
    start = time.monotonic()
    for name, rule in COMPOSITES.items():
        cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=rule[1], AlarmActions=[topic])
    for name, (_, definition) in METRIC_ALARMS.items():
        cloudwatch.put_metric_alarm(AlarmName=name, **{**defaults, **definition})
    # A put that did not end in a state of its own has had its turn once a later one has.
    wanted = {name: state for name, (state, _) in (METRIC_ALARMS | COMPOSITES).items()}

    def wrong() -> dict[str, str]:
        return {n: s for n, s in states(cloudwatch).items() if n in wanted and s != wanted[n]}

    wait_until(lambda: not wrong(), DEADLINE, wrong)
    return time.monotonic() - start


@pytest.mark.parametrize("name", [*METRIC_ALARMS, *COMPOSITES])
def test_state(localstack: LocalStack, reached: float, name: str) -> None:
    wanted = (METRIC_ALARMS | COMPOSITES)[name][0]
    assert states(localstack.client("cloudwatch"))[name] == wanted


def test_a_page_has_the_shape_of_awss(reached: float, pages: Pages, topic: str) -> None:
    page = pages.wait("p99-high", "ALARM")
    assert page["OldStateValue"] == "INSUFFICIENT_DATA"
    assert page["AlarmActions"] == [topic]
    assert page["NewStateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoint [800.0 (")
    assert "was greater than the threshold (500.0)" in page["NewStateReason"]
    assert page["Trigger"]["ExtendedStatistic"] == "p99"
    assert page["Trigger"]["Dimensions"] == [{"name": "Stage", "value": "a"}]


def test_the_page_of_a_metric_math_alarm_has_its_queries(reached: float, pages: Pages) -> None:
    trigger = pages.wait("ratio", "ALARM")["Trigger"]
    by_id = {q["Id"]: q for q in trigger["Metrics"]}
    assert by_id["result"]["Expression"] == "IF(r >= 50, 100 * e / r, 0)"
    assert by_id["e"]["MetricStat"]["Metric"]["Dimensions"] == [{"name": "Stage", "value": "a"}]
    assert by_id["e"]["ReturnData"] is False
    assert "MetricName" not in trigger


def test_the_page_of_a_composite_alarm_names_its_child(reached: float, pages: Pages) -> None:
    page = pages.wait("and-not", "ALARM")
    assert page["TriggeringChildren"][0]["Arn"].endswith(":alarm:sum")
    assert ":alarm:sum transitioned to ALARM at " in page["NewStateReason"]


def test_each_change_pages_once(reached: float, pages: Pages) -> None:
    pages.wait("and", "ALARM")
    assert {key: len(found) for key, found in pages.read().items() if len(found) > 1} == {}


def test_an_alarm_comes_back_to_ok_and_says_so(localstack: LocalStack, topic: str, pages: Pages) -> None:
    cloudwatch = localstack.client("cloudwatch")
    definition = {**plain("Gauge", "Maximum", Case="recovers"), "Period": 10, "Threshold": 5}
    cloudwatch.put_metric_alarm(
        AlarmName="recovers", EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic], OKActions=[topic], **definition,
    )  # fmt: skip

    def put(value: float) -> None:
        named = {"MetricName": "Gauge", "Dimensions": dimensions(Case="recovers"), "Value": value}
        cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[named])

    put(9)
    pages.wait("recovers", "ALARM")

    def back() -> bool:
        put(1)
        return ("recovers", "OK") in pages.read()

    wait_until(back, DEADLINE)
    history = cloudwatch.describe_alarm_history(
        AlarmName="recovers", StartDate=datetime.now(UTC) - timedelta(minutes=5)
    )["AlarmHistoryItems"]
    assert [h["HistorySummary"] for h in history] == [
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        "Alarm updated from ALARM to OK",
    ]
    assert history[0]["Timestamp"] < history[1]["Timestamp"]


def test_an_update_leaves_the_state(localstack: LocalStack, reached: float) -> None:
    cloudwatch = localstack.client("cloudwatch")
    before = cloudwatch.describe_alarms(AlarmNames=["sum"])["MetricAlarms"][0]
    definition = {**METRIC_ALARMS["sum"][1], "AlarmDescription": "changed"}
    cloudwatch.put_metric_alarm(
        AlarmName="sum", EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold", **definition
    )
    after = cloudwatch.describe_alarms(AlarmNames=["sum"])["MetricAlarms"][0]
    assert after["AlarmDescription"] == "changed"
    assert after["StateValue"] == before["StateValue"] == "ALARM"
    assert after["StateUpdatedTimestamp"] == before["StateUpdatedTimestamp"]


def test_set_alarm_state_moves_the_composite_at_once(localstack: LocalStack, topic: str, pages: Pages) -> None:
    cloudwatch = localstack.client("cloudwatch")
    cloudwatch.put_composite_alarm(AlarmName="of-silent", AlarmRule="ALARM(silent)", AlarmActions=[topic])
    definition = {**plain("Nobody", Case="set"), "Threshold": 1, "TreatMissingData": "ignore"}
    cloudwatch.put_metric_alarm(
        AlarmName="silent", EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold", **definition
    )
    cloudwatch.set_alarm_state(AlarmName="silent", StateValue="ALARM", StateReason="a test of the page")
    assert states(cloudwatch)["of-silent"] == "ALARM"
    pages.wait("of-silent", "ALARM")


def test_a_suppressed_composite_alarm_does_not_page(localstack: LocalStack, topic: str, pages: Pages) -> None:
    cloudwatch = localstack.client("cloudwatch")
    ignore = {**plain("Nobody", Case="suppress"), "Threshold": 1, "TreatMissingData": "ignore"}
    for name in ("deploying", "failing"):
        cloudwatch.put_metric_alarm(
            AlarmName=name, EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold", **ignore
        )
    cloudwatch.put_composite_alarm(
        AlarmName="muted", AlarmRule="ALARM(failing)", AlarmActions=[topic], ActionsSuppressor="deploying",
        ActionsSuppressorWaitPeriod=1, ActionsSuppressorExtensionPeriod=1,
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="deploying", StateValue="ALARM", StateReason="test")
    cloudwatch.set_alarm_state(AlarmName="failing", StateValue="ALARM", StateReason="test")
    muted = cloudwatch.describe_alarms(AlarmNames=["muted"])["CompositeAlarms"][0]
    assert (muted["StateValue"], muted["ActionsSuppressedBy"]) == ("ALARM", "Alarm")
    assert ("muted", "ALARM") not in pages.read()
    cloudwatch.set_alarm_state(AlarmName="deploying", StateValue="OK", StateReason="test")
    pages.wait("muted", "ALARM")


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ({**math("e +", e=ERRORS)}, "expression 'result': expected a number"),
        ({**math("x / y", e=ERRORS)}, "there is no metric or expression with the id 'x'"),
        ({**math("SEARCH('{a}', 'Sum')", e=ERRORS)}, "SEARCH is not supported"),
        ({**plain("Errors"), "EvaluationPeriods": 2, "DatapointsToAlarm": 3}, "1 <= M <= N"),
        ({**plain("Errors", "tm99"), "Statistic": None, "ExtendedStatistic": "tm99"}, "'tm99' is not supported"),
    ],
)
def test_an_alarm_that_cannot_be_evaluated_is_refused(
    localstack: LocalStack, definition: dict[str, Any], says: str
) -> None:
    given = {k: v for k, v in definition.items() if v is not None}
    request = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 1, **given}
    with pytest.raises(ClientError) as e:
        localstack.client("cloudwatch").put_metric_alarm(AlarmName="refused", **request)
    assert e.value.response["Error"]["Code"] == "ValidationError"
    assert says in e.value.response["Error"]["Message"]


def test_a_rule_that_cannot_be_read_is_refused(localstack: LocalStack) -> None:
    with pytest.raises(ClientError, match="AlarmRule: expected AND, OR or the end at character 10"):
        localstack.client("cloudwatch").put_composite_alarm(AlarmName="refused", AlarmRule="ALARM(a) XOR ALARM(b)")


def test_what_is_not_evaluated_is_said_once(localstack: LocalStack, reached: float) -> None:
    def complaints() -> list[str]:
        return [line for line in localstack.log.read_text().splitlines() if "not evaluated" in line]

    wait_until(lambda: len(complaints()) >= 3, DEADLINE)
    for name, says in (("a-circle", "leads back to itself"), ("child-missing", "no alarm 'there-is-none'")):
        assert len([c for c in complaints() if repr(name) in c and says in c]) == 1
