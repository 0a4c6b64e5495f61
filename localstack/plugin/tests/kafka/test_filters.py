import json

import pytest

from millrace_localstack.kafka.filters import Filters

from .records import record


@pytest.mark.parametrize(
    ("pattern", "value", "accepted"),
    [
        # Lambda's table: the format of the value and that of the filter must agree.
        ({"value": {"a": [1]}}, '{"a":1}', True),
        ({"value": {"a": [1]}}, '{"a":2}', False),
        ({"value": {"a": [1]}}, "a", False),
        ({"value": ["a"]}, "a", True),
        ({"value": [{"anything-but": ["a"]}]}, "a", False),
        ({"value": [{"anything-but": ["a"]}]}, "b", True),
        ({"value": ["a"]}, '{"a":1}', False),
        ({"value": ["7"]}, "7", True),
        ({"value": [{"prefix": "a"}]}, b"\xff", False),
        ({"partition": [0]}, "anything", True),
        ({"partition": [1]}, '{"a":1}', False),
    ],
)
def test_one_pattern(pattern: dict[str, object], value: str | bytes, accepted: bool) -> None:
    assert Filters([json.dumps(pattern)]).accepts(record(0, value)) is accepted


def test_one_match_of_several_patterns_is_enough_and_no_pattern_accepts_all() -> None:
    both = Filters(['{"value":["a"]}', '{"value":["b"]}'])
    assert [both.accepts(record(0, v)) for v in "abc"] == [True, True, False]
    assert Filters([]).accepts(record(0, b"\xff"))
