"""mathparse and mathexpr: metric math. Examples cited are of the Amazon CloudWatch User
Guide, "Metric math syntax and functions"."""

import pytest

from millrace_localstack.cloudwatch.mathexpr import Request, evaluate
from millrace_localstack.cloudwatch.mathparse import MAX_LENGTH, MathError, functions, parse, references
from millrace_localstack.cloudwatch.timeseries import TimeSeries

N = None
ENVIRONMENT: dict[str, list[float | None]] = {
    "metric1": [30, 20, 0, 0],
    "metric2": [20, N, 20, N],
    "m1": [1, 2, N, 4],
    "m2": [10, N, N, 40],
    "zero": [0, 0, 0, 0],
    "empty": [N, N, N, N],
    "gap": [N, 2, N, 8],
}


def run(expression: str, period: int = 60) -> list[list[float | None]]:
    values = {id: TimeSeries(tuple(v), period) for id, v in ENVIRONMENT.items()}
    result = evaluate(parse(expression), Request(values, list(values), period, 4))
    return [list(s.values) for s in ((result,) if isinstance(result, TimeSeries) else result)]


def series(expression: str) -> list[float | None]:
    (only,) = run(expression)
    return only


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        # "Comparison and logical operators", the table of examples.
        ("metric1 < metric2", [0, 0, 1, 0]),
        ("metric1 >= 30", [1, 0, 0, 0]),
        ("metric1 > 15 AND metric2 > 15", [1, 0, 0, 0]),
        ("metric1 > 15 && metric2 > 15", [1, 0, 0, 0]),
        ("metric1 > 15 OR metric2 > 15", [1, 1, 1, 0]),
        ("metric1 > 15 || metric2 > 15", [1, 1, 1, 0]),
        ("m1 == 2", [0, 1, N, 0]),
        ("m1 != 2", [1, 0, N, 1]),
        ("m1 <= 2", [1, 1, N, 0]),
        # "Missing values in a time series are treated as 0"; a division by zero drops the point.
        ("m1 + m2", [11, 2, N, 44]),
        ("m1 - m2", [-9, 2, N, -36]),
        ("m2 / m1", [10, 0, N, 10]),
        ("m1 / m2", [0.1, N, N, 0.1]),
        ("m1 / zero", [N, N, N, N]),
        ("m1 * 5", [5, 10, N, 20]),
        ("100 / m1", [100, 50, N, 25]),
        # Precedence and grouping.
        ("1 + m1 * 2", [3, 5, N, 9]),
        ("(1 + m1) * 2", [4, 6, N, 10]),
        ("m1 - 1 - 1", [-1, 0, N, 2]),
        ("m1 ^ 2 ^ 0", [1, 2, N, 4]),
        ("-m1 ^ 2", [-1, -4, N, -16]),
        ("2 ^ -m1", [0.5, 0.25, N, 0.0625]),
        ("m1 > 1 AND m1 < 3 OR m1 == 4", [0, 1, N, 1]),
        ("m1 * 1.5e1", [15, 30, N, 60]),
        ("  m1\n* .5 ", [0.5, 1, N, 2]),
        # Functions of one series.
        ("ABS(0 - m1)", [1, 2, N, 4]),
        ("CEIL(m1 / 3)", [1, 1, N, 2]),
        ("FLOOR(m1 / 3)", [0, 0, N, 1]),
        ("PERIOD(m1) * m1 / 60", [1, 2, N, 4]),
        ("DIFF(m1)", [N, 1, N, 2]),
        ("RATE(m1)", [N, 1 / 60, N, 2 / 120]),
        ("TIME_SERIES(7)", [7, 7, 7, 7]),
        # A fold of one series is a scalar, of an array a series.
        ("m1 - MIN(m1)", [0, 1, N, 3]),
        ("m1 / MAX(m1)", [0.25, 0.5, N, 1]),
        ("m1 * 0 + SUM(m1)", [7, 7, N, 7]),
        ("m1 * 0 + AVG(m1)", [7 / 3, 7 / 3, N, 7 / 3]),
        ("m1 - AVG(empty)", [N, N, N, N]),
        ("m1 > AVG(empty)", [N, N, N, N]),
        ("SUM([m1, m2])", [11, 2, N, 44]),
        ("MIN([m1, m2])", [1, 2, N, 4]),
        ("MAX([m1, m2])", [10, 2, N, 40]),
        ("AVG([m1, m2])", [5.5, 1, N, 22]),
        ("SUM([m1, m2 * 2, 1])", [22, 3, 1, 85]),
        ("SUM(100 / [m1, m2])", [110, 50, N, 27.5]),
        ('SUM(METRICS("metric"))', [50, 20, 20, 0]),
        ("SUM(METRICS('metric1'))", [30, 20, 0, 0]),
        ("MAX(METRICS())", [30, 20, 20, 40]),
        ('SUM([METRICS("m1"), METRICS("m2")])', [11, 2, N, 44]),
        # FILL.
        ("FILL(m1, 9)", [1, 2, 9, 4]),
        ("FILL(m1, 0 - 1)", [1, 2, -1, 4]),
        ("FILL(m1, metric1)", [1, 2, 0, 4]),
        ("FILL(m1, MIN(m1))", [1, 2, 1, 4]),
        ("FILL(gap, REPEAT)", [N, 2, 2, 8]),
        ("FILL(gap, LINEAR)", [N, 2, 5, 8]),
        ("FILL(empty, 0)", [0, 0, 0, 0]),
        # The ratio that the alarms of Millrace use.
        ("IF(metric1 >= 20, m1 / metric1, 0)", [1 / 30, 2 / 20, 0, 0]),
    ],
)
def test_expressions(expression: str, wanted: list[float | None]) -> None:
    assert series(expression) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        # "Using IF expressions", its three tables, with metric1 = [1, 1, 0, 0, -] and so on.
        ("IF(c, a, b)", [30, 0, 20, N, N]),
        ("IF(c, 5, b)", [5, 5, 20, N, N]),
        ("IF(c, a, 5)", [30, 0, 5, 5, N]),
        ("IF(c, a)", [30, 0, N, N, N]),
        ("IF(1, a, b)", [30, N, 0, 0, 30]),
        ("IF(0, a, b)", [0, 0, 20, N, 20]),
        ("IF(0, a)", [N, N, N, N, N]),
        ("IF(0 - c, 1, 0)", [1, 1, 0, 0, N]),  # any value but 0 is true, negative ones too
    ],
)
def test_if(expression: str, wanted: list[float | None]) -> None:
    values = {
        "c": TimeSeries((1, 1, 0, 0, N), 60),
        "a": TimeSeries((30, N, 0, 0, 30), 60),
        "b": TimeSeries((0, 0, 20, N, 20), 60),
    }
    result = evaluate(parse(expression), Request(values, list(values), 60, 5))
    assert isinstance(result, TimeSeries)
    assert list(result.values) == wanted


