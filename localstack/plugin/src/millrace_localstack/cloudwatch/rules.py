"""Rules of composite alarms.

Source: Amazon CloudWatch API reference, PutCompositeAlarm: AlarmRule.

    or   = and { "OR" and }
    and  = not { "AND" not }
    not  = "NOT" not | "TRUE" | "FALSE" | STATE "(" alarm ")" | "(" or ")"

STATE is ALARM, OK or INSUFFICIENT_DATA; an alarm is a name or an ARN, in quotes or not.
Words may be in either case (CloudFormation's own examples write FALSE and False).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from millrace_localstack.cloudwatch.judge import State

# API reference: 10,240 characters, 100 child alarms, 500 elements.
MAX_LENGTH = 10_240
MAX_CHILDREN = 100
MAX_ELEMENTS = 500
_MAX_DEPTH = 100


class RuleError(ValueError):
    """The rule is wrong; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Constant:
    value: bool


@dataclass(frozen=True, slots=True)
class Is:
    """ALARM("name"), OK("name") or INSUFFICIENT_DATA("name")."""

    state: State
    alarm: str  # a name or an ARN


@dataclass(frozen=True, slots=True)
class Not:
    operand: Rule


@dataclass(frozen=True, slots=True)
class And:
    operands: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Or:
    operands: tuple[Rule, ...]


type Rule = Constant | Is | Not | And | Or


@functools.lru_cache(maxsize=1024)  # every rule is read every second
def parse(text: str) -> Rule:
    """The rule's syntax tree; raises RuleError."""
    if len(text) > MAX_LENGTH:
        raise RuleError(f"the rule has {len(text)} characters, {MAX_LENGTH} are allowed")
    parser = _Parser(text)
    rule = parser.parse()
    if len(children(rule)) > MAX_CHILDREN:
        raise RuleError(f"the rule names {len(children(rule))} alarms, {MAX_CHILDREN} are allowed")
    if parser.elements > MAX_ELEMENTS:
        raise RuleError(f"the rule has {parser.elements} elements, {MAX_ELEMENTS} are allowed")
    return rule


def children(rule: Rule) -> list[str]:
    """The alarms that a rule names, each once, in its order."""
    match rule:
        case Constant():
            return []
        case Is(alarm=alarm):
            return [alarm]
        case Not(operand=operand):
            return children(operand)
        case And(operands=operands) | Or(operands=operands):
            return list(dict.fromkeys(alarm for o in operands for alarm in children(o)))


def holds(rule: Rule, state_of: Callable[[str], str]) -> bool:
    """Whether the rule is true; `state_of` is asked with the names and ARNs as the rule has them."""
    match rule:
        case Constant(value=value):
            return value
        case Is(state=state, alarm=alarm):
            return state_of(alarm) == state
        case Not(operand=operand):
            return not holds(operand, state_of)
        case And(operands=operands):
            return all(holds(o, state_of) for o in operands)
        case Or(operands=operands):
            return any(holds(o, state_of) for o in operands)


_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"AND|OR|NOT|TRUE|FALSE", re.IGNORECASE)
_STATE = re.compile(r"(ALARM|OK|INSUFFICIENT_DATA)\s*\(", re.IGNORECASE)
_ALARM = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([^"'()]+?))\s*\)""")


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0
        self.elements = 0

    def parse(self) -> Rule:
        rule = self._or()
        if self._rest():
            raise self._expected("AND, OR or the end")
        return rule

    def _rest(self) -> str:
        space = _SPACE.match(self._text, self._position)
        self._position = space.end() if space else self._position
        return self._text[self._position :]

    def _expected(self, what: str) -> RuleError:
        rest = self._rest()
        found = repr(rest[:30]) if rest else "the end of the rule"
        return RuleError(f"expected {what} at character {self._position + 1}, found {found}")

    def _word(self, *words: str) -> str | None:
        self._rest()
        match = _WORD.match(self._text, self._position)
        if match is None or match[0].upper() not in words or self._text[match.end() : match.end() + 1].isalnum():
            return None
        self._position = match.end()
        return match[0].upper()

    def _sign(self, sign: str) -> bool:
        found = self._rest().startswith(sign)
        self._position += found
        return found

    def _or(self) -> Rule:
        operands = [self._and()]
        while self._word("OR"):
            operands.append(self._and())
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def _and(self) -> Rule:
        operands = [self._not()]
        while self._word("AND"):
            operands.append(self._not())
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _not(self) -> Rule:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise RuleError(f"more than {_MAX_DEPTH} levels of nesting")
        rule = Not(self._not()) if self._word("NOT") else self._atom()
        self._depth -= 1
        return rule

    def _atom(self) -> Rule:
        self.elements += 1
        if self._sign("("):
            rule = self._or()
            if not self._sign(")"):
                raise self._expected("')'")
            return rule
        if word := self._word("TRUE", "FALSE"):
            return Constant(word == "TRUE")
        state = _STATE.match(self._text, self._position)
        if state is None:
            raise self._expected("ALARM(…), OK(…), INSUFFICIENT_DATA(…), TRUE, FALSE, NOT or '('")
        self._position = state.end()
        alarm = _ALARM.match(self._text, self._position)
        if alarm is None:
            raise self._expected("the name or ARN of an alarm and ')'")
        self._position = alarm.end()
        return Is(State(state[1].upper()), alarm[1] or alarm[2] or alarm[3])
