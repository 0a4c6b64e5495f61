"""Which resources LocalStack replaces when others change."""

from collections.abc import Iterator
from typing import Any

import pytest
from localstack.services.cloudformation.engine.v2.change_set_model import ChangeSetModel, NodeResource
from localstack.utils.patch import Patch

from millrace_localstack.cloudformation import references


@pytest.fixture(autouse=True)
def patched() -> Iterator[None]:
    patch = Patch.function(ChangeSetModel._resolve_intrinsic_function_ref, references._change_of_ref)
    patch.apply()
    yield
    patch.undo()


def template(memory: int, name: str) -> dict[str, Any]:
    return {
        "Resources": {
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"FunctionName": name, "MemorySize": memory, "Role": "r", "Code": {}},
            },
            "Alias": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {"FunctionName": {"Ref": "Function"}, "FunctionVersion": "1", "Name": "live"},
            },
        }
    }


def replaced(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    model = ChangeSetModel(before, after, None, None).get_update_model()
    resources: list[NodeResource] = model.node_template.resources.resources
    return {r.name for r in resources if r.requires_replacement}


def test_update_in_place_replaces_nothing() -> None:
    assert replaced(template(512, "a"), template(1024, "a")) == set()


def test_replacement_replaces_what_refers_to_it() -> None:
    assert replaced(template(512, "a"), template(512, "b")) == {"Function", "Alias"}
