"""Metrics of AWS/Lambda and AWS/SQS that an alarm needs and LocalStack does not write.

Lambda: LocalStack writes Invocations and Errors, the latter only where there is one, and
only by FunctionName. Sources: AWS Lambda Developer Guide, "Types of metrics for Lambda
functions"; Amazon SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS".
"""

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from millrace_localstack.cloudwatch.datum import Datum, Dimensions
from millrace_localstack.cloudwatch.stats import Samples

LAMBDA = "AWS/Lambda"
SQS = "AWS/SQS"

# A message that was received more often is a poison pill, and SQS's age "points at the
# second-oldest message that hasn't been received more than three times".
_MAX_RECEIVES = 3


@dataclass(frozen=True, slots=True)
class Invocation:
    """How one invocation of a function ended."""

    function: str
    qualifier: str | None  # the alias or version it was invoked by
    error: bool
    throttled: bool
    milliseconds: float
    concurrent: int  # running invocations of the function, this one included


def invocation_data(invocation: Invocation, timestamp: int) -> list[Datum]:
    """What Lambda writes about an invocation: zeros included, so that a sum of errors has
    data whenever the function runs. A throttled one is no invocation."""
    values: list[tuple[str, float, str]]
    if invocation.throttled:
        values = [("Throttles", 1, "Count")]
    else:
        values = [
            ("Invocations", 1, "Count"),
            ("Errors", float(invocation.error), "Count"),
            ("Throttles", 0, "Count"),
            ("Duration", invocation.milliseconds, "Milliseconds"),
            ("ConcurrentExecutions", invocation.concurrent, "Count"),
        ]
    return [
        _datum(LAMBDA, name, dimensions, timestamp, unit, value)
        for dimensions in _function_dimensions(invocation)
        for name, value, unit in values
    ]


def _function_dimensions(invocation: Invocation) -> Iterable[Dimensions]:
    yield ()  # across all functions
    by_name = ("FunctionName", invocation.function)
    yield (by_name,)
    if invocation.qualifier:
        yield (by_name, ("Resource", f"{invocation.function}:{invocation.qualifier}"))


class Running:
    """Counts the running invocations of each function. Safe for concurrent use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def begin(self, function_arn: str) -> int:
        """Returns how many run, this one included."""
        with self._lock:
            self._counts[function_arn] += 1
            return self._counts[function_arn]

    def end(self, function_arn: str) -> None:
        with self._lock:
            self._counts[function_arn] -= 1
            if not self._counts[function_arn]:
                del self._counts[function_arn]


def age_datum(queue: Any, now: float) -> Datum:
    """ApproximateAgeOfOldestMessage of one of LocalStack's SqsQueue objects."""
    age = oldest_age(_messages(queue), now)
    return _datum(SQS, "ApproximateAgeOfOldestMessage", (("QueueName", queue.name),), int(now), "Seconds", age)


def oldest_age(messages: Iterable[Any], now: float) -> int:
    """Seconds since the oldest message was sent, 0 without messages. LocalStack makes a
    new object when it moves a message to a dead-letter queue, so there the age counts
    from the move, as it does on AWS."""
    sent = [m.created for m in messages if not m.deleted and m.receive_count <= _MAX_RECEIVES]
    return max(0, int(now - min(sent, default=now)))


def _messages(queue: Any) -> list[Any]:
    with queue.mutex:
        messages = list(queue.inflight)
        if hasattr(queue, "message_groups"):  # FifoQueue
            for group in queue.message_groups.values():
                messages.extend(group.messages)
        else:
            messages.extend(queue.visible.queue)
        return messages


def _datum(namespace: str, name: str, dimensions: Dimensions, timestamp: int, unit: str, value: float) -> Datum:
    return Datum(namespace, name, dimensions, timestamp, unit, None, (Samples(1, value, value, value),))
