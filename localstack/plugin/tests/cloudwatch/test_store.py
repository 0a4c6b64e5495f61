"""store: over LocalStack's own database."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from localstack.services.cloudwatch.cloudwatch_database_helper import CloudwatchDatabase

from millrace_localstack.cloudwatch.datum import Datum, Dimensions, Metric, Window
from millrace_localstack.cloudwatch.stats import Samples, statistic
from millrace_localstack.cloudwatch.store import MetricStore, make_indexes

ACCOUNT, REGION = "000000000000", "us-east-1"
START = 1_700_000_000
STAGE: Dimensions = (("Env", "test"), ("Stage", "a"))


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudwatchDatabase:
    monkeypatch.setattr(CloudwatchDatabase, "CLOUDWATCH_DATA_ROOT", str(tmp_path))
    monkeypatch.setattr(CloudwatchDatabase, "METRICS_DB", str(tmp_path / "metrics.db"))
    monkeypatch.setattr(CloudwatchDatabase, "METRICS_DB_READ_ONLY", f"file:{tmp_path}/metrics.db?mode=ro")
    return CloudwatchDatabase()


@pytest.fixture
def store(database: CloudwatchDatabase) -> MetricStore:
    make_indexes(database)
    return MetricStore(database, ACCOUNT, REGION)


def datum(at: int, *samples: Samples, dimensions: Dimensions = STAGE, unit: str | None = "Count") -> Datum:
    return Datum("N", "m", dimensions, START + at, unit, None, samples)


def value(v: float, count: float = 1) -> Samples:
    return Samples(count, v * count, v, v)


def sums(store: MetricStore, metric: Metric, count: int = 3) -> list[float | None]:
    return [statistic("Sum", p) for p in store.read(metric, Window(START, 60, count), distinct=False)]


def test_a_period_includes_its_first_second_and_not_its_last(store: MetricStore) -> None:
    store.write(datum(at, value(10.0**i)) for i, at in enumerate([-1, 0, 59, 60, 179, 180]))
    assert sums(store, Metric("N", "m", STAGE)) == [110, 1000, 10000]


@pytest.mark.parametrize(
    "dimensions",
    [(), (("Stage", "a"),), (("Env", "test"), ("Stage", "ab")), (("Env", "test"), ("Stage", "%"))],
)
def test_dimensions_match_exactly(store: MetricStore, dimensions: Dimensions) -> None:
    store.write([datum(0, value(1))])
    assert sums(store, Metric("N", "m", dimensions)) == [None, None, None]


def test_no_dimensions_are_a_dimension_set_too(store: MetricStore) -> None:
    store.write([datum(0, value(1)), datum(0, value(2), dimensions=())])
    assert sums(store, Metric("N", "m")) == [2, None, None]


def test_accounts_regions_namespaces_and_names_are_apart(store: MetricStore, database: CloudwatchDatabase) -> None:
    store.write([datum(0, value(1))])
    assert sums(MetricStore(database, "111111111111", REGION), Metric("N", "m", STAGE))[0] is None
    assert sums(MetricStore(database, ACCOUNT, "eu-west-1"), Metric("N", "m", STAGE))[0] is None
    assert sums(store, Metric("O", "m", STAGE))[0] is None
    assert sums(store, Metric("N", "o", STAGE))[0] is None


def test_units(store: MetricStore) -> None:
    store.write([datum(0, value(1)), datum(0, value(2), unit="Bytes"), datum(0, value(4), unit=None)])
    metric, window = Metric("N", "m", STAGE), Window(START, 60, 1)
    assert sums(store, metric, 1) == [7]
    assert store.units(metric, window) == ["Bytes", "Count", "None"]
    for unit, wanted in (("Bytes", 2), ("Count", 1), ("None", 4), ("Percent", None)):
        assert sums(store, Metric("N", "m", STAGE, unit), 1) == [wanted]


def test_distinct_values_keep_their_weights(store: MetricStore) -> None:
    store.write([datum(0, value(10, 98), value(800, 2)), datum(1, value(10))])
    (period,) = store.read(Metric("N", "m", STAGE), Window(START, 60, 1), distinct=True)
    assert sorted(period) == [Samples(1, 10, 10, 10), Samples(2, 1600, 800, 800), Samples(98, 980, 10, 10)]
    assert statistic("p99", period) == 800


def test_statistic_sets(store: MetricStore) -> None:
    store.write([datum(0, Samples(4, 20, 1, 9)), datum(5, value(3))])
    (period,) = store.read(Metric("N", "m", STAGE), Window(START, 60, 1), distinct=False)
    assert [statistic(s, period) for s in ("SampleCount", "Sum", "Minimum", "Maximum")] == [5, 23, 1, 9]


def test_a_batch_is_all_or_nothing(store: MetricStore) -> None:
    bad = Datum("N", "m", STAGE, START, "Count", None, (Samples(1, 2, object(), object()),))  # type: ignore[arg-type]
    with pytest.raises(Exception, match="type 'object' is not supported"):
        store.write([datum(0, value(1)), bad])
    assert sums(store, Metric("N", "m", STAGE)) == [None, None, None]


def test_localstacks_own_reads_see_what_is_written(store: MetricStore, database: CloudwatchDatabase) -> None:
    store.write([datum(0, value(10, 98), value(800))])
    query = {"Namespace": "N", "MetricName": "m", "Dimensions": [{"Name": n, "Value": v} for n, v in STAGE]}
    found = database.get_metric_data_stat(
        ACCOUNT,
        REGION,
        {"MetricStat": {"Metric": query, "Period": 60, "Stat": "Sum"}},
        datetime.fromtimestamp(START, UTC),
        datetime.fromtimestamp(START + 60, UTC),
        "TimestampAscending",
    )
    assert found["values"] == [1780]
    listed = database.list_metrics(ACCOUNT, REGION, "N", "m", [])["metrics"]
    assert [m["dimensions"] for m in listed] == [query["Dimensions"]]


def test_concurrent_writers_lose_nothing(store: MetricStore) -> None:
    def write(_: int) -> None:
        for _ in range(20):
            store.write([datum(0, value(1))])

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums(store, Metric("N", "m", STAGE), 1) == [160]


def test_a_read_uses_the_index(store: MetricStore, database: CloudwatchDatabase) -> None:
    import sqlite3

    where, arguments = store._where(Metric("N", "m", STAGE), Window(START, 60, 1))
    with sqlite3.connect(database.METRICS_DB) as connection:
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN SELECT * FROM {database.TABLE_SINGLE_METRICS} WHERE {where}", arguments
        ).fetchall()
    assert "millrace_SINGLE_METRICS (metric_name=? AND namespace=? AND dimensions=? AND timestamp>?" in str(plan)
