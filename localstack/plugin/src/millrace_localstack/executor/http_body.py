"""Reads the body of an HTTP/1.1 request, chunked or not. http.server leaves that to its users."""

from email.message import Message
from typing import Protocol


class Stream(Protocol):
    """What is read from; its read returns less than asked for only at the end."""

    def read(self, size: int, /) -> bytes: ...
    def readline(self, size: int, /) -> bytes: ...


class BodyTooLargeError(Exception):
    """The body is longer than the caller allows."""


def read_body(headers: Message, stream: Stream, limit: int) -> tuple[bytes, dict[str, str]]:
    """Returns the body and its trailers, whose names are in lower case.

    A body of more than limit bytes is read to its end, so that the sender gets an answer, and raises
    BodyTooLargeError; one that breaks off raises EOFError.
    """
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        return _read_chunked(stream, limit)
    body = _Body(limit)
    body.read(stream, int(headers.get("Content-Length") or 0))
    return body.bytes(), {}


class _Body:
    """Collects up to limit bytes; what is beyond is read and dropped."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self._length = 0

    def read(self, stream: Stream, length: int) -> None:
        while length:
            data = stream.read(min(length, 1 << 20))
            if not data:
                raise EOFError("the request breaks off")
            length -= len(data)
            self._length += len(data)
            if self._length <= self._limit:
                self._data += data

    def bytes(self) -> bytes:
        if self._length > self._limit:
            raise BodyTooLargeError
        return bytes(self._data)


def _read_chunked(stream: Stream, limit: int) -> tuple[bytes, dict[str, str]]:
    body = _Body(limit)
    while size := int(_read_line(stream).partition(b";")[0], 16):
        body.read(stream, size)
        _read_line(stream)
    trailers = {}
    while line := _read_line(stream):
        name, _, value = line.decode("latin-1").partition(":")
        trailers[name.strip().lower()] = value.strip()
    return body.bytes(), trailers


def _read_line(stream: Stream) -> bytes:
    line = stream.readline(1 << 16)
    if not line.endswith(b"\n"):
        raise EOFError("the request breaks off")
    return line.rstrip(b"\r\n")
