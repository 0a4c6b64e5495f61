"""Says a thing that is wrong once, not at every evaluation."""

import logging


class Complaints:
    """Remembers what was said about each subject."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said: dict[str, str] = {}

    def say(self, subject: str, message: str) -> None:
        """Logs the message unless it was the last one about this subject."""
        if self._said.get(subject) != message:
            self._said[subject] = message
            self._log.warning("%s: %s", subject, message)

    def settled(self, subject: str) -> None:
        """The subject is well again: the next complaint is said even if it is the same."""
        self._said.pop(subject, None)
