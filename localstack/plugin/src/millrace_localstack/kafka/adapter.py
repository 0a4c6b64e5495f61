"""Makes a mapping's poller out of its parts, in the form in which LocalStack's worker drives it."""

from localstack.services.lambda_.event_source_mapping.event_processor import EventProcessor
from localstack.services.lambda_.event_source_mapping.pollers.poller import EmptyPollResultsException, Poller

from .access import security_settings
from .consumer import GroupConsumer
from .filters import Filters
from .lambda_target import LambdaTarget
from .mapping import Mapping
from .poller import MappingPoller


class KafkaPoller(Poller):
    """LocalStack's worker calls poll_events again and again, and close at the end, from one thread."""

    def __init__(self, mapping: Mapping, processor: EventProcessor) -> None:
        super().__init__(processor=processor)  # not used: it knows nothing of Kafka's partial responses
        target = LambdaTarget(mapping)
        self._source = mapping.source
        self._poller = MappingPoller(
            mapping,
            connect=lambda lost: GroupConsumer(
                mapping, security_settings(mapping.access, target.read_secret), lost
            ),
            target=target,
            accepts=Filters(mapping.filters).accepts,
        )

    def event_source(self) -> str:
        return self._source.name

    def poll_events(self) -> None:
        # The worker's loop dies of any other exception where a source has no ARN; of this one it takes a rest.
        if not self._poller.step():
            raise EmptyPollResultsException(service="kafka", source_arn=self._source.bootstrap_servers)

    def close(self) -> None:
        self._poller.close()
