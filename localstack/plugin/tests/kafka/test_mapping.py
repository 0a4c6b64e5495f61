from datetime import UTC, datetime
from typing import Any

import pytest

from millrace_localstack.kafka.mapping import BOOTSTRAP_ENV, InvalidMappingError, Start, parse_mapping
from millrace_localstack.kafka.record import Source

ARN = "arn:aws:kafka:us-east-1:000000000000:cluster/c/1"
OTHER = "arn:aws:kafka:us-east-1:000000000000:cluster/d/1"
WHEN = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
QUEUE = "arn:aws:sqs:us-east-1:000000000000:failed"


def esm(**members: Any) -> dict[str, Any]:
    source = (
        {}
        if "EventSourceArn" in members
        else {"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a:1", "b:2"]}}}
    )
    return {"UUID": "id", "FunctionArn": "function", "Topics": ["t"], **source, **members}


def test_defaults() -> None:
    mapping = parse_mapping(esm(), {})
    assert mapping.source == Source("a:1,b:2")
    assert (mapping.batch_size, mapping.window, mapping.group) == (100, 0.5, "id")
    assert (mapping.max_retries, mapping.max_age, mapping.start) == (-1, -1, Start.OLDEST)


def test_a_window_of_nought_is_not_the_default() -> None:
    assert parse_mapping(esm(MaximumBatchingWindowInSeconds=0), {}).window == 0


def test_cloudformation_spells_the_endpoints_differently() -> None:
    source = {"Endpoints": {"KafkaBootstrapServers": ["c:3"]}}
    assert parse_mapping(esm(SelfManagedEventSource=source), {}).source == Source("c:3")


def test_endless_retries_end_at_ten_with_a_destination() -> None:
    config = {"OnFailure": {"Destination": QUEUE}}
    assert parse_mapping(esm(DestinationConfig=config), {}).max_retries == 10
    assert parse_mapping(esm(DestinationConfig=config, MaximumRetryAttempts=0), {}).max_retries == 0
    assert parse_mapping(esm(DestinationConfig={"OnFailure": {}}), {}).max_retries == -1


@pytest.mark.parametrize("at", [WHEN, WHEN.replace(tzinfo=None), 1_700_000_000, "1700000000"])
def test_the_start_is_in_milliseconds(at: object) -> None:
    mapping = parse_mapping(esm(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=at), {})
    assert (mapping.start, mapping.start_at) == (Start.TIMESTAMP, 1_700_000_000_000)


@pytest.mark.parametrize(
    ("setting", "arn", "servers"),
    [
        ("x:1", ARN, "x:1"),
        (f"{ARN}=y:2,z:3", ARN, "y:2,z:3"),
        (f"x:1 {ARN}=y:2", ARN, "y:2"),
        (f"{ARN}=y:2 x:1", OTHER, "x:1"),
    ],
)
def test_where_an_msk_cluster_is(setting: str, arn: str, servers: str) -> None:
    assert parse_mapping(esm(EventSourceArn=arn), {BOOTSTRAP_ENV: setting}).source == Source(servers, arn)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"Topics": []}, "Topics"),
        ({"StartingPosition": "EARLIEST"}, "TRIM_HORIZON, LATEST, AT_TIMESTAMP"),
        ({"StartingPosition": "AT_TIMESTAMP"}, "StartingPositionTimestamp"),
        ({"EventSourceArn": ARN}, BOOTSTRAP_ENV),
        ({"SelfManagedEventSource": {"Endpoints": {}}}, "KAFKA_BOOTSTRAP_SERVERS"),
        ({"DestinationConfig": {"OnFailure": {"Destination": "kafka://failed"}}}, "only SQS"),
    ],
)
def test_what_is_wrong_is_said(members: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidMappingError, match=message):
        parse_mapping(esm(**members), {BOOTSTRAP_ENV: f"{OTHER}=x:1"})
