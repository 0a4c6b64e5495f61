"""The CloudwatchProvider that runs, and the thread that evaluates its alarms."""

import threading
from collections.abc import Callable

from localstack.services.cloudwatch.provider_v2 import CloudwatchProvider
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.bootstrap import is_api_enabled

from millrace_localstack.cloudwatch.evaluator import Evaluator
from millrace_localstack.cloudwatch.store import MetricStore, make_indexes


class RunningService:
    """Knows the provider from its start to its stop. Safe for concurrent use."""

    def __init__(self, make: Callable[[CloudwatchProvider], Evaluator], interval: float) -> None:
        self._make = make
        self._interval = interval
        self._lock = threading.Lock()
        self._provider: CloudwatchProvider | None = None
        self._evaluator: Evaluator | None = None
        self._stop = threading.Event()

    def started(self, provider: CloudwatchProvider) -> None:
        """Begins to evaluate the provider's alarms."""
        make_indexes(provider.cloudwatch_database)
        with self._lock:
            self._provider, self._evaluator, self._stop = provider, self._make(provider), threading.Event()
            arguments = (self._stop, self._interval)
            threading.Thread(target=self._evaluator.run, args=arguments, name="alarms", daemon=True).start()

    def stopping(self) -> None:
        """Ends the evaluation; one that is under way is completed."""
        with self._lock:
            self._stop.set()
            self._provider = self._evaluator = None

    @property
    def evaluator(self) -> Evaluator | None:
        with self._lock:
            return self._evaluator

    def store(self, account: str, region: str) -> MetricStore | None:
        """The metrics of an account and region, for what is not called through CloudWatch's
        own API; None where CloudWatch is disabled. LocalStack loads a service at its first
        call, so this loads it."""
        if not is_api_enabled("cloudwatch"):
            return None
        SERVICE_PLUGINS.require("cloudwatch")
        with self._lock:
            return None if self._provider is None else store_of(self._provider, account, region)


def store_of(provider: CloudwatchProvider, account: str, region: str) -> MetricStore:
    """A provider's metrics. Not kept: a reset of LocalStack's state replaces the database."""
    return MetricStore(provider.cloudwatch_database, account, region)
