"""Metric math: syntax tree -> time series.

Source: Amazon CloudWatch User Guide, "Metric math syntax and functions". What is not
obvious there: in an operation of two time series a missing value counts as 0 where the
other one has a value, and the result has no data point only where neither has; a division
by zero drops the data point; a function of a single time series (SUM(m1)) is a scalar, of
an array (SUM([m1, m2])) a time series.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from millrace_localstack.cloudwatch.mathparse import (
    Array,
    Binary,
    Call,
    Keyword,
    MathError,
    Negate,
    Node,
    Number,
    Reference,
    Text,
    functions,
)
from millrace_localstack.cloudwatch.timeseries import TimeSeries

type Value = float | TimeSeries | tuple[TimeSeries, ...]
"""A scalar, a time series or an array of time series: S, TS and TS[] in the guide. A
scalar that has no value (SUM of an empty time series) is not a number."""


@dataclass(frozen=True)
class Request:
    """What an expression is evaluated in."""

    values: Mapping[str, Value]  # by id: what References and METRICS() read
    metrics: Sequence[str]  # the ids that are metrics, in the order of the request
    period: int  # seconds
    count: int  # periods


def evaluate(node: Node, request: Request) -> TimeSeries | tuple[TimeSeries, ...]:
    """The result of an expression; raises MathError."""
    result = _Evaluator(request).value(node)
    if isinstance(result, float):
        raise MathError("the result is a single number: the result of an expression must be a time series")
    return result


def check_functions(node: Node) -> None:
    """Raises MathError for a function that there is not."""
    for name in sorted(functions(node)):
        if name not in _EACH and name not in _FOLDS and name not in _FUNCTIONS:
            raise _unsupported(name)


def _unsupported(name: str) -> MathError:
    if name == "SEARCH":
        return MathError("SEARCH is not supported: name each metric (an alarm cannot use SEARCH on AWS either)")
    supported = ", ".join(sorted([*_EACH, *_FOLDS, *_FUNCTIONS]))
    return MathError(f"function {name} is not supported: there are {supported}")


def _truth(test: Callable[[float, float], bool]) -> Callable[[float, float], float]:
    return lambda a, b: float(test(a, b))


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": math.pow,
    "==": _truth(operator.eq),
    "!=": _truth(operator.ne),
    "<=": _truth(operator.le),
    ">=": _truth(operator.ge),
    "<": _truth(operator.lt),
    ">": _truth(operator.gt),
    "AND": _truth(lambda a, b: bool(a) and bool(b)),
    "OR": _truth(lambda a, b: bool(a) or bool(b)),
}

# One value -> one value.
_EACH: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": lambda v: float(math.ceil(v)),
    "FLOOR": lambda v: float(math.floor(v)),
}

# Many values -> one value.
_FOLDS: dict[str, Callable[[list[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
}


class _Evaluator:
    def __init__(self, request: Request) -> None:
        self._request = request

    def value(self, node: Node) -> Value:
        match node:
            case Number(value=value):
                return value
            case Reference(id=id):
                if id not in self._request.values:
                    raise MathError(f"there is no metric or expression with the id {id!r}")
                return self._request.values[id]
            case Negate(operand=operand):
                return self._apply(operator.sub, 0.0, self.value(operand))
            case Binary(operator=sign, left=left, right=right):
                return self._apply(_OPERATORS[sign], self.value(left), self.value(right))
            case Array(elements=elements):
                return tuple(s for e in elements for s in self._array(self.value(e)))
            case Call():
                return self._call(node)
            case Keyword(word=word):
                raise MathError(f"{word} stands where a value is expected; ids begin with a lower-case letter")
            case Text(value=text):
                raise MathError(f"the string {text!r} stands where a value is expected")

    def _call(self, call: Call) -> Value:
        if each := _EACH.get(call.function):
            return self._map(lambda s: s.each(each), self._argument(call))
        if fold := _FOLDS.get(call.function):
            return self._fold(call.function, fold, self._argument(call))
        if function := _FUNCTIONS.get(call.function):
            return function(self, call)
        raise _unsupported(call.function)

    def if_(self, call: Call) -> Value:
        """The guide's section "Using IF expressions" with its asymmetry: where the condition
        holds a missing value is 0, where it does not hold the data point is dropped."""
        _check_count(call, 2, 3)
        condition, yes, *rest = map(self.value, call.arguments)
        # Without a third argument there is no data point where the condition does not hold.
        no = rest[0] if rest else math.nan
        if isinstance(yes, tuple) or isinstance(no, tuple):
            raise MathError("IF takes time series and numbers, not arrays of time series")
        if isinstance(condition, float):
            if isinstance(yes, float) and isinstance(no, float):
                raise MathError("IF with a number as condition needs a time series")
            (chosen,) = self._array(yes if condition else no)
            return chosen
        values: list[float | None] = []
        for index, holds in enumerate(_single(condition, "IF").values):
            if holds is None:
                values.append(None)
            else:
                values.append(_at(yes, index) or 0.0 if holds else _at(no, index))
        return TimeSeries(tuple(values), self._request.period)

    def fill(self, call: Call) -> Value:
        _check_count(call, 2, 2)
        value = self.value(call.arguments[0])
        filler = call.arguments[1]
        if isinstance(filler, Keyword):
            if filler.word not in ("REPEAT", "LINEAR"):
                raise MathError(f"FILL with {filler.word}: a number, a time series, REPEAT or LINEAR is expected")
            return self._map(TimeSeries.repeated if filler.word == "REPEAT" else TimeSeries.interpolated, value)
        by = self.value(filler)
        if isinstance(by, tuple):
            raise MathError("FILL fills with a number or one time series, not with an array")

        def filled(series: TimeSeries) -> TimeSeries:
            values = (_at(by, i) if v is None else v for i, v in enumerate(series.values))
            return TimeSeries(tuple(values), series.period)

        return self._map(filled, value)

    def metrics(self, call: Call) -> Value:
        part = ""
        if call.arguments:
            if len(call.arguments) != 1 or not isinstance(call.arguments[0], Text):
                raise MathError('METRICS takes nothing or one string: METRICS() or METRICS("part of the id")')
            part = call.arguments[0].value
        ids = [id for id in self._request.metrics if part in id]
        return tuple(s for id in ids for s in self._array(self._request.values[id]))

    def period(self, call: Call) -> Value:
        return float(_single(self._argument(call), "PERIOD").period)

    def change(self, call: Call) -> Value:
        return self._map(lambda s: s.change(per_second=call.function == "RATE"), self._argument(call))

    def time_series(self, call: Call) -> Value:
        value = self._argument(call)
        if not isinstance(value, float):
            raise MathError("TIME_SERIES needs a number")
        return self._constant(value)

    def _argument(self, call: Call) -> Value:
        _check_count(call, 1, 1)
        return self.value(call.arguments[0])

    def _array(self, value: Value) -> tuple[TimeSeries, ...]:
        if isinstance(value, float):
            return (self._constant(value),)
        return (value,) if isinstance(value, TimeSeries) else value

    def _constant(self, value: float) -> TimeSeries:
        return TimeSeries((None if math.isnan(value) else value,) * self._request.count, self._request.period)

    def _map(self, function: Callable[[TimeSeries], TimeSeries], value: Value) -> Value:
        if isinstance(value, float):
            value = self._constant(value)
        return function(value) if isinstance(value, TimeSeries) else tuple(map(function, value))

    def _apply(self, function: Callable[[float, float], float], left: Value, right: Value) -> Value:
        if isinstance(left, tuple):
            if isinstance(right, tuple):
                raise MathError("an operator cannot combine two arrays of time series")
            return tuple(_combine(function, s, right) for s in left)
        if isinstance(right, tuple):
            return tuple(_combine(function, left, s) for s in right)
        if isinstance(left, float) and isinstance(right, float):
            result = _compute(function, left, right)
            return math.nan if result is None else result
        return _combine(function, left, right)

    def _fold(self, name: str, fold: Callable[[list[float]], float], value: Value) -> Value:
        if isinstance(value, float):
            raise MathError(f"{name} needs a time series or an array of them")
        if isinstance(value, TimeSeries):
            # Not a number where there is nothing to fold: whatever uses it has no data point.
            return float(fold(present)) if (present := value.present()) else math.nan
        if not value:
            raise MathError(f"{name} of an empty array")
        values: list[float | None] = []
        for column in zip(*(s.values for s in value), strict=True):
            present = [v for v in column if v is not None]
            # "Missing values are treated as 0" stands at AVG alone.
            filled = [v or 0.0 for v in column] if name == "AVG" else present
            values.append(fold(filled) if present else None)
        return TimeSeries(tuple(values), value[0].period)


_FUNCTIONS: dict[str, Callable[[_Evaluator, Call], Value]] = {
    "IF": _Evaluator.if_,
    "FILL": _Evaluator.fill,
    "METRICS": _Evaluator.metrics,
    "PERIOD": _Evaluator.period,
    "RATE": _Evaluator.change,
    "DIFF": _Evaluator.change,
    "TIME_SERIES": _Evaluator.time_series,
}


def _check_count(call: Call, least: int, most: int) -> None:
    if not least <= len(call.arguments) <= most:
        wanted = f"{least}" if least == most else f"{least} or {most}"
        raise MathError(f"{call.function} takes {wanted} arguments, not {len(call.arguments)}")


def _compute(function: Callable[[float, float], float], left: float, right: float) -> float | None:
    if math.isnan(left) or math.isnan(right):
        return None
    try:
        result = function(left, right)
    except (ZeroDivisionError, OverflowError, ValueError):
        return None
    return result if math.isfinite(result) else None


def _combine(
    function: Callable[[float, float], float], left: float | TimeSeries, right: float | TimeSeries
) -> TimeSeries:
    series = [s for s in (left, right) if isinstance(s, TimeSeries)]
    values: list[float | None] = []
    for index in range(len(series[0].values)):
        if all(s.values[index] is None for s in series):
            values.append(None)
        else:
            a, b = (s if isinstance(s, float) else s.values[index] or 0.0 for s in (left, right))
            values.append(_compute(function, a, b))
    return TimeSeries(tuple(values), series[0].period)


def _at(value: float | TimeSeries, index: int) -> float | None:
    if isinstance(value, TimeSeries):
        return value.values[index]
    return None if math.isnan(value) else value


def _single(value: Value, function: str) -> TimeSeries:
    if isinstance(value, TimeSeries):
        return value
    raise MathError(f"{function} needs a single time series")
