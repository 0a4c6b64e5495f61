"""Entry points: the executor `process` (LAMBDA_RUNTIME_EXECUTOR), and what it needs of LocalStack."""

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from localstack.runtime import hooks
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """Selects the executor by its name."""

    name = "process"

    def load(self, *_args: object, **_kwargs: object) -> type:
        # Imported when chosen: it loads LocalStack's Lambda provider.
        from .executor import ProcessExecutor  # noqa: PLC0415

        return ProcessExecutor


@hooks.on_infra_start(name="millrace_executor")  # by default the function's: of two "install" one is lost
def install() -> None:
    """Mends two gaps in LocalStack's execution environment.

    Logs go to the log group of the function's LoggingConfig, not to /aws/lambda/NAME whatever it says; and the
    client context of an invocation reaches the executor.
    """
    from localstack.services.lambda_.invocation.execution_environment import (  # noqa: PLC0415
        ExecutionEnvironment,
    )
    from localstack.utils.patch import Patch  # noqa: PLC0415

    Patch.function(ExecutionEnvironment.get_log_group_name, _log_group_name).apply()
    Patch.function(ExecutionEnvironment.invoke, _invoke).apply()


def _log_group_name(original: Callable[[Any], str], env: Any) -> str:
    return env.function_version.config.logging_config.get("LogGroup") or original(env)


def _invoke(original: Callable[[Any, Any], Any], env: Any, invocation: Any) -> Any:
    env.runtime_executor.client_context = decode_client_context(invocation.client_context)
    return original(env, invocation)


def decode_client_context(encoded: str | None) -> str:
    """The JSON of an X-Amz-Client-Context header, which is base64; empty where there is none or it is neither."""
    try:
        text = base64.b64decode(encoded or "", validate=True).decode()
        json.loads(text)
    except (binascii.Error, ValueError):
        return ""
    return text
