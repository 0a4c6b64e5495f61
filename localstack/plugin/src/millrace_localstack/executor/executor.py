"""LocalStack's runtime executor: one execution environment, one process at a time."""

import logging
import threading
import time
from pathlib import Path

from localstack import config
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import LambdaRuntimeException, RuntimeExecutor

from .report import Report, json_log, text_log
from .runtime_api import Invocation
from .sandbox import InitError, Outcome, Sandbox, Status

LOG = logging.getLogger(__name__)

INIT_LIMIT = 10.0
"""Seconds that a process has to ask for its first work; after that the first invocation's timeout counts.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib"""

STOP_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL, the most that Lambda gives in its Shutdown phase."""

_KEPT_LOGS = 64 << 10  # characters of get_logs, which LocalStack prints when something is wrong


class ProcessExecutor(RuntimeExecutor):
    """Runs the file `bootstrap` of a function's code.

    A process that fails to start is not an error of start: as on AWS the next invocation tries again, and
    reports it, with what the process wrote.
    """

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id=id, function_version=function_version)
        self.client_context = ""  # of the invocation to come, as JSON: LocalStack's payload lacks it
        self._env: dict[str, str] = {}
        self._lock = threading.Lock()  # guards _sandbox and _stopped against stop from another thread
        self._sandbox: Sandbox | None = None
        self._stopped = False
        self._init_seconds: float | None = None  # of a process that has had no invocation yet
        self._unlogged = ""  # output that belongs to no invocation yet
        self._logs = ""

    def start(self, env_vars: dict[str, object]) -> None:
        self._env = self._environment(env_vars)
        try:
            self._boot(self.id, INIT_LIMIT)
        except InitError as error:
            LOG.warning("function %s did not start: %s", self.function_version.qualified_arn, error)
            if env_vars.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency":
                raise StatusErrorException("function did not start", payload=error.outcome.payload) from error

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        request_id, timeout = payload["invoke-id"], float(self.function_version.config.timeout)
        wall, started = time.time(), time.monotonic()
        invocation = Invocation(
            request_id=request_id,
            payload=payload["payload"].encode(),
            function_arn=payload["invoked-function-arn"],
            deadline_ms=int((wall + timeout) * 1000),
            trace_id=payload.get("trace-id") or "",
            client_context=self.client_context,
        )
        try:
            sandbox = self._sandbox if self._sandbox and self._sandbox.alive else self._boot(request_id, timeout)
        except InitError as error:
            return self._result(request_id, error.outcome, "", time.monotonic() - started, 0)
        self._unlogged += sandbox.take_output()
        started_work = time.monotonic()
        outcome = sandbox.invoke(invocation, timeout, timeout - (started_work - started))
        seconds = time.monotonic() - started_work
        return self._result(request_id, outcome, sandbox.take_output(), seconds, sandbox.peak_memory())

    def stop(self) -> None:
        with self._lock:
            self._stopped, sandbox = True, self._sandbox
        if sandbox:
            sandbox.stop(STOP_GRACE)
            self._keep(sandbox.take_output())

    def get_address(self) -> str:
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    def get_logs(self) -> str:
        return self._logs

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        runtime = function_version.config.runtime or "a container image"
        if not runtime.startswith("provided"):
            raise LambdaRuntimeException(
                f"{function_version.id.function_name}: {runtime} cannot run here: functions run as processes of "
                "the host, so only the runtimes provided.* with a bootstrap of this machine's architecture can"
            )
        function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """The unzipped code is removed with the function's code itself."""

    @property
    def _program(self) -> Path:
        return Path(self.function_version.config.code.get_unzipped_code_location()) / "bootstrap"

    def _environment(self, env_vars: dict[str, object]) -> dict[str, str]:
        """LocalStack's variables, less those about the container that there is not."""
        own = {"LAMBDA_TASK_ROOT": str(self._program.parent), "LAMBDA_RUNTIME_DIR": str(self._program.parent)}
        given = {
            name: str(value) for name, value in env_vars.items() if not name.startswith("LOCALSTACK_RUNTIME_")
        }
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "en_US.UTF-8", **given, **own}

    def _boot(self, request_id: str, timeout: float) -> Sandbox:
        """Starts a new process, in place of one that has ended, and waits until it is ready."""
        if self._sandbox:
            self._unlogged += self._sandbox.take_output()
            self._sandbox.stop(grace=0)
        self._init_seconds = None
        started = time.monotonic()
        sandbox = Sandbox(self._program, self._env)
        with self._lock:
            self._sandbox, stopped = sandbox, self._stopped
        if stopped:
            sandbox.stop(grace=0)
        try:
            sandbox.init(request_id, timeout)
        finally:
            self._unlogged += sandbox.take_output()
        self._init_seconds = time.monotonic() - started
        return sandbox

    def _result(
        self, request_id: str, outcome: Outcome, output: str, seconds: float, peak_memory: int
    ) -> InvocationResult:
        version = self.function_version
        report = Report(
            request_id=request_id,
            version=version.id.qualifier,
            outcome=outcome,
            duration=seconds,
            init=self._init_seconds,
            memory_size_mb=version.config.memory_size,
            peak_memory=peak_memory,
        )
        form = json_log if version.config.logging_config.get("LogFormat") == "JSON" else text_log
        logs = form(report, self._unlogged, output)
        self._unlogged, self._init_seconds = "", None
        self._keep(logs)
        return InvocationResult(request_id, outcome.payload, outcome.status is not Status.SUCCESS, logs)

    def _keep(self, logs: str) -> None:
        self._logs = (self._logs + logs)[-_KEPT_LOGS:]
