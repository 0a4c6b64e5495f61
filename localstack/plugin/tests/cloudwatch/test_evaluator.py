"""evaluator, composite and running: over LocalStack's own provider, without its server."""

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from localstack.services.cloudwatch.cloudwatch_database_helper import CloudwatchDatabase
from localstack.services.cloudwatch.models import (
    LocalStackCompositeAlarm,
    LocalStackMetricAlarm,
    cloudwatch_stores,
)
from localstack.services.cloudwatch.provider_v2 import CloudwatchProvider

from millrace_localstack.cloudwatch.datum import Datum
from millrace_localstack.cloudwatch.evaluator import Evaluator, context
from millrace_localstack.cloudwatch.running import RunningService, store_of
from millrace_localstack.cloudwatch.stats import Samples

from ..integration.waiting import wait_until

ACCOUNT, REGION = "000000000000", "us-east-1"
NOW = 1_700_000_050  # ten seconds into a minute


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudwatchProvider]:
    monkeypatch.setattr(CloudwatchDatabase, "CLOUDWATCH_DATA_ROOT", str(tmp_path))
    monkeypatch.setattr(CloudwatchDatabase, "METRICS_DB", str(tmp_path / "metrics.db"))
    monkeypatch.setattr(CloudwatchDatabase, "METRICS_DB_READ_ONLY", f"file:{tmp_path}/metrics.db?mode=ro")
    cloudwatch_stores.reset()
    yield CloudwatchProvider()
    cloudwatch_stores.reset()


class World:
    """A provider with alarms put past the API's checks, and an evaluator with a clock."""

    def __init__(self, provider: CloudwatchProvider) -> None:
        self.provider, self.now = provider, float(NOW)
        self.evaluator = Evaluator(provider, lambda: self.now)
        self.ran: list[tuple[str, str, str]] = []  # actions: alarm, old state, new state
        provider._run_composite_alarm_actions = self._ran
        # As patches_alarms has it: SetAlarmState, which evaluate_all calls, ends in this.
        provider._evaluate_composite_alarms = lambda context, _: self.evaluator.alarm_changed(context)

    def metric(self, name: str, **changes: Any) -> None:
        definition = {
            "AlarmName": name, "Namespace": "N", "MetricName": name, "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold", **changes,
        }  # fmt: skip
        self._add(LocalStackMetricAlarm(ACCOUNT, REGION, definition))

    def composite(self, name: str, rule: str, **changes: Any) -> None:
        self._add(LocalStackCompositeAlarm(ACCOUNT, REGION, {"AlarmName": name, "AlarmRule": rule, **changes}))

    def put(self, name: str, value: float) -> None:
        samples = (Samples(1, value, value, value),)
        store_of(self.provider, ACCOUNT, REGION).write([Datum("N", name, (), int(self.now), None, None, samples)])

    def evaluate(self) -> None:
        """A minute later, when the minute that data were put in has ended."""
        self.now += 60
        self.evaluator.evaluate_all()

    def state(self, name: str) -> str:
        alarms = cloudwatch_stores[ACCOUNT][REGION].alarms.values()
        return next(str(a.alarm["StateValue"]) for a in alarms if a.alarm["AlarmName"] == name)

    def _add(self, alarm: Any) -> None:
        cloudwatch_stores[ACCOUNT][REGION].alarms[alarm.alarm["AlarmArn"]] = alarm

    def _ran(self, _context: Any, composite: Any, old: str, _trigger: Any) -> None:
        self.ran.append((composite.alarm["AlarmName"], old, composite.alarm["StateValue"]))


