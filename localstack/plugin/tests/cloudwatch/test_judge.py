"""judge: M out of N and missing data.

The tables are those of the Amazon CloudWatch User Guide, "Configuring how CloudWatch
alarms treat missing data", section "How alarm state is evaluated when data is missing":
0 is a data point that does not breach, X one that does, - a missing one. The guide's
editions until 2020 have two more rows, which later ones neither have nor contradict.
"""

import pytest

from millrace_localstack.cloudwatch.judge import DataPoint, Rule, State, judge

COLUMNS = ("missing", "ignore", "breaching", "notBreaching")
WORDS = {"OK": State.OK, "ALARM": State.ALARM, "INSUFFICIENT": State.INSUFFICIENT_DATA, "keep": None}


def points(text: str) -> list[DataPoint]:
    values = {"0": 0.0, "X": 9.0, "-": None}
    return [DataPoint(1_700_000_000 + 60 * i, values[c]) for i, c in enumerate(text.split())]


def rule(m: int, n: int, missing_data: str = "missing", comparison: str = "GreaterThanThreshold") -> Rule:
    return Rule(comparison, 5.0, n, m, missing_data)


THREE_OF_THREE = [
    ("0 - X - X", "OK OK OK OK"),
    ("0 - - - -", "OK OK OK OK"),
    ("- - - - -", "INSUFFICIENT keep ALARM OK"),
    ("0 X X - X", "ALARM ALARM ALARM ALARM"),
    ("- - X - -", "ALARM keep ALARM OK"),
    ("- - - - X", "INSUFFICIENT keep ALARM OK"),  # until 2020; today: "not immediately into ALARM"
    ("X - - - -", "ALARM keep ALARM OK"),  # until 2020
]
TWO_OF_THREE = [
    ("0 - X - X", "ALARM ALARM ALARM ALARM"),
    ("0 0 X 0 X", "ALARM ALARM ALARM ALARM"),
    ("0 - X - -", "OK OK ALARM OK"),
    ("- - - - 0", "OK OK ALARM OK"),
    ("- - - X -", "ALARM keep ALARM OK"),
    ("- - - - X", "INSUFFICIENT keep ALARM OK"),  # until 2020
]


@pytest.mark.parametrize(
    ("m", "data", "wanted"),
    [(3, *row) for row in THREE_OF_THREE] + [(2, *row) for row in TWO_OF_THREE],
)
def test_the_tables_of_the_user_guide(m: int, data: str, wanted: str) -> None:
    states = [judge(rule(m, 3, treatment), points(data)).state for treatment in COLUMNS]
    assert states == [WORDS[w] for w in wanted.split()]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        # "Avoiding premature transitions to alarm state": what may follow - - - - X.
        ("- - - X -", State.INSUFFICIENT_DATA),
        ("- - - X 0", State.OK),
        ("- - X - 0", State.OK),
        ("- - X - -", State.ALARM),
    ],
)
def test_intermittent_data_does_not_alarm_at_once(data: str, wanted: State) -> None:
    assert judge(rule(3, 3), points(data)).state == wanted


@pytest.mark.parametrize(
    ("data", "wanted"),
    [("X X 0 0 0", State.OK), ("0 0 X X X", State.ALARM), ("X 0 X 0 X", State.OK), ("0 0 0 X X", State.OK)],
)
def test_only_the_newest_n_count_where_none_is_missing(data: str, wanted: State) -> None:
    assert judge(rule(3, 3), points(data)).state == wanted


@pytest.mark.parametrize("n", [1, 3, 5])
def test_the_range_of_the_guides_example(n: int) -> None:
    assert rule(1, n).evaluation_range >= n + 2
    assert rule(3, 3).evaluation_range == 5


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        ("GreaterThanOrEqualToThreshold", False, True, True),
        ("GreaterThanThreshold", False, False, True),
        ("LessThanThreshold", True, False, False),
        ("LessThanOrEqualToThreshold", True, True, False),
    ],
)
def test_comparisons(comparison: str, below: bool, equal: bool, above: bool) -> None:
    compared = rule(1, 1, comparison=comparison)
    assert [compared.breaches(v) for v in (4.0, 5.0, 6.0)] == [below, equal, above]


@pytest.mark.parametrize(
    ("m", "n", "treatment", "data", "wanted"),
    [
        (
            1,
            1,
            "missing",
            "0 0 X",
            "Threshold Crossed: 1 out of the last 1 datapoint [9.0 (14/11/23 22:15:20)] was greater than the "
            "threshold (5.0) (minimum 1 datapoint for OK -> ALARM transition).",
        ),
        (
            2,
            3,
            "missing",
            "X 0 X",
            "Threshold Crossed: 2 out of the last 3 datapoints [9.0 (14/11/23 22:15:20), 9.0 (14/11/23 22:13:20)] "
            "were greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition).",
        ),
        (
            2,
            3,
            "missing",
            "0 0 X",
            "Threshold Crossed: 2 out of the last 3 datapoints [0.0 (14/11/23 22:14:20), 0.0 (14/11/23 22:13:20)] "
            "were not greater than the threshold (5.0) (minimum 2 datapoints for ALARM -> OK transition).",
        ),
        (
            2,
            3,
            "breaching",
            "- - X",
            "Threshold Crossed: 1 out of the last 3 datapoints [9.0 (14/11/23 22:15:20)] was greater than the "
            "threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition). 2 missing datapoints were treated "
            "as [Breaching].",
        ),
        (1, 1, "missing", "- - -", "Insufficient Data: 1 datapoint was unknown."),
        (3, 3, "missing", "- - X", "Insufficient Data: 2 datapoints were unknown."),
        (
            1,
            2,
            "notBreaching",
            "- - -",
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated "
            "as [NonBreaching].",
        ),
        (1, 1, "ignore", "- - -", "Missing data is ignored: the state is kept."),
    ],
)
def test_reasons_read_as_cloudwatchs(m: int, n: int, treatment: str, data: str, wanted: str) -> None:
    assert judge(rule(m, n, treatment), points(data)).reason == wanted
