import io
from email.message import Message

import pytest

from millrace_localstack.executor.http_body import BodyTooLargeError, read_body


def headers(**members: str) -> Message:
    message = Message()
    for name, value in members.items():
        message[name.replace("_", "-")] = value
    return message


CHUNKED = headers(Transfer_Encoding="chunked")


def test_a_body_of_a_known_length() -> None:
    stream = io.BytesIO(b"hello and more")
    assert read_body(headers(Content_Length="5"), stream, 5) == (b"hello", {})
    assert stream.read() == b" and more"


def test_a_body_in_chunks_with_extensions_and_trailers() -> None:
    stream = io.BytesIO(b"5;x=1\r\nhello\r\n1\r\n!\r\n0\r\nError-Type: Oops\r\nEmpty:\r\n\r\nGET")
    assert read_body(CHUNKED, stream, 6) == (b"hello!", {"error-type": "Oops", "empty": ""})
    assert stream.read() == b"GET"


def test_what_is_too_large_is_read_to_its_end() -> None:
    for head, data in (
        (headers(Content_Length="6"), b"123456GET"),
        (CHUNKED, b"3\r\n123\r\n3\r\n456\r\n0\r\n\r\nGET"),
    ):
        stream = io.BytesIO(data)
        with pytest.raises(BodyTooLargeError):
            read_body(head, stream, 5)
        assert stream.read() == b"GET"


@pytest.mark.parametrize("data", [b"", b"5\r\nhel", b"5\r\nhello\r\n", b"0\r\nError-Type: O"])
def test_what_breaks_off_is_an_error(data: bytes) -> None:
    with pytest.raises((EOFError, ValueError)):
        read_body(CHUNKED, io.BytesIO(data), 100)
    with pytest.raises(EOFError):
        read_body(headers(Content_Length="9"), io.BytesIO(data[:5]), 100)
