import base64
import http.client
import json
import queue
from collections.abc import Iterator
from typing import Any

import pytest

from millrace_localstack.executor.plugin import decode_client_context
from millrace_localstack.executor.runtime_api import (
    Event,
    Failure,
    InitFailure,
    Invocation,
    Ready,
    Response,
    RuntimeAPI,
)

BASE = "/2018-06-01/runtime"
INVOCATION = Invocation("id-1", b'{"a":1}', "arn:function", 1_700_000_000_000, "Root=1", '{"custom":{}}')


class Runtime:
    """A function's side of the API."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.api = RuntimeAPI(self.events.put)
        self.connection = http.client.HTTPConnection(self.api.address, timeout=10)

    def call(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> tuple[http.client.HTTPResponse, bytes]:
        self.connection.request(method, BASE + path, body, **options)
        response = self.connection.getresponse()
        return response, response.read()

    def event(self) -> Event:
        return self.events.get(timeout=10)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    runtime = Runtime()
    yield runtime
    runtime.connection.close()
    runtime.api.close()


def test_an_invocation_and_its_answer(runtime: Runtime) -> None:
    runtime.api.offer(INVOCATION)
    response, body = runtime.call("GET", "/invocation/next")
    assert (response.status, body) == (200, b'{"a":1}')
    assert response.headers["Lambda-Runtime-Aws-Request-Id"] == "id-1"
    assert response.headers["Lambda-Runtime-Deadline-Ms"] == "1700000000000"
    assert response.headers["Lambda-Runtime-Invoked-Function-Arn"] == "arn:function"
    assert response.headers["Lambda-Runtime-Trace-Id"] == "Root=1"
    assert response.headers["Lambda-Runtime-Client-Context"] == '{"custom":{}}'
    assert runtime.call("POST", "/invocation/id-1/response", b"done")[0].status == 202
    assert [runtime.event(), runtime.event()] == [Ready(), Response(b"done")]


def test_an_error_in_chunks(runtime: Runtime) -> None:
    runtime.api.offer(INVOCATION)
    runtime.call("GET", "/invocation/next")
    response, _ = runtime.call(
        "POST", "/invocation/id-1/error", iter([b'{"error', b'Type":"E"}']), encode_chunked=True
    )
    assert response.status == 202
    assert [runtime.event(), runtime.event()] == [Ready(), Failure(b'{"errorType":"E"}')]


def test_an_error_that_a_streamed_answer_ends_with(runtime: Runtime) -> None:
    runtime.api.offer(INVOCATION)
    runtime.call("GET", "/invocation/next")
    document = b'{"errorType":"E","errorMessage":"m"}'
    connection = runtime.connection
    connection.putrequest("POST", BASE + "/invocation/id-1/response")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    trailer = b"Lambda-Runtime-Function-Error-Type: E\r\nLambda-Runtime-Function-Error-Body: "
    connection.send(b"4\r\nhalf\r\n0\r\n" + trailer + base64.b64encode(document) + b"\r\n\r\n")
    assert connection.getresponse().status == 202
    assert [runtime.event(), runtime.event()] == [Ready(), Failure(document)]


def test_a_failed_start(runtime: Runtime) -> None:
    assert runtime.call("POST", "/init/error", b"{}")[0].status == 202
    assert runtime.event() == InitFailure(b"{}")


def test_only_the_invocation_under_way_can_be_answered_and_once(runtime: Runtime) -> None:
    assert runtime.call("POST", "/invocation/id-1/response", b"early")[0].status == 400
    runtime.api.offer(INVOCATION)
    runtime.call("GET", "/invocation/next")
    assert runtime.call("POST", "/invocation/id-0/response", b"other")[0].status == 400
    assert runtime.call("POST", "/invocation/id-1/response", b"first")[0].status == 202
    response, body = runtime.call("POST", "/invocation/id-1/error", b"second")
    assert (response.status, json.loads(body)["errorType"]) == (400, "InvalidRequestID")
    assert [runtime.event(), runtime.event()] == [Ready(), Response(b"first")]
    assert runtime.events.empty()


def test_other_paths_are_not_found(runtime: Runtime) -> None:
    assert runtime.call("GET", "/invocation/id-1/response")[0].status == 404
    assert runtime.call("POST", "/invocation/next", b"x")[0].status == 404


@pytest.mark.parametrize(
    ("header", "text"),
    [(None, ""), ("", ""), ("e30=", "{}"), ("not base64!", ""), (base64.b64encode(b"no json").decode(), "")],
)
def test_client_context(header: str | None, text: str) -> None:
    assert decode_client_context(header) == text
