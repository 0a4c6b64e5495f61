"""Metric math: text -> syntax tree.

Grammar, loosest binding first (Amazon CloudWatch User Guide, "Metric math syntax and
functions", has the operators; it states no precedence, so this is the usual one):

    or      = and { ("OR" | "||") and }
    and     = compare { ("AND" | "&&") compare }
    compare = sum [ ("==" | "!=" | "<=" | ">=" | "<" | ">") sum ]
    sum     = product { ("+" | "-") product }
    product = unary { ("*" | "/") unary }
    unary   = "-" unary | power
    power   = atom [ "^" unary ]
    atom    = number | id | FUNCTION "(" [ or { "," or } ] ")" | KEYWORD | string
            | "[" or { "," or } "]" | "(" or ")"

Ids begin with a lower-case letter; functions and keywords are upper case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_LENGTH = 2048  # API reference, MetricDataQuery: Expression
# Both bound Python's stack: of the parser, and of what walks the tree (a + b + c is two deep).
_MAX_DEPTH = 50
_MAX_TOKENS = 600


class MathError(ValueError):
    """The expression is wrong or not supported; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Reference:
    """The id of a metric or of another expression."""

    id: str


@dataclass(frozen=True, slots=True)
class Keyword:
    """A bare upper-case word: REPEAT, LINEAR."""

    word: str


@dataclass(frozen=True, slots=True)
class Negate:
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str  # + - * / ^ == != <= >= < > AND OR
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Array:
    elements: tuple[Node, ...]


type Node = Number | Text | Reference | Keyword | Negate | Binary | Call | Array

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<word>[A-Za-z_]\w*)
      | "(?P<double>[^"]*)" | '(?P<single>[^']*)'
      | (?P<sign>\|\||&&|==|!=|<=|>=|[-+*/^<>(),\[\]])
    )""",
    re.VERBOSE,
)
_ALIASES = {"&&": "AND", "||": "OR"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, word, text, sign, end
    text: str
    position: int


def parse(expression: str) -> Node:
    """The syntax tree of an expression; raises MathError."""
    if len(expression) > MAX_LENGTH:
        raise MathError(f"the expression has {len(expression)} characters, {MAX_LENGTH} are allowed")
    return _Parser(expression).parse()


def references(node: Node) -> frozenset[str]:
    """The ids that an expression reads by name (METRICS() reads all metrics besides)."""
    match node:
        case Reference(id=id):
            return frozenset({id})
        case Negate(operand=operand):
            return references(operand)
        case Binary(left=left, right=right):
            return references(left) | references(right)
        case Call(arguments=nodes) | Array(elements=nodes):
            return frozenset[str]().union(*map(references, nodes))
        case _:
            return frozenset()


def functions(node: Node) -> frozenset[str]:
    """The names of the functions that an expression calls."""
    match node:
        case Negate(operand=operand):
            return functions(operand)
        case Binary(left=left, right=right):
            return functions(left) | functions(right)
        case Call(function=name, arguments=nodes):
            return frozenset({name}).union(*map(functions, nodes))
        case Array(elements=nodes):
            return frozenset[str]().union(*map(functions, nodes))
        case _:
            return frozenset()


def _tokens(expression: str) -> Iterator[_Token]:
    position, end = 0, len(expression.rstrip())
    while position < end:
        match = _TOKEN.match(expression, position)
        if match is None:
            start = position + len(expression[position:]) - len(expression[position:].lstrip())
            raise MathError(f"not understood at character {start + 1}: {expression[start : start + 20]!r}")
        kind = match.lastgroup or ""
        text = match[kind]
        kind = "text" if kind in ("double", "single") else kind
        if kind == "word" and text in ("AND", "OR"):
            kind = "sign"
        yield _Token(kind, _ALIASES.get(text, text) if kind == "sign" else text, match.start(match.lastgroup or 0))
        position = match.end()
    yield _Token("end", "", end)


class _Parser:
    def __init__(self, expression: str) -> None:
        self._tokens = list(_tokens(expression))
        if len(self._tokens) > _MAX_TOKENS:
            raise MathError(f"the expression has more than {_MAX_TOKENS} parts")
        self._next = 0
        self._depth = 0

    def parse(self) -> Node:
        node = self._or()
        if self._token.kind != "end":
            raise self._unexpected("an operator or the end")
        return node

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *signs: str) -> str | None:
        token = self._token
        if token.kind != "sign" or token.text not in signs:
            return None
        self._next += 1
        return token.text

    def _expect(self, sign: str) -> None:
        if self._take(sign) is None:
            raise self._unexpected(repr(sign))

    def _unexpected(self, wanted: str) -> MathError:
        token = self._token
        found = "the end of the expression" if token.kind == "end" else repr(token.text)
        if token.text == "NOT":
            found = "NOT, which metric math does not have (write IF(x, 0, 1) or x == 0)"
        return MathError(f"expected {wanted} at character {token.position + 1}, found {found}")

    def _or(self) -> Node:
        node = self._and()
        while operator := self._take("OR"):
            node = Binary(operator, node, self._and())
        return node

    def _and(self) -> Node:
        node = self._compare()
        while operator := self._take("AND"):
            node = Binary(operator, node, self._compare())
        return node

    def _compare(self) -> Node:
        node = self._sum()
        if operator := self._take("==", "!=", "<=", ">=", "<", ">"):
            node = Binary(operator, node, self._sum())
        return node

    def _sum(self) -> Node:
        node = self._product()
        while operator := self._take("+", "-"):
            node = Binary(operator, node, self._product())
        return node

    def _product(self) -> Node:
        node = self._unary()
        while operator := self._take("*", "/"):
            node = Binary(operator, node, self._unary())
        return node

    def _unary(self) -> Node:
        # All nesting passes through this production.
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise MathError(f"more than {_MAX_DEPTH} levels of nesting")
        node = Negate(self._unary()) if self._take("-") else self._power()
        self._depth -= 1
        return node

    def _power(self) -> Node:
        node = self._atom()
        if self._take("^"):
            node = Binary("^", node, self._unary())
        return node

    def _atom(self) -> Node:
        token = self._token
        if self._take("("):
            node = self._or()
            self._expect(")")
            return node
        if self._take("["):
            return Array(self._list("]"))
        if token.kind in ("number", "text", "word") and token.text != "NOT":
            self._next += 1
            match token.kind:
                case "number":
                    return Number(float(token.text))
                case "text":
                    return Text(token.text)
            return self._word(token)
        raise self._unexpected("a number, an id, a function or a parenthesis")

    def _word(self, token: _Token) -> Node:
        if self._take("("):
            return Call(token.text, () if self._take(")") else self._list(")"))
        return Reference(token.text) if token.text[0].islower() else Keyword(token.text)

    def _list(self, close: str) -> tuple[Node, ...]:
        nodes = [self._or()]
        while self._take(","):
            nodes.append(self._or())
        self._expect(close)
        return tuple(nodes)
