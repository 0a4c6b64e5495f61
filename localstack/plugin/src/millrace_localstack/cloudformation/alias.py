"""Updates of AWS::Lambda::Alias, which LocalStack reports as done and does not do: the
alias would stay at the old version of its function.

Source: AWS CloudFormation User Guide, AWS::Lambda::Alias.
"""

from typing import Any

from localstack.services.cloudformation import provider_utils
from localstack.services.cloudformation.resource_provider import OperationStatus, ProgressEvent, ResourceRequest
from localstack.services.lambda_.resource_providers.lambda_alias import LambdaAliasProvider
from localstack.utils.patch import Patch


def apply() -> None:
    """Gives LocalStack's provider of aliases an update."""
    Patch.function(LambdaAliasProvider.update, _update, pass_target=False).apply()


def _update(_: LambdaAliasProvider, request: ResourceRequest[Any]) -> ProgressEvent[Any]:
    model = request.desired_state
    model["Id"] = request.previous_state["Id"]
    parameters = provider_utils.select_attributes(
        model, ["FunctionName", "Name", "FunctionVersion", "Description", "RoutingConfig"]
    )
    request.aws_client_factory.lambda_.update_alias(**parameters)
    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)
