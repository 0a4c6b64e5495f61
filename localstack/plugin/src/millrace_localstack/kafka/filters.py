"""Filter criteria of an event source mapping.

https://docs.aws.amazon.com/lambda/latest/dg/kafka-filtering.html
"""

import json
from collections.abc import Sequence
from typing import Any

from localstack.services.events.event_rule_engine import EventPatternCompiler, EventRuleEngine

from .record import Record


class Filters:
    """Accepts records that match at least one pattern; without patterns all. Raises ValueError on a bad one."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._engine = EventRuleEngine()
        self._patterns = [_Pattern(json.loads(pattern)) for pattern in patterns]

    def accepts(self, record: Record) -> bool:
        return not self._patterns or any(p.matches(record, self._engine) for p in self._patterns)


class _Pattern:
    def __init__(self, pattern: dict[str, Any]) -> None:
        self._pattern = pattern
        self._compiled = EventPatternCompiler().compile_event_pattern(event_pattern=pattern)

    def matches(self, record: Record, engine: Any) -> bool:
        event = json.loads(record.text)
        for name, data in (("key", record.key), ("value", record.value)):
            if name not in self._pattern:
                continue
            content = _content(data)
            # A pattern of fields drops plain text, a pattern of values drops JSON: Lambda's table of formats.
            if content is None or isinstance(content, dict) != isinstance(self._pattern[name], dict):
                return False
            event[name] = content
        return bool(engine.evaluate_pattern_on_event(compiled_event_pattern=self._compiled, event=event))


def _content(data: bytes | None) -> dict[str, Any] | str | None:
    """A JSON object, or text; None where it is neither, which no pattern matches."""
    try:
        text = (data or b"").decode()
    except UnicodeDecodeError:
        return None
    try:
        content = json.loads(text)
    except ValueError:
        return text
    return content if isinstance(content, dict) else text
