"""LocalStack's extension points for event source mappings without a poller of its own: Kafka."""

from typing import Any

from localstack.services.lambda_ import hooks

from .mapping import InvalidMappingError, Mapping, parse_mapping

_KAFKA = ("", "kafka")  # the service in the source's ARN; self-managed clusters have no ARN


@hooks.set_event_source_config_defaults()
def set_defaults(params: dict[str, Any], request: dict[str, Any], service: str) -> None:
    """What Lambda fills in where a request leaves it out; refuses what cannot be polled."""
    if service not in _KAFKA:
        return
    kind = "AmazonManagedKafkaEventSourceConfig" if service else "SelfManagedKafkaEventSourceConfig"
    params.update(
        {
            "BatchSize": 100,
            "DestinationConfig": {"OnFailure": {}},
            "LastProcessingResult": "No records processed",
            kind: {"ConsumerGroupId": params["UUID"]},
        }
    )
    _parse({**params, **request, "FunctionArn": ""})


@hooks.create_event_source_poller()
def create_poller(holder: Any, service: str, esm: dict[str, Any]) -> None:
    """Gives LocalStack's worker a poller for the mapping."""
    if service not in _KAFKA:
        return
    # Imported when a mapping is made: it loads the Kafka client.
    from .adapter import KafkaPoller  # noqa: PLC0415

    mapping = _parse(esm)
    holder.create_poller_fn = lambda processor, **_: KafkaPoller(mapping, processor)


def _parse(esm: dict[str, Any]) -> Mapping:
    from localstack.aws.api.lambda_ import InvalidParameterValueException  # noqa: PLC0415

    try:
        return parse_mapping(esm)
    except InvalidMappingError as error:
        raise InvalidParameterValueException(str(error), Type="User") from error
