"""ActionsSuppressor: whether a composite alarm's actions run now, later or not at all.

Source: Amazon CloudWatch User Guide, "Suppressing composite alarm actions", and API
reference, PutCompositeAlarm. A change of state waits up to the wait period for the
suppressor to go into ALARM; while the suppressor is in ALARM nothing is run; when it
leaves ALARM, the extension period passes first. A composite alarm that is back in the
state it was last announced in has nothing left to announce.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Pending:
    """A change of state whose actions have not run yet."""

    announced: str  # the state before the change
    since: float  # seconds, when the state changed
    held: bool = False  # the suppressor has been in ALARM since
    released: float | None = None  # when it was found to have left ALARM


@dataclass(frozen=True, slots=True)
class Suppressor:
    """The settings of one composite alarm."""

    wait: float  # seconds
    extension: float  # seconds


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now. `by` is AWS's ActionsSuppressedBy while the actions wait."""

    run: bool
    by: str | None = None  # "WaitPeriod", "Alarm" or "ExtensionPeriod"


def decide(pending: Pending, suppressor: Suppressor, *, suppressor_in_alarm: bool, now: float) -> Decision:
    """Decides, and notes in `pending` when the suppressor came and went."""
    if suppressor_in_alarm:
        pending.held, pending.released = True, None
        return Decision(run=False, by="Alarm")
    if pending.held:
        if pending.released is None:
            pending.released = now
        waiting, reason = now - pending.released < suppressor.extension, "ExtensionPeriod"
    else:
        waiting, reason = now - pending.since < suppressor.wait, "WaitPeriod"
    return Decision(run=False, by=reason) if waiting else Decision(run=True)
