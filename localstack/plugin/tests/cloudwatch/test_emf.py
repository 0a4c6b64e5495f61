"""emf: what CloudWatch takes from a log line, and what it drops."""

import json
from typing import Any

import pytest

from millrace_localstack.cloudwatch.datum import Datum
from millrace_localstack.cloudwatch.emf import UNITS, extract
from millrace_localstack.cloudwatch.stats import Samples

AWS_EXAMPLE = """{
  "_aws": {"Timestamp": 1574109732004, "CloudWatchMetrics": [{
    "Namespace": "lambda-function-metrics", "Dimensions": [["functionVersion"]],
    "Metrics": [{"Name": "time", "Unit": "Milliseconds", "StorageResolution": 60}]}]},
  "functionVersion": "$LATEST", "time": 100, "requestId": "989ffbf8-9ace-4817-a57c-e4dd734019ee"}"""


def document(members: dict[str, Any], **directive: Any) -> str:
    directive = {"Namespace": "N", "Dimensions": [["Stage"]], "Metrics": [{"Name": "m"}]} | directive
    root = {"_aws": {"Timestamp": 1_700_000_000_999, "CloudWatchMetrics": [directive]}, "Stage": "ingest"}
    return json.dumps(root | members)


def one(line: str) -> Datum:
    found = extract(line)
    assert found.problems == []
    assert len(found.data) == 1
    return found.data[0]


def problem(line: str) -> str:
    found = extract(line)
    assert found.data == []
    assert len(found.problems) == 1
    return found.problems[0]


def test_the_example_of_the_specification() -> None:
    assert one(AWS_EXAMPLE) == Datum(
        "lambda-function-metrics",
        "time",
        (("functionVersion", "$LATEST"),),
        1574109732,
        "Milliseconds",
        60,
        (Samples(1, 100, 100, 100),),
    )


def test_an_array_of_values() -> None:
    assert one(document({"m": [1, 2.5, 1]})).samples == (
        Samples(1, 1, 1, 1),
        Samples(1, 2.5, 2.5, 2.5),
        Samples(1, 1, 1, 1),
    )


def test_a_histogram() -> None:
    assert one(document({"m": {"Values": [10, 20], "Counts": [3, 1]}})).samples == (
        Samples(3, 30, 10, 10),
        Samples(1, 20, 20, 20),
    )


@pytest.mark.parametrize(
    "target",
    [
        {"Max": 9, "Min": 1, "Sum": 20, "Count": 4},
        {"Maximum": 9, "Minimum": 1, "Sum": 20, "SampleCount": 4},
    ],
)
def test_a_statistic_set(target: dict[str, float]) -> None:
    assert one(document({"m": target})).samples == (Samples(4, 20, 1, 9),)


def test_each_dimension_set_is_a_metric_and_the_order_of_names_does_not_matter() -> None:
    found = extract(document({"m": 1, "Env": "prod"}, Dimensions=[[], ["Stage", "Env"]]))
    assert [d.dimensions for d in found.data] == [(), (("Env", "prod"), ("Stage", "ingest"))]


def test_several_directives() -> None:
    root = json.loads(document({"m": 1, "n": 2}))
    root["_aws"]["CloudWatchMetrics"].append({"Namespace": "O", "Dimensions": [[]], "Metrics": [{"Name": "n"}]})
    assert [(d.namespace, d.name) for d in extract(json.dumps(root)).data] == [("N", "m"), ("O", "n")]


def test_storage_resolution() -> None:
    assert one(document({"m": 1}, Metrics=[{"Name": "m", "StorageResolution": 1}])).storage_resolution == 1


def test_lambda_may_put_text_in_front_and_a_newline_behind() -> None:
    assert one("2026-11-24T03:00:00Z 8f5a2b3c INFO " + document({"m": 1}) + "\n").name == "m"


@pytest.mark.parametrize(
    "line",
    ["START RequestId: 1", "{}", '{"_aws": 1}', '{"_aws": {"Timestamp": 1}}', '{"text": "has _aws in it"}', ""],
)
def test_other_lines_are_silent(line: str) -> None:
    found = extract(line)
    assert (found.data, found.problems) == ([], [])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (document({"m": list(range(101))}), "101 values in one line, 100 are allowed"),
        (document({"m": 1}, Metrics=[{"Name": f"m{i}"} for i in range(101)]), "101 metrics in one directive"),
        (
            document({"m": 1} | {f"d{i}": "x" for i in range(31)}, Dimensions=[[f"d{i}" for i in range(31)]]),
            "31 dimen",
        ),
        (document({"m": 1, "pad": "x" * 1024 * 1024}), "more than 1048576 bytes"),
        (document({}), "'m' is defined, but the document has no such member"),
        (document({"m": "1"}), "'m': a value is not a finite number"),
        (document({"m": True}), "'m': a value is not a finite number"),
        (document({"m": [1, None]}), "'m': a value is not a finite number"),
        (document({"m": {"Values": [1], "Counts": [1, 2]}}), "'m': 1 Values but 2 Counts"),
        (document({"m": {"Values": [1], "Counts": [-1]}}), "'m': a count is not a number of at least 0"),
        (document({"m": {"Max": 1, "Min": 2, "Sum": 3, "Count": 2}}), "'m': neither"),
        (document({"m": {"Sum": 3}}), "'m': neither"),
        (document({"m": 1}, Dimensions=[["Tenant"]]), "dimension 'Tenant': its value must be a string"),
        (document({"m": 1, "Stage": 7}), "dimension 'Stage': its value must be a string"),
        (document({"m": 1, "Stage": ""}), "not 1 to 1024 printable ASCII"),
        (document({"m": 1, "Stage": "grün"}), "not 1 to 1024 printable ASCII"),
        (document({"m": 1}, Dimensions="Stage"), "Dimensions is not an array"),
        (document({"m": 1}, Metrics=[{"Name": "m", "Unit": "Furlongs"}]), "no unit 'Furlongs'"),
        (document({"m": 1}, Metrics=[{"Name": "m", "StorageResolution": 5}]), "StorageResolution must be 1 or 60"),
        (document({"m": 1}, Metrics=[{"Unit": "Count"}]), "a metric's Name must be a string"),
        (document({"m": 1}, Namespace=""), "Namespace must be a string of 1 to 255"),
        (document({"m": 1}).replace("1700000000999", '"now"'), "_aws.Timestamp"),
        (document({"m": 1})[:-1], "not valid JSON"),
        (document({"m": 1}) + " trailing", "not valid JSON"),
    ],
)
def test_what_cloudwatch_drops_silently_is_said(line: str, says: str) -> None:
    assert says in problem(line)


def test_a_bad_metric_does_not_take_its_neighbours_along() -> None:
    found = extract(document({"m": 1, "n": "x"}, Metrics=[{"Name": "n"}, {"Name": "m"}]))
    assert [d.name for d in found.data] == ["m"]
    assert len(found.problems) == 1


def test_units() -> None:
    assert {"Count", "Milliseconds", "Percent", "None", "Count/Second", "Gigabytes/Second"} <= UNITS
    assert len(UNITS) == 27  # API reference, MetricDatum
