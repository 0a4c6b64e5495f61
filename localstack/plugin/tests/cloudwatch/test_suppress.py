"""suppress: when a composite alarm's actions run."""

from millrace_localstack.cloudwatch.suppress import Decision, Pending, Suppressor, decide

SETTINGS = Suppressor(wait=120, extension=180)


def at(pending: Pending, now: float, *, in_alarm: bool = False) -> Decision:
    return decide(pending, SETTINGS, suppressor_in_alarm=in_alarm, now=now)


def test_actions_run_when_the_suppressor_did_not_come_in_the_wait_period() -> None:
    pending = Pending("OK", since=1000)
    assert at(pending, 1000) == Decision(False, "WaitPeriod")
    assert at(pending, 1119) == Decision(False, "WaitPeriod")
    assert at(pending, 1120) == Decision(True)


def test_actions_are_held_back_while_the_suppressor_is_in_alarm_and_through_the_extension_period() -> None:
    pending = Pending("OK", since=1000)
    assert at(pending, 1050, in_alarm=True) == Decision(False, "Alarm")
    assert at(pending, 9000, in_alarm=True) == Decision(False, "Alarm")
    assert at(pending, 9001) == Decision(False, "ExtensionPeriod")
    assert at(pending, 9180) == Decision(False, "ExtensionPeriod")
    assert at(pending, 9181) == Decision(True)


def test_the_extension_period_begins_anew_when_the_suppressor_comes_back() -> None:
    pending = Pending("OK", since=1000)
    at(pending, 1010, in_alarm=True)
    assert at(pending, 1100) == Decision(False, "ExtensionPeriod")
    at(pending, 1150, in_alarm=True)
    assert at(pending, 1300) == Decision(False, "ExtensionPeriod")
    assert at(pending, 1479) == Decision(False, "ExtensionPeriod")
    assert at(pending, 1480) == Decision(True)
