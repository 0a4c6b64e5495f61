"""rules: composite alarm rules. Examples of the Amazon CloudWatch User Guide, "Create a
composite alarm", and of AWS CloudFormation's page on AWS::CloudWatch::CompositeAlarm."""

import itertools

import pytest

from millrace_localstack.cloudwatch.judge import State
from millrace_localstack.cloudwatch.rules import RuleError, children, holds, parse

STATES = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA", "d": "ALARM", "e f": "ALARM"}
ARN = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:with:colon"


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("ALARM(a)", True),
        ('ALARM("a")', True),
        ("ALARM('a')", True),
        ("ALARM( a )", True),
        ("ALARM(e f)", True),
        ('ALARM("e f")', True),
        ("OK(a)", False),
        ("OK(b)", True),
        ("INSUFFICIENT_DATA(c)", True),
        ("TRUE", True),
        ("FALSE", False),
        ("False", False),
        ("NOT FALSE", True),
        ("NOT NOT ALARM(a)", True),
        ("ALARM(a) AND ALARM(b)", False),
        ("ALARM(a) AND NOT ALARM(b)", True),
        ("ALARM(b) OR ALARM(d)", True),
        ("(ALARM(b) OR ALARM(d)) AND OK(b)", True),
        ("ALARM(a)\n AND\tALARM(d)", True),
        # AND binds tighter than OR, NOT tighter than both.
        ("ALARM(a) OR ALARM(a) AND ALARM(b)", True),
        ("(ALARM(a) OR ALARM(a)) AND ALARM(b)", False),
        ("NOT ALARM(b) AND ALARM(b)", False),
        ("NOT (ALARM(b) AND ALARM(b))", True),
        ("((((ALARM(a)))))", True),
        ("ALARM(a)AND(ALARM(d))", True),
    ],
)
def test_rules(rule: str, wanted: bool) -> None:
    assert holds(parse(rule), STATES.__getitem__) is wanted


def test_every_truth_table_of_three_alarms() -> None:
    rule = parse("ALARM(x) AND (OK(y) OR NOT INSUFFICIENT_DATA(z))")
    for x, y, z in itertools.product(State, repeat=3):
        states = {"x": x, "y": y, "z": z}
        wanted = x == "ALARM" and (y == "OK" or z != "INSUFFICIENT_DATA")
        assert holds(rule, states.__getitem__) is wanted, states


def test_children_are_named_once_and_by_arn() -> None:
    rule = parse(f'ALARM("{ARN}") OR (OK(b) AND NOT ALARM(a)) OR ALARM(b) OR TRUE')
    assert children(rule) == [ARN, "b", "a"]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("", "found the end of the rule"),
        ("ALARM(a) AND", "character 13, found the end of the rule"),
        ("ALARM(a) ALARM(b)", "expected AND, OR or the end at character 10"),
        ("ALARM(a) XOR ALARM(b)", "expected AND, OR or the end at character 10, found 'XOR ALARM(b)'"),
        ("(ALARM(a)", "expected ')'"),
        ("ALARM()", "expected the name or ARN of an alarm"),
        ('ALARM("a)', "expected the name or ARN of an alarm"),
        ("BROKEN(a)", "expected ALARM(…)"),
        ("ALARM(a) ANDALARM(b)", "expected AND, OR or the end"),
        ("__import__('os')", "expected ALARM(…)"),
        ("(" * 200 + "TRUE" + ")" * 200, "more than 100 levels"),
        (" OR ".join(f"ALARM(a{i})" for i in range(101)), "names 101 alarms, 100 are allowed"),
        (" OR ".join(["ALARM(a)"] * 501), "501 elements, 500 are allowed"),
        ("ALARM(a) OR " * 1000, "10240 are allowed"),
    ],
)
def test_what_is_wrong_is_said(rule: str, says: str) -> None:
    with pytest.raises(RuleError) as e:
        parse(rule)
    assert says in str(e.value)
