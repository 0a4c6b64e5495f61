import json

import pytest

from millrace_localstack.kafka.record import Partition
from millrace_localstack.kafka.response import InvalidResponseError, failed_offsets

SPANS = {Partition("a-b", 0): (10, 20), Partition("a-b", 1): (0, 5)}


@pytest.mark.parametrize(
    "payload", [b"", b" ", b"null", b'""', b"{}", b'{"batchItemFailures":null}', b'{"batchItemFailures":[]}']
)
def test_nothing_reported_is_a_success(payload: bytes) -> None:
    assert failed_offsets(payload, SPANS) == {}


def test_the_lowest_offset_of_each_partition_counts() -> None:
    items = [("a-b-0", 15), ("a-b-0", 12), ("a-b-1", 5), ("a-b-0", 20)]
    response = {"batchItemFailures": [{"itemIdentifier": {"partition": p, "offset": o}} for p, o in items]}
    assert failed_offsets(json.dumps(response).encode(), SPANS) == {
        Partition("a-b", 0): 12,
        Partition("a-b", 1): 5,
    }


@pytest.mark.parametrize(
    "identifier",
    [None, "", "a-b-0-12", {}, {"partition": "a-b-0"}, {"partition": "a-b-0", "offset": "12"},
     {"partition": "a-b-0", "offset": True}, {"partition": "a-b-0", "offset": 21},
     {"partition": "a-b-7", "offset": 12}, {"partition": "nodash", "offset": 12}],
)  # fmt: skip
def test_what_is_not_in_the_batch_is_refused(identifier: object) -> None:
    with pytest.raises(InvalidResponseError):
        failed_offsets(json.dumps({"batchItemFailures": [{"itemIdentifier": identifier}]}).encode(), SPANS)


@pytest.mark.parametrize(
    "payload", [b"{", b'"done"', b"3", b"[]", b'{"batchItemFailures":{"a":1}}', b'{"batchItemFailures":[1]}']
)
def test_what_is_no_response_is_refused(payload: bytes) -> None:
    with pytest.raises(InvalidResponseError):
        failed_offsets(payload, SPANS)