@pytest.fixture
def world(provider: CloudwatchProvider) -> World:
    return World(provider)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"Statistic": "Median"}, "statistic 'Median' is not supported"),
        ({"ComparisonOperator": None}, "ComparisonOperator None is not supported"),
        ({"Threshold": "many"}, "could not convert string to float"),
        ({"Metrics": [{"Id": "e", "Expression": "1 +"}], "MetricName": None}, "expression 'e'"),
        ({"Dimensions": [{"Name": "Stage"}]}, "'Value'"),
    ],
)
def test_one_bad_alarm_does_not_stop_the_others_and_is_said_once(
    world: World, caplog: pytest.LogCaptureFixture, bad: dict[str, Any], says: str
) -> None:
    world.metric("a-bad", **bad)
    world.metric("b-good")
    world.put("b-good", 9)
    for _ in range(3):
        world.evaluate()
    assert world.state("b-good") == "ALARM"
    assert world.state("a-bad") == "INSUFFICIENT_DATA"
    (warning,) = warnings(caplog)
    assert warning.startswith("alarm 'a-bad' in 000000000000/us-east-1: ")
    assert says in warning


def test_an_alarm_is_evaluated_once_for_the_periods_that_have_ended(world: World) -> None:
    world.metric("m")
    world.put("m", 9)
    world.evaluate()
    assert world.state("m") == "ALARM"
    world.provider.set_alarm_state(context(ACCOUNT, REGION), "m", "OK", "by hand")
    world.now += 49  # the window moves 52 s later, which is 2 s after the next minute
    world.evaluator.evaluate_all()
    assert world.state("m") == "OK"
    world.now += 3
    world.evaluator.evaluate_all()
    assert world.state("m") == "ALARM"


def test_an_alarm_that_is_put_again_is_evaluated_at_once(world: World) -> None:
    world.metric("m", Threshold=10)
    world.put("m", 9)
    world.evaluate()
    assert world.state("m") == "OK"
    world.metric("m")
    world.evaluator.evaluate_all()
    assert world.state("m") == "ALARM"


