"""An execution environment for as long as its process lives."""

import queue
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from .process import Exit, FunctionProcess
from .runtime_api import Event, Failure, InitFailure, Invocation, Ready, Response, RuntimeAPI, failure


class Status(StrEnum):
    """How an invocation ended, in the words of Lambda's REPORT line."""

    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class Outcome:
    """What came of an invocation.

    payload is the function's answer or an error document. error_type is set where the error is not the
    function's own: it did not answer. note is what Lambda writes in the log about that.
    """

    payload: bytes
    status: Status = Status.SUCCESS
    error_type: str = ""
    note: str = ""


class InitError(Exception):
    """The process did not become ready. outcome says why, as Lambda reports it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.payload.decode(errors="replace"))
        self.outcome = outcome


class Sandbox:
    """A process and its Runtime API. Raises InitError where the program cannot be executed."""

    def __init__(self, program: Path, env: Mapping[str, str]) -> None:
        self._events: queue.SimpleQueue[Event | Exit] = queue.SimpleQueue()
        self._api = RuntimeAPI(self._events.put)
        env = {**env, "AWS_LAMBDA_RUNTIME_API": self._api.address}
        try:
            self._process = FunctionProcess(program, env, self._events.put)
        except OSError as error:
            self._api.close()
            # No request id yet: a bootstrap that cannot run never gets one.
            raise InitError(_lambda_error("Runtime.InvalidEntrypoint", f"Error: {error}")) from error

    @property
    def alive(self) -> bool:
        return self._process.running

    def take_output(self) -> str:
        """What the process has written since the last call."""
        return self._process.take_output()

    def peak_memory(self) -> int:
        """Bytes."""
        return self._process.peak_memory()

    def init(self, request_id: str, timeout: float) -> None:
        """Waits until the runtime asks for work; raises InitError if it does not within timeout seconds."""
        match self._wait(time.monotonic() + timeout):
            case Ready():
                return
            case InitFailure(payload):
                error = Outcome(payload, Status.ERROR, "Runtime.InitError")
            case Exit() as end:
                error = _exited(request_id, end)
            case _:
                error = _timed_out(request_id, timeout)
        self.stop(grace=0)
        raise InitError(error)

    def invoke(self, invocation: Invocation, timeout: float, limit: float) -> Outcome:
        """Runs one invocation to its end: the runtime's next call of /next.

        timeout is the function's own, for the message; limit is what of it is left, in seconds. After it the
        process is killed; an answer given before is kept, as on AWS.
        """
        deadline = time.monotonic() + limit
        self._api.offer(invocation)
        answer: Outcome | None = None
        while True:
            match self._wait(deadline):
                case Response(payload):
                    answer = Outcome(payload)
                case Failure(payload):
                    answer = Outcome(payload, Status.ERROR)
                case Ready() if answer:
                    return answer
                case Exit() as end:
                    return answer or _exited(invocation.request_id, end)
                case None:
                    self.stop(grace=0)
                    return answer or _timed_out(invocation.request_id, timeout)

    def stop(self, grace: float) -> None:
        """Ends the process: SIGTERM, and SIGKILL after grace seconds; with a grace of 0 SIGKILL at once."""
        if grace:
            self._process.stop(grace)
        else:
            self._process.kill()
        self._api.close()

    def _wait(self, deadline: float) -> Event | Exit | None:
        try:
            return self._events.get(timeout=max(0, deadline - time.monotonic()))
        except queue.Empty:
            return None


def _lambda_error(kind: str, message: str, status: Status = Status.ERROR, note: str = "") -> Outcome:
    return Outcome(failure(kind, message).payload, status, kind, note or f"{message}\n{kind}\n")


def _exited(request_id: str, end: Exit) -> Outcome:
    return _lambda_error("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited {end}")


def _timed_out(request_id: str, timeout: float) -> Outcome:
    what = f"Task timed out after {timeout:.2f} seconds"
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    return _lambda_error(
        "Sandbox.Timedout",
        f"RequestId: {request_id} Error: {what}",
        Status.TIMEOUT,
        f"{now}Z {request_id} {what}\n",
    )
