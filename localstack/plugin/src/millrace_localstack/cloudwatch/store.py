"""Metric data in LocalStack's own database, so that what it still answers itself agrees.

Differences from LocalStack's CloudwatchDatabase: a batch is one transaction (it opens
one per point and waits for the disk each time), a value with a count is one row instead
of `count` rows, dimensions match exactly (it matches with LIKE: an alarm on {Stage=a}
sees {Stage=ab}), and a period is aggregated by SQLite however many rows it has.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Protocol

from millrace_localstack.cloudwatch.datum import Datum, Dimensions, Metric, Window
from millrace_localstack.cloudwatch.stats import Samples


class Database(Protocol):
    """The part of localstack.services.cloudwatch's CloudwatchDatabase that is used here."""

    METRICS_DB: str
    TABLE_SINGLE_METRICS: str
    TABLE_AGGREGATED_METRICS: str
    DATABASE_LOCK: threading.RLock


_COMMON = "account_id, region, metric_name, namespace, timestamp, dimensions, unit, storage_resolution"


class MetricStore:
    """The metrics of one account and region. Safe for concurrent use."""

    def __init__(self, database: Database, account: str, region: str) -> None:
        self._database = database
        self._scope = (account, region)

    def write(self, data: Iterable[Datum]) -> None:
        """Stores all or nothing."""
        single: list[tuple[object, ...]] = []
        sets: list[tuple[object, ...]] = []
        for d in data:
            common = (
                *self._scope,
                d.name,
                d.namespace,
                d.timestamp,
                _text(d.dimensions),
                d.unit,
                d.storage_resolution,
            )
            for s in d.samples:
                if s.weight == 1 and s.minimum == s.maximum:
                    single.append((*common, s.minimum))
                else:
                    sets.append((*common, s.weight, s.total, s.minimum, s.maximum))
        if not single and not sets:
            return
        db = self._database
        with self._connect() as connection:
            connection.executemany(
                f"INSERT INTO {db.TABLE_SINGLE_METRICS} ({_COMMON}, value) VALUES (?,?,?,?,?,?,?,?,?)", single
            )
            connection.executemany(
                f"INSERT INTO {db.TABLE_AGGREGATED_METRICS} ({_COMMON}, sample_count, sum, min, max) "
                "VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                sets,
            )

    def read(self, metric: Metric, window: Window, *, distinct: bool) -> list[list[Samples]]:
        """The samples of each period. With `distinct` each value apart, as percentiles need
        it; without, a period's samples are added up in the database, at most one for each
        table."""
        where, arguments = self._where(metric, window)
        db = self._database
        # One query for each table: over a UNION of both, SQLite aggregates six times slower.
        if distinct:
            columns = {db.TABLE_SINGLE_METRICS: "1, value, value, value"}
            columns[db.TABLE_AGGREGATED_METRICS] = "sample_count, sum, min, max"
            group = ""
        else:
            columns = {db.TABLE_SINGLE_METRICS: "COUNT(*), SUM(value), MIN(value), MAX(value)"}
            columns[db.TABLE_AGGREGATED_METRICS] = "SUM(sample_count), SUM(sum), MIN(min), MAX(max)"
            group = "GROUP BY 1"
        periods: list[list[Samples]] = [[] for _ in range(window.count)]
        with self._connect() as connection:
            for table, selected in columns.items():
                query = f"SELECT (timestamp - ?) / ?, {selected} FROM {table} WHERE {where} {group}"
                for index, *samples in connection.execute(query, (window.start, window.period, *arguments)):
                    periods[index].append(Samples._make(samples))
        return periods

    def units(self, metric: Metric, window: Window) -> list[str]:
        """The units in which the metric has data, in a stable order."""
        where, arguments = self._where(metric, window)
        db = self._database
        query = f"""SELECT COALESCE(unit, 'None') FROM {db.TABLE_SINGLE_METRICS} WHERE {where}
            UNION SELECT COALESCE(unit, 'None') FROM {db.TABLE_AGGREGATED_METRICS} WHERE {where} ORDER BY 1"""
        with self._connect() as connection:
            return [unit for (unit,) in connection.execute(query, (*arguments, *arguments))]

    def _where(self, metric: Metric, window: Window) -> tuple[str, tuple[object, ...]]:
        where = (
            "account_id = ? AND region = ? AND namespace = ? AND metric_name = ? AND dimensions IS ? "
            "AND timestamp >= ? AND timestamp < ?"
        )
        arguments = (
            *self._scope,
            metric.namespace,
            metric.name,
            _text(metric.dimensions),
            window.start,
            window.end,
        )
        if metric.unit is None:
            return where, arguments
        return where + " AND COALESCE(unit, 'None') = ?", (*arguments, metric.unit)

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with _transaction(self._database) as connection:
            yield connection


def make_indexes(database: Database) -> None:
    """Lets a read touch one dimension set's rows of its window instead of all rows of the
    metric's name: alarms are evaluated every few seconds."""
    with _transaction(database) as connection:
        for table in (database.TABLE_SINGLE_METRICS, database.TABLE_AGGREGATED_METRICS):
            connection.execute(
                f"CREATE INDEX IF NOT EXISTS millrace_{table} "
                f"ON {table} (metric_name, namespace, dimensions, timestamp)"
            )


@contextmanager
def _transaction(database: Database) -> Iterator[sqlite3.Connection]:
    with database.DATABASE_LOCK, closing(sqlite3.connect(database.METRICS_DB)) as connection:
        # An emulator's metrics need not survive a power cut, and waiting for the disk
        # at each batch would be most of its cost.
        connection.execute("PRAGMA synchronous = OFF")
        with connection:
            yield connection


def _text(dimensions: Dimensions) -> str | None:
    """As CloudwatchDatabase._get_ordered_dimensions_with_separator writes them."""
    return "".join(f"{name}={value}\t" for name, value in sorted(dimensions)) or None
