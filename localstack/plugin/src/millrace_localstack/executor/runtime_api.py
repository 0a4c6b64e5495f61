"""The Lambda Runtime API for one process.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import base64
import binascii
import json
import queue
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from .http_body import BodyTooLargeError, read_body

MAX_RESPONSE = 6 * 1024 * 1024 + 100
"""Bytes of a response that Lambda accepts from a function: 6 MB, and 100 bytes of grace as AWS gives."""

_ROUTE = re.compile(
    r"/2018-06-01/runtime/(?:invocation/(?P<id>[^/]+)/(?P<what>response|error)|(?P<init>init/error))"
)
_NEXT = "/2018-06-01/runtime/invocation/next"


@dataclass(frozen=True)
class Invocation:
    """What a runtime gets with /next. deadline_ms is in milliseconds of Unix time."""

    request_id: str
    payload: bytes
    function_arn: str
    deadline_ms: int
    trace_id: str = ""
    client_context: str = ""

    def headers(self) -> dict[str, str]:
        """The headers of /next; optional ones are left out where they are empty."""
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(self.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self.function_arn,
        }
        if self.trace_id:
            headers["Lambda-Runtime-Trace-Id"] = self.trace_id
        if self.client_context:
            headers["Lambda-Runtime-Client-Context"] = self.client_context
        return headers


@dataclass(frozen=True)
class Ready:
    """The runtime asked for the next invocation: its start, or the invocation before, is complete."""


@dataclass(frozen=True)
class Response:
    """The function's answer."""

    payload: bytes


@dataclass(frozen=True)
class Failure:
    """An error as JSON, with errorType and errorMessage; the function's own, or ours about it."""

    payload: bytes


@dataclass(frozen=True)
class InitFailure:
    """The runtime reports that it could not start, in the same form as Failure."""

    payload: bytes


type Event = Ready | Response | Failure | InitFailure


class RuntimeAPI:
    """Serves one process on a free port of the loopback interface.

    emit is called, from the server's threads, for what the process does. offer hands it an invocation;
    there is one at a time.
    """

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self.emit = emit
        self._inbox: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._current = ""  # the request that may be answered
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, name="runtime-api", daemon=True).start()

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API is to say: host:port."""
        return f"127.0.0.1:{self._server.server_port}"

    def offer(self, invocation: Invocation) -> None:
        self._inbox.put(invocation)

    def close(self) -> None:
        """Stops serving. A runtime that still waits for work gets status 410."""
        self._inbox.put(None)
        self._server.shutdown()
        self._server.server_close()

    def next(self) -> Invocation | None:
        """Waits for an invocation, for the process; None when closed."""
        self.emit(Ready())
        invocation = self._inbox.get()
        with self._lock:
            self._current = invocation.request_id if invocation else ""
        return invocation

    def take(self, request_id: str) -> bool:
        """Whether request_id is under way and has no answer yet; from then on it has one."""
        with self._lock:
            if not self._current or request_id != self._current:
                return False
            self._current = ""
            return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: RuntimeAPI) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api

    def handle_error(self, request: object, client_address: object) -> None:
        """A process that is killed breaks off its connections; that is reported as its end."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one segment

    def log_message(self, format: str, *args: object) -> None:
        pass

    @property
    def _api(self) -> RuntimeAPI:
        return cast(_Server, self.server).api

    def do_GET(self) -> None:
        if self.path != _NEXT:
            return self._refuse(404, "NotFound", f"no such resource: {self.path}")
        invocation = self._api.next()
        if invocation is None:
            return self._refuse(410, "Gone", "the execution environment is shutting down")
        return self._reply(200, invocation.payload, invocation.headers())

    def do_POST(self) -> None:
        route = _ROUTE.fullmatch(self.path)
        if not route:
            self.close_connection = True  # the body is not read
            return self._refuse(404, "NotFound", f"no such resource: {self.path}")
        try:
            body, trailers = read_body(self.headers, self.rfile, MAX_RESPONSE)
        except BodyTooLargeError:
            return self._too_large(route["id"] or "")
        if route["init"]:
            self._api.emit(InitFailure(body))
        elif not self._api.take(route["id"]):
            return self._refuse(400, "InvalidRequestID", f"{route['id']} is not under way")
        else:
            self._api.emit(_outcome(route["what"], body, trailers))
        return self._reply(202, b'{"status":"OK"}\n', {"Content-Type": "application/json"})

    def _too_large(self, request_id: str) -> None:
        message = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
        if self._api.take(request_id):
            self._api.emit(failure("Function.ResponseSizeTooLarge", message))
        self._refuse(413, "RequestEntityTooLarge", message)

    def _refuse(self, code: int, kind: str, message: str) -> None:
        self._reply(code, failure(kind, message).payload, {"Content-Type": "application/json"})

    def _reply(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def failure(kind: str, message: str) -> Failure:
    """An error document of Lambda's own."""
    return Failure(json.dumps({"errorMessage": message, "errorType": kind}).encode())


def _outcome(what: str, body: bytes, trailers: dict[str, str]) -> Event:
    """The event of an answer. A function that streams reports an error at the end, in trailers."""
    if what == "error":
        return Failure(body)
    if kind := trailers.get("lambda-runtime-function-error-type"):
        try:
            return Failure(base64.b64decode(trailers.get("lambda-runtime-function-error-body", ""), validate=True))
        except binascii.Error:
            return failure(kind, "the function's error could not be decoded")
    return Response(body)
