"""stats: simple statistics and percentiles over weighted values."""

import pytest

from millrace_localstack.cloudwatch.stats import Samples, UnsupportedStatistic, check, percentile_rank, statistic


def values(*numbers: float) -> list[Samples]:
    return [Samples(1, n, n, n) for n in numbers]


@pytest.mark.parametrize(
    ("stat", "wanted"),
    [("Sum", 10), ("Average", 2.5), ("Minimum", 1), ("Maximum", 4), ("SampleCount", 4), ("p50", 2.5), ("p100", 4)],
)
def test_each_statistic(stat: str, wanted: float) -> None:
    assert statistic(stat, values(4, 2, 1, 3)) == wanted


@pytest.mark.parametrize("stat", ["Sum", "SampleCount", "Average", "p99"])
def test_no_samples_are_no_data_point(stat: str) -> None:
    assert statistic(stat, []) is None
    assert statistic(stat, [Samples(0, 0, 5, 5)]) is None


def test_a_count_weighs_like_as_many_values() -> None:
    weighted = [Samples(97, 97 * 10, 10, 10), Samples(3, 3 * 500, 500, 500)]
    spelled_out = values(*[10] * 97, *[500] * 3)
    for stat in ("Sum", "Average", "SampleCount", "p50", "p95", "p96.5", "p99", "p99.9"):
        assert statistic(stat, weighted) == pytest.approx(statistic(stat, spelled_out))


def test_percentiles_interpolate_between_closest_ranks() -> None:
    assert statistic("p99", values(*range(1, 101))) == pytest.approx(99.01)
    assert statistic("p0", values(7, 3)) == 3


def test_statistic_sets_count_in_everything_but_percentiles() -> None:
    mixed = [Samples(4, 40, 1, 30), *values(50)]
    assert statistic("Average", mixed) == 18
    assert statistic("Maximum", mixed) == 50
    assert statistic("p99", mixed) is None
    assert statistic("p99", [Samples(4, 40, 10, 10), *values(10)]) == 10


def test_negative_values_have_no_percentile() -> None:
    assert statistic("p50", values(-1, 2, 3)) is None
    assert statistic("Minimum", values(-1, 2, 3)) == -1


@pytest.mark.parametrize("stat", ["tm99", "PR(:300)", "p101", "p", "average", "p99x", ""])
def test_what_is_not_supported_is_refused_by_name(stat: str) -> None:
    with pytest.raises(UnsupportedStatistic, match="statistic"):
        check(stat)


def test_percentile_rank() -> None:
    assert percentile_rank("p99.9") == 99.9
    assert percentile_rank("Sum") is None
