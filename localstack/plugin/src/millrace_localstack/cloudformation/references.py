"""References to a resource that is updated in place.

LocalStack takes `Ref` to a resource whose properties changed as a changed value. Where the
referring property is create-only, such as FunctionName of AWS::Lambda::Alias, it then
replaces the referring resource, whose name is still in use: the update fails with
"Alias already exists". In AWS a Ref changes only with the resource's physical id, so only
when the resource is replaced (AWS CloudFormation User Guide, "Update behaviors of stack
resources").
"""

from collections.abc import Callable
from typing import Any

from localstack.services.cloudformation.engine.v2.change_set_model import (
    ChangeSetEntity,
    ChangeSetModel,
    ChangeType,
    NodeResource,
)
from localstack.utils.patch import Patch


def apply() -> None:
    """Makes LocalStack see a Ref to a resource that is updated in place as unchanged."""
    Patch.function(ChangeSetModel._resolve_intrinsic_function_ref, _change_of_ref).apply()


def _change_of_ref(
    resolve: Callable[[ChangeSetModel, ChangeSetEntity], ChangeType],
    model: ChangeSetModel,
    arguments: ChangeSetEntity,
) -> ChangeType:
    change: ChangeType = resolve(model, arguments)
    if change != ChangeType.MODIFIED or arguments.change_type != ChangeType.UNCHANGED:
        return change
    resource = _resource(model, arguments)
    if resource is not None and not resource.requires_replacement:
        return ChangeType.UNCHANGED
    return change


def _resource(model: ChangeSetModel, arguments: Any) -> NodeResource | None:
    """The resource that is referred to, None where it is a parameter or a condition."""
    name = arguments.value
    if model._retrieve_condition_if_exists(condition_name=name) or model._retrieve_parameter_if_exists(
        parameter_name=name
    ):
        return None
    return model._retrieve_or_visit_resource(resource_name=name)
