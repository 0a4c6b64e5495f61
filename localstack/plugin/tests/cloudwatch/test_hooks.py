"""hooks: the interval of the evaluation, and the name that LocalStack finds the hook by."""

import tomllib
from pathlib import Path

import pytest
from plux import PluginSpecResolver

from millrace_localstack.cloudwatch.hooks import INTERVAL, install, interval


def test_the_hook_has_the_name_of_its_entry_point() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    named = project["entry-points"]["localstack.hooks.on_infra_start"]
    hook = PluginSpecResolver().resolve(install)
    assert named[hook.name] == "millrace_localstack.cloudwatch.hooks:install"


def test_the_interval() -> None:
    assert interval({}) == 1
    assert interval({INTERVAL: ""}) == 1
    assert interval({INTERVAL: "0.5"}) == 0.5


@pytest.mark.parametrize("text", ["0", "-1", "often", "nan", "inf"])
def test_a_wrong_interval_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=f"{INTERVAL} is '{text}': it must be a positive number of seconds"):
        interval({INTERVAL: text})