def test_a_complaint_is_said_again_after_it_was_settled(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.composite("c", "ALARM(later)")
    world.evaluate()
    world.metric("later")
    world.evaluate()
    cloudwatch_stores[ACCOUNT][REGION].alarms.pop(f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:later")
    world.evaluate()
    assert len(warnings(caplog)) == 2


def test_a_composite_alarm_sees_the_states_of_one_moment(world: World) -> None:
    # Evaluated in between, "errors" in ALARM and "outage" not yet, it would page.
    world.metric("errors")
    world.metric("outage")
    world.composite("page", "ALARM(errors) AND NOT ALARM(outage)")
    world.evaluate()
    assert world.ran == [("page", "INSUFFICIENT_DATA", "OK")]
    world.put("errors", 9)
    world.put("outage", 9)
    world.evaluate()
    assert world.state("errors") == world.state("outage") == "ALARM"
    assert world.ran == [("page", "INSUFFICIENT_DATA", "OK")]


def test_nested_composites_are_settled_in_one_pass_in_any_order(world: World) -> None:
    world.composite("a-outer", "ALARM(b-middle)")
    world.composite("b-middle", "ALARM(c-inner)")
    world.composite("c-inner", "ALARM(m)")
    world.metric("m")
    world.put("m", 9)
    world.evaluate()
    assert [world.state(n) for n in ("a-outer", "b-middle", "c-inner")] == ["ALARM"] * 3
    assert [name for name, _, _ in world.ran] == ["c-inner", "b-middle", "a-outer"]


def test_a_circle_does_not_keep_others_from_being_evaluated(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.composite("a", "ALARM(b)")
    world.composite("b", "ALARM(a)")
    world.composite("c", "TRUE")
    for _ in range(2):
        world.evaluate()
    assert [world.state(n) for n in "abc"] == ["INSUFFICIENT_DATA", "INSUFFICIENT_DATA", "ALARM"]
    assert len(warnings(caplog)) == 2


def test_disabled_actions_do_not_run(world: World) -> None:
    world.composite("c", "TRUE", ActionsEnabled=False)
    world.evaluate()
    assert world.state("c") == "ALARM"
    assert world.ran == []


def test_a_suppressed_change_that_is_undone_is_never_announced(world: World) -> None:
    world.metric("failing")
    world.metric("deploying", TreatMissingData="ignore")
    world.composite(
        "page", "ALARM(failing)", ActionsSuppressor="deploying", ActionsSuppressorWaitPeriod=0,
        ActionsSuppressorExtensionPeriod=30,
    )  # fmt: skip
    world.evaluate()
    assert world.ran.pop() == ("page", "INSUFFICIENT_DATA", "OK")
    world.put("deploying", 9)
    world.put("failing", 9)
    world.evaluate()
    assert (world.state("page"), world.ran) == ("ALARM", [])
    world.put("failing", 0)
    world.evaluate()
    assert (world.state("page"), world.ran) == ("OK", [])
    world.now += 300
    world.evaluate()
    assert (world.state("page"), world.ran) == ("OK", [])


def test_a_suppressed_change_that_lasts_is_announced_after_the_extension_period(world: World) -> None:
    world.metric("failing", TreatMissingData="ignore")
    world.metric("deploying", TreatMissingData="ignore")
    world.composite(
        "page", "ALARM(failing)", ActionsSuppressor="deploying", ActionsSuppressorWaitPeriod=0,
        ActionsSuppressorExtensionPeriod=30,
    )  # fmt: skip
    world.evaluate()
    world.ran.clear()
    world.put("deploying", 9)
    world.put("failing", 9)
    world.evaluate()
    world.put("deploying", 0)
    world.evaluate()
    for seconds, ran in ((0, []), (29, []), (1, [("page", "OK", "ALARM")]), (60, [("page", "OK", "ALARM")])):
        world.now += seconds
        world.evaluator.evaluate_all()
        assert world.ran == ran, seconds


def test_the_history_has_awss_reason_data(world: World) -> None:
    world.metric("m", Unit="None")
    world.put("m", 9)
    world.evaluate()
    (item,) = world.provider.describe_alarm_history(context(ACCOUNT, REGION), alarm_name="m")["AlarmHistoryItems"]
    assert '"recentDatapoints": [9.0]' in item["HistoryData"]
    assert '"statistic": "Sum"' in item["HistoryData"]


def test_an_alarm_deleted_meanwhile_is_no_complaint(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.metric("m")
    world.put("m", 9)
    read = world.provider.get_store

    def deleted(account: str, region: str) -> Any:
        cloudwatch_stores[ACCOUNT][REGION].alarms.clear()
        return read(account, region)

    world.provider.get_store = deleted
    world.evaluate()
    assert warnings(caplog) == []


class TestRunning:
    """The thread: it begins with the service, survives errors and ends with the service."""

    @staticmethod
    def service(evaluate: Callable[[], None]) -> RunningService:
        def make(provider: CloudwatchProvider) -> Evaluator:
            evaluator = Evaluator(provider, lambda: float(NOW))
            evaluator.evaluate_all = evaluate  # type: ignore[method-assign]
            return evaluator

        return RunningService(make, 0.001)

    def test_an_error_does_not_end_the_loop(
        self, provider: CloudwatchProvider, caplog: pytest.LogCaptureFixture
    ) -> None:
        turns: list[int] = []

        def evaluate() -> None:
            turns.append(1)
            raise OSError("disk")

        service = self.service(evaluate)
        service.started(provider)
        wait_until(lambda: len(turns) >= 3)
        service.stopping()
        assert "evaluation of alarms failed" in caplog.text

    def test_stopping_ends_the_thread(self, provider: CloudwatchProvider) -> None:
        def running() -> list[threading.Thread]:
            return [t for t in threading.enumerate() if t.name == "alarms"]

        wait_until(lambda: not running())
        service = self.service(lambda: None)
        assert service.evaluator is None
        service.started(provider)
        assert len(running()) == 1
        assert service.evaluator is not None
        service.stopping()
        wait_until(lambda: not running())
        assert service.evaluator is None


def test_dates_are_utc(world: World) -> None:
    world.composite("c", "TRUE")
    world.evaluate()
    (alarm,) = cloudwatch_stores[ACCOUNT][REGION].alarms.values()
    assert alarm.alarm["StateTransitionedTimestamp"] <= datetime.now(UTC)
