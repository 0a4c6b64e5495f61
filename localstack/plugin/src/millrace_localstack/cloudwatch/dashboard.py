"""AWS::CloudWatch::Dashboard in CloudFormation, so that a test can read back what a stack
deployed. LocalStack reports the type as created and creates nothing.

Source: AWS CloudFormation User Guide, AWS::CloudWatch::Dashboard.
"""

import json
from typing import Any, ClassVar, TypedDict

from localstack.services.cloudformation import provider_utils
from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)

TYPE = "AWS::CloudWatch::Dashboard"


class Properties(TypedDict, total=False):
    DashboardName: str
    DashboardBody: str


class DashboardProvider(ResourceProvider[Properties]):
    """Creates, updates and deletes dashboards."""

    TYPE = TYPE
    SCHEMA: ClassVar[dict[str, Any]] = {
        "typeName": TYPE,
        "properties": {"DashboardName": {"type": "string"}, "DashboardBody": {"type": "string"}},
        "required": ["DashboardBody"],
        "createOnlyProperties": ["/properties/DashboardName"],
        "primaryIdentifier": ["/properties/DashboardName"],
    }

    def create(self, request: ResourceRequest[Properties]) -> ProgressEvent[Properties]:
        model = request.desired_state
        if not model.get("DashboardName"):
            model["DashboardName"] = provider_utils.generate_default_name(
                stack_name=request.stack_name, logical_resource_id=request.logical_resource_id
            )
        return self._put(request, model)

    def update(self, request: ResourceRequest[Properties]) -> ProgressEvent[Properties]:
        model = request.desired_state
        model["DashboardName"] = request.previous_state["DashboardName"]
        return self._put(request, model)

    def read(self, request: ResourceRequest[Properties]) -> ProgressEvent[Properties]:
        name = request.desired_state["DashboardName"]
        found = request.aws_client_factory.cloudwatch.get_dashboard(DashboardName=name)
        return _success({"DashboardName": name, "DashboardBody": found["DashboardBody"]})

    def delete(self, request: ResourceRequest[Properties]) -> ProgressEvent[Properties]:
        model = request.previous_state or request.desired_state
        request.aws_client_factory.cloudwatch.delete_dashboards(DashboardNames=[model["DashboardName"]])
        return _success(model)

    def _put(self, request: ResourceRequest[Properties], model: Properties) -> ProgressEvent[Properties]:
        try:
            json.loads(model["DashboardBody"])
        except ValueError as e:
            # PutDashboard refuses it on AWS; LocalStack's takes any text.
            message = f"DashboardBody of {model['DashboardName']!r} is not valid JSON: {e}"
            return ProgressEvent(status=OperationStatus.FAILED, resource_model=model, message=message)
        request.aws_client_factory.cloudwatch.put_dashboard(**model)
        return _success(model)


def _success(model: Properties) -> ProgressEvent[Properties]:
    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)


class DashboardProviderPlugin(CloudFormationResourceProviderPlugin):
    """Entry point in the group localstack.cloudformation.resource_providers."""

    name = TYPE

    def load(self) -> None:
        self.factory = DashboardProvider
