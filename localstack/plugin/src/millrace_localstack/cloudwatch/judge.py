"""Values of an alarm's metric -> its state: M out of N, and missing data.

Source: Amazon CloudWatch User Guide, "Alarm evaluation" and "Configuring how CloudWatch
alarms treat missing data" with its section "Avoiding premature transitions to alarm
state". The tables of that page are the tests.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class State(StrEnum):
    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
COMPARISONS = tuple(_COMPARISONS)
_TREATED_AS = {"missing": "Missing", "ignore": "Ignored", "breaching": "Breaching", "notBreaching": "NonBreaching"}
TREATMENTS = tuple(_TREATED_AS)


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alarm is in ALARM."""

    comparison: str  # one of COMPARISONS
    threshold: float
    evaluation_periods: int  # N
    datapoints_to_alarm: int  # M
    missing_data: str = "missing"  # one of TREATMENTS

    def breaches(self, value: float) -> bool:
        return _COMPARISONS[self.comparison][0](value, self.threshold)

    @property
    def evaluation_range(self) -> int:
        """How many periods are looked at. CloudWatch looks at more than N so that it need
        not fill in data that is late; the page gives no formula, its examples have 5 for
        N = 3."""
        return self.evaluation_periods + max(self.evaluation_periods // 3, 2)


@dataclass(frozen=True, slots=True)
class DataPoint:
    timestamp: int  # seconds since 1970, begin of the period
    value: float | None  # None: missing


@dataclass(frozen=True, slots=True)
class Verdict:
    """State is None where the alarm keeps the state it has."""

    state: State | None
    reason: str
    evaluated: tuple[DataPoint, ...]  # newest first, as in StateReasonData


def judge(rule: Rule, points: Sequence[DataPoint]) -> Verdict:
    """The state for the data points of the evaluation range, oldest first."""
    real = [(age, p) for age, p in enumerate(reversed(points), start=1) if p.value is not None]
    evaluated = tuple(p for _, p in real[: rule.evaluation_periods])
    breaching = sum(rule.breaches(p.value) for p in evaluated if p.value is not None)
    missing = rule.evaluation_periods - len(evaluated)
    state = _state(rule, breaching, missing, len(evaluated), oldest=real[-1][0] if real else 0)
    return Verdict(state, _reason(rule, state, evaluated, missing), evaluated)


def _state(rule: Rule, breaching: int, missing: int, existing: int, oldest: int) -> State | None:
    """`oldest`: how many periods ago the oldest data point of the range is, 1 for the newest."""
    needed = rule.datapoints_to_alarm
    if missing == 0 or breaching >= needed:
        return State.ALARM if breaching >= needed else State.OK
    match rule.missing_data:
        case "breaching":
            return State.ALARM if breaching + missing >= needed else State.OK
        case "notBreaching":
            return State.OK
    keep = rule.missing_data == "ignore"
    if breaching < existing:
        return State.OK
    if existing and oldest >= needed:
        # Every data point that exists breaches, and the oldest is at least M periods old:
        # ALARM although there are fewer than M ("Avoiding premature transitions").
        return None if keep else State.ALARM
    # None exists, or too few and too new ones. For the latter (- - - - X) the page says
    # only that the alarm does not go into ALARM; its editions until 2020 had the row in
    # their table, with this state.
    return None if keep else State.INSUFFICIENT_DATA


def _reason(rule: Rule, state: State | None, evaluated: Sequence[DataPoint], missing: int) -> str:
    """The text as CloudWatch writes it, because people and programs read pages by it."""
    if state is None:
        return "Missing data is ignored: the state is kept."
    treated = _TREATED_AS[rule.missing_data]
    if not evaluated:
        periods = rule.evaluation_periods
        if state == State.INSUFFICIENT_DATA:
            return f"Insufficient Data: {_count(periods, 'datapoint')} {_were(periods)} unknown."
        return (
            f"Threshold Crossed: no datapoints were received for {_count(periods, 'period')} and "
            f"{_count(periods, 'missing datapoint')} {_were(periods)} treated as [{treated}]."
        )
    if state == State.INSUFFICIENT_DATA:
        return f"Insufficient Data: {_count(missing, 'datapoint')} {_were(missing)} unknown."
    alarm = state == State.ALARM
    shown = [p for p in evaluated if p.value is not None and rule.breaches(p.value) == alarm]
    listed = ", ".join(f"{p.value} ({datetime.fromtimestamp(p.timestamp, UTC):%d/%m/%y %H:%M:%S})" for p in shown)
    transition = "OK -> ALARM" if alarm else "ALARM -> OK"
    needed = rule.datapoints_to_alarm if alarm else rule.evaluation_periods - rule.datapoints_to_alarm + 1
    filled = ""
    if missing:
        filled = f" {_count(missing, 'missing datapoint')} {_were(missing)} treated as [{treated}]."
    compared = ("" if alarm else "not ") + _COMPARISONS[rule.comparison][1]
    return (
        f"Threshold Crossed: {len(shown)} out of the last {_count(rule.evaluation_periods, 'datapoint')} "
        f"[{listed}] {_were(len(shown))} {compared} the threshold "
        f"({rule.threshold}) (minimum {_count(needed, 'datapoint')} for {transition} transition).{filled}"
    )


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _were(n: int) -> str:
    return "was" if n == 1 else "were"
