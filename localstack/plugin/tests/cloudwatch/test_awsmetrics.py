"""awsmetrics: what Lambda and SQS write."""

import threading
from dataclasses import dataclass

from millrace_localstack.cloudwatch.awsmetrics import Invocation, Running, invocation_data, oldest_age

DONE = Invocation("f", None, error=False, throttled=False, milliseconds=12.5, concurrent=2)


def values(invocation: Invocation, *dimensions: tuple[str, str]) -> dict[str, float]:
    data = [d for d in invocation_data(invocation, 0) if d.dimensions == dimensions]
    return {d.name: d.samples[0].total for d in data}


def test_an_invocation() -> None:
    assert values(DONE, ("FunctionName", "f")) == {
        "Invocations": 1,
        "Errors": 0,
        "Throttles": 0,
        "Duration": 12.5,
        "ConcurrentExecutions": 2,
    }
    units = {d.name: d.unit for d in invocation_data(DONE, 0)}
    assert (units["Duration"], units["Errors"]) == ("Milliseconds", "Count")


def test_a_failed_invocation_is_an_invocation_and_an_error() -> None:
    failed = Invocation("f", None, error=True, throttled=False, milliseconds=1, concurrent=1)
    found = values(failed, ("FunctionName", "f"))
    assert (found["Invocations"], found["Errors"]) == (1, 1)


def test_a_throttled_invocation_is_no_invocation() -> None:
    throttled = Invocation("f", None, error=True, throttled=True, milliseconds=1, concurrent=1)
    assert values(throttled, ("FunctionName", "f")) == {"Throttles": 1}


def test_by_alias_by_function_and_across_all() -> None:
    by_alias = Invocation("f", "live", error=False, throttled=False, milliseconds=1, concurrent=1)
    assert values(by_alias, ("FunctionName", "f"), ("Resource", "f:live"))["Invocations"] == 1
    assert values(by_alias, ("FunctionName", "f"))["Invocations"] == 1
    assert values(by_alias)["Invocations"] == 1
    assert {d.dimensions for d in invocation_data(DONE, 0)} == {(), (("FunctionName", "f"),)}


def test_running_counts_each_function_apart() -> None:
    running = Running()
    assert [running.begin("f"), running.begin("f"), running.begin("g")] == [1, 2, 1]
    running.end("f")
    assert running.begin("f") == 2


def test_running_is_exact_under_concurrency() -> None:
    running = Running()
    reached = threading.Barrier(9)
    most: list[int] = []

    def invoke() -> None:
        most.append(running.begin("f"))
        reached.wait()
        running.end("f")

    threads = [threading.Thread(target=invoke) for _ in range(8)]
    for thread in threads:
        thread.start()
    reached.wait()
    for thread in threads:
        thread.join()
    assert sorted(most) == [*range(1, 9)]
    assert running.begin("f") == 1


@dataclass
class Message:
    created: float
    receive_count: int = 0
    deleted: bool = False


def test_the_age_of_the_oldest_message() -> None:
    assert oldest_age([], 100) == 0
    assert oldest_age([Message(90), Message(40.5), Message(70)], 100) == 59
    assert oldest_age([Message(101)], 100) == 0


def test_deleted_messages_and_poison_pills_do_not_count() -> None:
    assert oldest_age([Message(10, deleted=True), Message(90)], 100) == 10
    assert oldest_age([Message(10, receive_count=4), Message(80, receive_count=3)], 100) == 20
    assert oldest_age([Message(10, receive_count=4)], 100) == 0
