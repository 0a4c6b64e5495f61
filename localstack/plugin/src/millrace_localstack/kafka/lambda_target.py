"""A mapping's function, secrets and on-failure destination, in LocalStack."""

from typing import Any

import botocore.config
from localstack.services.lambda_.event_source_mapping.pipe_utils import get_internal_client
from localstack.utils.aws.arns import parse_arn

from .failure import Answer
from .mapping import Mapping

_FUNCTION_TIMEOUT = 905  # seconds: the most that a function may take, and a little
_NO_RETRY = botocore.config.Config(
    retries={"total_max_attempts": 1}, read_timeout=_FUNCTION_TIMEOUT, tcp_keepalive=True
)


class LambdaTarget:
    """Calls with the rights of the function's account; a failed call is never repeated here."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._lambda = get_internal_client(arn=mapping.function_arn, client_config=_NO_RETRY)

    def invoke(self, payload: bytes) -> Answer:
        response = self._lambda.invoke(FunctionName=self._mapping.function_arn, Payload=payload)
        return Answer(
            request_id=response["ResponseMetadata"]["RequestId"],
            status=response["StatusCode"],
            version=response.get("ExecutedVersion", "$LATEST"),
            function_error=response.get("FunctionError", ""),
            payload=response["Payload"].read(),
        )

    def give_up(self, message: str) -> None:
        arn = self._mapping.destination
        client: Any = get_internal_client(arn=arn)
        target = parse_arn(arn)
        if target["service"] == "sns":
            client.publish(TopicArn=arn, Message=message)
            return
        url = client.get_queue_url(QueueName=target["resource"], QueueOwnerAWSAccountId=target["account"])
        client.send_message(QueueUrl=url["QueueUrl"], MessageBody=message)

    def read_secret(self, uri: str) -> str:
        client: Any = get_internal_client(arn=self._mapping.function_arn, service="secretsmanager")
        return str(client.get_secret_value(SecretId=uri)["SecretString"])
