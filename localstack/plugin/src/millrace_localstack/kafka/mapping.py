"""The settings of one event source mapping, read from LocalStack's configuration of it."""

import os
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from .record import Source

BOOTSTRAP_ENV = "MILLRACE_KAFKA_BOOTSTRAP"
"""Where MSK clusters are: SERVERS for all of them, or ARN=SERVERS for some, separated by blanks."""

MAX_RETRIES_WITH_DESTINATION = 10
"""What Lambda makes of endless retries once there is an on-failure destination."""

_DEFAULT_WINDOW = 0.5


class Start(StrEnum):
    """Where a consumer group without committed offsets begins."""

    OLDEST = "TRIM_HORIZON"
    NEWEST = "LATEST"
    TIMESTAMP = "AT_TIMESTAMP"


class InvalidMappingError(ValueError):
    """The mapping cannot be polled; the message says why."""


@dataclass(frozen=True)
class Mapping:
    """A Kafka event source mapping.

    window is in seconds; start_at in milliseconds of Unix time, with Start.TIMESTAMP; max_retries and max_age
    (seconds) are -1 where there is no limit; destination is the on-failure destination's ARN or empty; access is
    the list of SourceAccessConfigurations as (type, URI).
    """

    uuid: str
    function_arn: str
    source: Source
    topics: tuple[str, ...]
    group: str
    batch_size: int = 100
    window: float = _DEFAULT_WINDOW
    start: Start = Start.OLDEST
    start_at: int = 0
    filters: tuple[str, ...] = ()
    partial_response: bool = False
    bisect: bool = False
    max_retries: int = -1
    max_age: int = -1
    destination: str = ""
    access: tuple[tuple[str, str], ...] = ()


def parse_mapping(esm: Dict[str, Any], env: Dict[str, str] = os.environ) -> Mapping:
    """Reads an EventSourceMappingConfiguration; InvalidMappingError says what is wrong with it."""
    if not esm.get("Topics"):
        raise InvalidMappingError("Topics is missing: a Kafka event source needs one")
    group = esm.get("SelfManagedKafkaEventSourceConfig") or esm.get("AmazonManagedKafkaEventSourceConfig") or {}
    window = esm.get("MaximumBatchingWindowInSeconds")
    start, start_at = _start(esm)
    destination = _destination(esm)
    retries = _number(esm, "MaximumRetryAttempts", -1)
    if destination and retries < 0:
        retries = MAX_RETRIES_WITH_DESTINATION
    return Mapping(
        uuid=esm["UUID"],
        function_arn=esm["FunctionArn"],
        source=_source(esm, env),
        topics=tuple(esm["Topics"]),
        group=group.get("ConsumerGroupId") or esm["UUID"],
        batch_size=_number(esm, "BatchSize", 100),
        window=_DEFAULT_WINDOW if window is None else float(window),
        start=start,
        start_at=start_at,
        filters=tuple(f["Pattern"] for f in (esm.get("FilterCriteria") or {}).get("Filters") or []),
        partial_response="ReportBatchItemFailures" in (esm.get("FunctionResponseTypes") or []),
        bisect=bool(esm.get("BisectBatchOnFunctionError")),
        max_retries=retries,
        max_age=_number(esm, "MaximumRecordAgeInSeconds", -1),
        destination=destination,
        access=tuple((a["Type"], a["URI"]) for a in esm.get("SourceAccessConfigurations") or []),
    )


def _number(esm: Dict[str, Any], name: str, default: int) -> int:
    value = esm.get(name)
    return default if value is None else int(value)


def _start(esm: Dict[str, Any]) -> tuple[Start, int]:
    try:
        start = Start(esm.get("StartingPosition") or Start.OLDEST)
    except ValueError:
        raise InvalidMappingError(
            f"StartingPosition {esm['StartingPosition']} is none of {', '.join(Start)}"
        ) from None
    if start is not Start.TIMESTAMP:
        return start, 0
    at = esm.get("StartingPositionTimestamp")
    if at is None:
        raise InvalidMappingError("StartingPosition AT_TIMESTAMP needs StartingPositionTimestamp")
    if isinstance(at, datetime):
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return start, int(float(at) * 1000)


def _destination(esm: Dict[str, Any]) -> str:
    arn: str = ((esm.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination") or ""
    if arn and arn.split(":")[2:3] not in (["sqs"], ["sns"]):
        raise InvalidMappingError(f"on-failure destination {arn}: only SQS queues and SNS topics can be used here")
    return arn


def _source(esm: Dict[str, Any], env: Dict[str, str]) -> Source:
    arn = esm.get("EventSourceArn") or ""
    if arn:
        return Source(_msk_servers(arn, env.get(BOOTSTRAP_ENV, "")), arn)
    endpoints = (esm.get("SelfManagedEventSource") or {}).get("Endpoints") or {}
    # The API says KAFKA_BOOTSTRAP_SERVERS, CloudFormation KafkaBootstrapServers; LocalStack passes on either.
    servers = endpoints.get("KAFKA_BOOTSTRAP_SERVERS") or endpoints.get("KafkaBootstrapServers")
    if not servers:
        raise InvalidMappingError("SelfManagedEventSource has no Endpoints KAFKA_BOOTSTRAP_SERVERS")
    return Source(",".join(servers))


def _msk_servers(arn: str, setting: str) -> str:
    default = ""
    for entry in setting.split():
        name, equals, servers = entry.rpartition("=")
        if not equals:
            default = servers
        elif name == arn:
            return servers
    if not default:
        raise InvalidMappingError(
            f"{BOOTSTRAP_ENV} does not say where {arn} is: set it to HOST:PORT or ARN=HOST:PORT"
        )
    return default
