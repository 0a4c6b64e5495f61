import json

from millrace_localstack.kafka.record import Partition, Source, new_record

from .records import record


def test_an_event_is_the_json_that_lambda_sends() -> None:
    arn = "arn:aws:kafka:us-east-1:000000000000:cluster/c/1"
    source = Source("a:9092,b:9092", arn)
    event = json.loads(source.event([record(4), record(5), record(7, partition=1)]))
    assert event.pop("records").keys() == {"t-0", "t-1"}
    assert event == {"eventSource": "aws:kafka", "eventSourceArn": arn, "bootstrapServers": "a:9092,b:9092"}


def test_a_self_managed_event_has_no_arn() -> None:
    event = json.loads(Source("a:9092").event([]))
    assert event == {"eventSource": "SelfManagedKafka", "bootstrapServers": "a:9092", "records": {}}


def test_a_record_without_key_and_with_a_broker_timestamp() -> None:
    made = new_record(Partition("t", 0), 1, 5, log_append_time=True, value=b"", headers=[("h", None)])
    assert json.loads(made.text) == {
        "topic": "t", "partition": 0, "offset": 1, "timestamp": 5, "timestampType": "LOG_APPEND_TIME",
        "headers": [{"h": []}], "value": "",
    }  # fmt: skip