def test_an_array_can_be_the_result() -> None:
    assert run('METRICS("metric") / 10') == [[3, 2, 0, 0], [2, N, 2, N]]
    assert run("ABS([m1, -m2])") == [[1, 2, N, 4], [10, N, N, 40]]


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("m1 +", "character 5, found the end of the expression"),
        ("m1 m2", "character 4, found 'm2'"),
        ("(m1", "expected ')' at character 4"),
        ("SUM([m1, m2)", "expected ']' at character 12"),
        ("m1 $ m2", "not understood at character 4: '$ m2'"),
        ("m1 < m2 < 3", "character 9, found '<'"),
        ("", "found the end of the expression"),
        ("NOT m1", "NOT, which metric math does not have"),
        ("m1 AND NOT m2", "NOT, which metric math does not have"),
        ("SEARCH('{AWS/EC2}', 'Sum')", "SEARCH is not supported"),
        ("SUMM(m1)", "function SUMM is not supported: there are ABS"),
        ("sum(m1)", "function sum is not supported"),
        ("unknown + 1", "no metric or expression with the id 'unknown'"),
        ("1 + 2", "the result is a single number"),
        ("SUM(m1)", "the result is a single number"),
        ("IF(m1)", "IF takes 2 or 3 arguments, not 1"),
        ("FILL(m1)", "FILL takes 2 arguments, not 1"),
        ("FILL(m1, ZERO)", "FILL with ZERO"),
        ("FILL(m1, [m1, m2])", "not with an array"),
        ("ABS(m1, m2)", "ABS takes 1 arguments, not 2"),
        ("[m1] + [m2]", "cannot combine two arrays"),
        ("IF([m1], 1, 0)", "IF needs a single time series"),
        ("IF(m1, [m1], 0)", "not arrays of time series"),
        ("IF(1, 2, 3)", "IF with a number as condition needs a time series"),
        ("REPEAT + 1", "REPEAT stands where a value is expected"),
        ("'text'", "the string 'text' stands where a value is expected"),
        ("METRICS(m1)", "METRICS takes nothing or one string"),
        ("SUM(METRICS('none'))", "SUM of an empty array"),
        ("SUM(3)", "SUM needs a time series"),
        ("PERIOD([m1])", "PERIOD needs a single time series"),
        ("TIME_SERIES(m1)", "TIME_SERIES needs a number"),
        ("m" * (MAX_LENGTH + 1), "2049 characters, 2048 are allowed"),
        ("(" * 60 + "m1" + ")" * 60, "more than 50 levels of nesting"),
        ("-" * 60 + "m1", "more than 50 levels of nesting"),
        ("+".join(["m1"] * 400), "more than 600 parts"),
        ("__import__('os')", "function __import__ is not supported"),
    ],
)
def test_what_is_wrong_is_said(expression: str, says: str) -> None:
    with pytest.raises(MathError) as e:
        run(expression)
    assert says in str(e.value)


def test_the_longest_chain_does_not_exhaust_the_stack() -> None:
    assert series("+".join(["m1"] * 299)) == [299, 598, N, 1196]


def test_huge_numbers_give_no_data_point() -> None:
    assert series("(m1 * 1e308) ^ 2") == [N, N, N, N]
    assert series("m1 * 1e308 * 1e308") == [N, N, N, N]


def test_references_and_functions() -> None:
    node = parse('IF(m1 > 1, -SUM([m2, METRICS("x")]), FILL(gap, REPEAT))')
    assert references(node) == {"m1", "m2", "gap"}
    assert functions(node) == {"IF", "SUM", "METRICS", "FILL"}
