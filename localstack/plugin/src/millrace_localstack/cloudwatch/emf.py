"""Embedded metric format: a log line -> the metric data that CloudWatch would take from it.

Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format". CloudWatch
drops what breaks a limit without a word. Here every such drop is a sentence in
`Extracted.problems`, so that a developer finds out before the alarm that never fires does.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from millrace_localstack.cloudwatch.datum import Datum, Dimensions
from millrace_localstack.cloudwatch.stats import Samples

MARKER = '"_aws"'  # a line without it is no embedded metric format
MAX_LINE_BYTES = 1024 * 1024
MAX_METRICS = 100
MAX_VALUES = 100
MAX_DIMENSIONS = 30

# Amazon CloudWatch API reference, MetricDatum: valid values of Unit.
_RATES = ("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits", "Kilobits", "Megabits", "Gigabits",
          "Terabits", "Count")  # fmt: skip
UNITS = frozenset(
    {"Seconds", "Microseconds", "Milliseconds", "Percent", "None", *_RATES, *(f"{u}/Second" for u in _RATES)}
)


@dataclass
class Extracted:
    """What one line holds."""

    data: list[Datum] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _Broken(ValueError):
    """A part of the line that yields no metrics; the text says why."""


def extract(line: str) -> Extracted:
    """The metrics of a log line; an empty result for a line that is not in the format."""
    found = Extracted()
    if MARKER not in line:
        return found
    try:
        root = _root(line)
        metadata = root.get("_aws")
        if not isinstance(metadata, dict) or "CloudWatchMetrics" not in metadata:
            return found  # some other use of a member "_aws"
        timestamp = _timestamp(metadata)
        directives = _list(metadata["CloudWatchMetrics"], "_aws.CloudWatchMetrics")
    except _Broken as e:
        found.problems.append(str(e))
        return found
    for directive in directives:
        _directive(root, directive, timestamp, found)
    return found


def _root(line: str) -> dict[str, Any]:
    if len(line.encode()) > MAX_LINE_BYTES:
        raise _Broken(f"a line has more than {MAX_LINE_BYTES} bytes: CloudWatch takes no metrics from it")
    # Lambda may put a timestamp and a request id in front of the document (the page's
    # section "PutLogEvents request format").
    text = line[max(line.find("{"), 0) :].strip()
    try:
        root = json.loads(text)
    except ValueError as e:
        raise _Broken(f"not valid JSON: {e}") from None
    if not isinstance(root, dict):
        raise _Broken("the line is not a JSON object")
    return root


def _timestamp(metadata: dict[str, Any]) -> int:
    millis = metadata.get("Timestamp")
    if not _is_number(millis) or millis < 0:
        raise _Broken("_aws.Timestamp is missing or not a number of milliseconds since 1970")
    return int(millis // 1000)


def _directive(root: dict[str, Any], directive: Any, timestamp: int, found: Extracted) -> None:
    try:
        namespace, definitions, sets = _checked(directive)
    except _Broken as e:
        found.problems.append(str(e))
        return
    dimension_sets = list(_dimension_sets(root, sets, found))
    for definition in definitions:
        try:
            name, unit, resolution = _definition(definition)
            samples = _samples(root, name)
        except _Broken as e:
            found.problems.append(str(e))
            continue
        for dimensions in dimension_sets:
            found.data.append(Datum(namespace, name, dimensions, timestamp, unit, resolution, samples))


def _checked(directive: Any) -> tuple[str, list[Any], list[Any]]:
    """Namespace, metric definitions and dimension sets of a directive."""
    if not isinstance(directive, dict):
        raise _Broken("an element of _aws.CloudWatchMetrics is not an object")
    namespace = directive.get("Namespace")
    if not isinstance(namespace, str) or not 1 <= len(namespace) <= 255:
        raise _Broken("Namespace must be a string of 1 to 255 characters")
    definitions = _list(directive.get("Metrics"), "Metrics")
    if len(definitions) > MAX_METRICS:
        raise _Broken(
            f"{len(definitions)} metrics in one directive, {MAX_METRICS} are allowed: CloudWatch takes none"
        )
    return namespace, definitions, _list(directive.get("Dimensions"), "Dimensions")


def _dimension_sets(root: dict[str, Any], sets: list[Any], found: Extracted) -> Iterator[Dimensions]:
    for names in sets:
        try:
            yield _dimensions(root, _list(names, "a set of Dimensions"))
        except _Broken as e:
            found.problems.append(str(e))


def _dimensions(root: dict[str, Any], names: list[Any]) -> Dimensions:
    if len(names) > MAX_DIMENSIONS:
        raise _Broken(f"{len(names)} dimensions in one set, {MAX_DIMENSIONS} are allowed")
    return tuple(sorted((name, _dimension(root, name)) for name in names))


def _dimension(root: dict[str, Any], name: Any) -> str:
    if not isinstance(name, str):
        raise _Broken(f"a dimension's name is {name!r}, not a string")
    value = root.get(name)
    if not isinstance(value, str):
        raise _Broken(f"dimension {name!r}: its value must be a string member of the document, it is {value!r}")
    # API reference, Dimension: 1 to 1,024 ASCII characters, none of them a control
    # character, at least one of them not blank.
    if not value.strip() or len(value) > 1024 or not all(" " <= c <= "~" for c in value):
        raise _Broken(f"dimension {name!r}: {value!r:.100} is not 1 to 1024 printable ASCII characters")
    return value


def _definition(definition: Any) -> tuple[str, str, int]:
    if not isinstance(definition, dict):
        raise _Broken("an element of Metrics is not an object")
    name = definition.get("Name")
    if not isinstance(name, str) or not 1 <= len(name) <= 255:
        raise _Broken(f"a metric's Name must be a string of 1 to 255 characters, it is {name!r:.100}")
    unit = definition.get("Unit", "None")
    if unit not in UNITS:
        raise _Broken(f"metric {name!r}: CloudWatch has no unit {unit!r}")
    resolution = definition.get("StorageResolution", 60)
    if resolution not in (1, 60):
        raise _Broken(f"metric {name!r}: StorageResolution must be 1 or 60, it is {resolution!r}")
    return name, unit, resolution


def _samples(root: dict[str, Any], name: str) -> tuple[Samples, ...]:
    """A number, an array of them, or a histogram {"Values", "Counts"} or statistic set.

    The specification has the first two. CloudWatch takes the objects too, and AWS's own
    writers send them (awslabs/aws-embedded-metrics-java, HistogramMetric).
    """
    if name not in root:
        raise _Broken(f"metric {name!r} is defined, but the document has no such member")
    target = root[name]
    try:
        if isinstance(target, dict):
            return (
                _statistic_set(target)
                if "Values" not in target
                else _histogram(target["Values"], target.get("Counts"))
            )
        return _histogram(target if isinstance(target, list) else [target], None)
    except _Broken as e:
        raise _Broken(f"metric {name!r}: {e}") from None


def _histogram(values: Any, counts: Any) -> tuple[Samples, ...]:
    values = _list(values, "Values")
    counts = [1] * len(values) if counts is None else _list(counts, "Counts")
    if len(values) != len(counts):
        raise _Broken(f"{len(values)} Values but {len(counts)} Counts")
    if len(values) > MAX_VALUES:
        raise _Broken(f"{len(values)} values in one line, {MAX_VALUES} are allowed: CloudWatch drops the metric")
    if not all(map(_is_number, values)):
        raise _Broken("a value is not a finite number")
    if not all(_is_number(c) and c >= 0 for c in counts):
        raise _Broken("a count is not a number of at least 0")
    return tuple(Samples(c, v * c, v, v) for v, c in zip(values, counts, strict=True) if c > 0)


def _statistic_set(target: dict[str, Any]) -> tuple[Samples, ...]:
    # AWS's writers call the members Max, Min, Sum and Count; PutMetricData's
    # StatisticValues has the long names.
    maximum, minimum = target.get("Max", target.get("Maximum")), target.get("Min", target.get("Minimum"))
    total, count = target.get("Sum"), target.get("Count", target.get("SampleCount"))
    if not all(map(_is_number, (maximum, minimum, total, count))) or count <= 0 or minimum > maximum:  # type: ignore[operator]
        raise _Broken('neither {"Values", "Counts"} nor a statistic set {"Max", "Min", "Sum", "Count"} of numbers')
    return (Samples(count, total, minimum, maximum),)  # type: ignore[arg-type]


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _Broken(f"{what} is not an array")
    return value


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
