"""Patches of how LocalStack writes and reads metrics."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.api.lambda_ import TooManyRequestsException
from localstack.services.cloudwatch.cloudwatch_database_helper import CloudwatchDatabase
from localstack.services.cloudwatch.provider_v2 import CloudwatchProvider, ValidationException
from localstack.services.lambda_.invocation import version_manager
from localstack.services.lambda_.invocation.version_manager import LambdaVersionManager
from localstack.services.logs.provider import LogsProvider
from localstack.services.sqs.models import sqs_stores
from localstack.services.sqs.provider import CloudwatchPublishWorker
from localstack.utils.patch import Patch, patch

from millrace_localstack.cloudwatch import awsmetrics, emf, queries, reads
from millrace_localstack.cloudwatch.datum import Datum
from millrace_localstack.cloudwatch.queries import QueryError
from millrace_localstack.cloudwatch.running import RunningService, store_of
from millrace_localstack.cloudwatch.stats import Samples
from millrace_localstack.cloudwatch.store import MetricStore

LOG = logging.getLogger(__name__)


def apply(service: RunningService) -> None:
    """Puts the patches in place."""
    _writes()
    _reads()
    _logs(service)
    _lambda(service)
    _sqs(service)


def _writes() -> None:
    @patch(CloudwatchDatabase.add_metric_data)
    def add_metric_data(
        _add: Any, self: CloudwatchDatabase, account_id: str, region: str, namespace: str, metric_data: Any
    ) -> None:
        """LocalStack opens a transaction per datum and writes a value with a count of 1,000
        as 1,000 rows."""
        MetricStore(self, account_id, region).write(_datum(namespace, d) for d in metric_data or ())


def _datum(namespace: str, source: Any) -> Datum:
    timestamp = source.get("Timestamp")
    metric = queries.metric({**source, "Namespace": namespace})
    return Datum(
        namespace,
        metric.name,
        metric.dimensions,
        int(timestamp.timestamp() if timestamp else time.time()),
        source.get("Unit"),
        source.get("StorageResolution"),
        tuple(_samples(source)),
    )


def _samples(source: Any) -> Iterator[Samples]:
    values = source.get("Values") or ([] if source.get("Value") is None else [source["Value"]])
    counts = source.get("Counts") or [1] * len(values)
    for value, count in zip(values, counts, strict=True):  # LocalStack has checked their lengths
        yield Samples(count, value * count, value, value)
    if s := source.get("StatisticValues"):
        yield Samples(s["SampleCount"], s["Sum"], s["Minimum"], s["Maximum"])


def _reads() -> None:
    @patch(CloudwatchProvider.get_metric_data)
    def get_metric_data(
        _get: Any,
        self: CloudwatchProvider,
        context: RequestContext,
        metric_data_queries: Sequence[Any],
        start_time: Any,
        end_time: Any,
        *_: Any,
        scan_by: str | None = None,
        **__: Any,
    ) -> dict[str, Any]:
        """LocalStack knows no expressions and no percentiles, and matches dimensions with
        LIKE. Everything is returned at once: there is no NextToken."""
        store = store_of(self, context.account_id, context.region)
        ascending = scan_by == "TimestampAscending"
        try:
            results = reads.metric_data(store, metric_data_queries, start_time, end_time, ascending=ascending)
        except QueryError as e:
            raise ValidationException(str(e)) from None
        return {"MetricDataResults": results, "Messages": []}

    @patch(CloudwatchProvider.get_metric_statistics)
    def get_metric_statistics(
        _get: Any,
        self: CloudwatchProvider,
        context: RequestContext,
        namespace: str,
        metric_name: str,
        start_time: Any,
        end_time: Any,
        period: int,
        dimensions: Any = None,
        statistics: Sequence[str] | None = None,
        extended_statistics: Sequence[str] | None = None,
        unit: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """As above; and LocalStack ignores ExtendedStatistics."""
        source = {"Namespace": namespace, "MetricName": metric_name, "Dimensions": dimensions}
        wanted = [*(statistics or ()), *(extended_statistics or ())]
        store = store_of(self, context.account_id, context.region)
        try:
            points = reads.metric_statistics(
                store, queries.metric(source, unit), wanted, period, start_time, end_time
            )
        except QueryError as e:
            raise ValidationException(str(e)) from None
        return {"Datapoints": points, "Label": metric_name}


def _logs(service: RunningService) -> None:
    @patch(LogsProvider.put_log_events)
    def put_log_events(
        put: Any,
        self: LogsProvider,
        context: RequestContext,
        log_group_name: str,
        log_stream_name: str,
        log_events: Sequence[Any],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """LocalStack does not extract metrics from logs (localstack/localstack#10397)."""
        answer = put(self, context, log_group_name, log_stream_name, log_events, *args, **kwargs)
        data: list[Datum] = []
        for event in log_events:
            found = emf.extract(event["message"])
            data.extend(found.data)
            for problem in found.problems:
                LOG.warning("embedded metric format, log group %s: %s", log_group_name, problem)
        if data and (store := service.store(context.account_id, context.region)):
            store.write(data)
        return answer


def _lambda(service: RunningService) -> None:
    running = awsmetrics.Running()

    @contextmanager
    def measured(manager: LambdaVersionManager, invocation: Any) -> Iterator[list[bool]]:
        """Yields a list whose element the caller replaces: whether the function failed."""
        outcome, throttled, start = [True], False, time.monotonic()
        concurrent = running.begin(manager.function_arn)
        try:
            yield outcome
        except TooManyRequestsException:
            throttled = True
            raise
        finally:
            running.end(manager.function_arn)
            function = manager.function_version.id
            done = awsmetrics.Invocation(
                function=function.function_name,
                qualifier=_qualifier(invocation.invoked_arn),
                error=outcome[0],
                throttled=throttled,
                milliseconds=(time.monotonic() - start) * 1000,
                concurrent=concurrent,
            )
            if store := service.store(function.account, function.region):
                store.write(awsmetrics.invocation_data(done, int(time.time())))

    @patch(LambdaVersionManager.invoke)
    def invoke(invoke: Any, self: LambdaVersionManager, *, invocation: Any) -> Any:
        """LocalStack writes neither Duration, Throttles nor ConcurrentExecutions, nothing by
        alias, and Errors only where there is one."""
        with measured(self, invocation) as outcome:
            result = invoke(self, invocation=invocation)
            outcome[0] = result.is_error
            return result

    # Its own two metrics would be counted twice; each takes a thread and an API call.
    for name in ("record_cw_metric_error", "record_cw_metric_invocation"):
        Patch(version_manager, name, lambda *_, **__: None).apply()


def _qualifier(arn: str) -> str | None:
    """The alias or version of arn:aws:lambda:region:account:function:name[:qualifier]."""
    parts = arn.split(":", 7)
    return parts[7] if len(parts) == 8 else None


def _sqs(service: RunningService) -> None:
    @patch(CloudwatchPublishWorker.publish_approximate_cloudwatch_metrics)
    def publish(publish: Any, self: CloudwatchPublishWorker) -> None:
        """LocalStack lacks ApproximateAgeOfOldestMessage. Written as often as its others
        (SQS_CLOUDWATCH_METRICS_REPORT_INTERVAL)."""
        publish(self)
        for account, region, queues in list(sqs_stores.iter_stores()):
            ages = [awsmetrics.age_datum(queue, time.time()) for queue in list(queues.queues.values())]
            if ages and (store := service.store(account, region)):
                store.write(ages)
