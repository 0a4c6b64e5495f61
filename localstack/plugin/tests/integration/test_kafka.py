"""Event source mappings through the whole of LocalStack, with a real Kafka."""

import base64
import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import MSK_ARN, LocalStack, Probe, SecureKafka
from .kafka_topic import Topic
from .waiting import wait_until

pytestmark = pytest.mark.usefixtures("brokers")  # first: without Kafka LocalStack need not start

type Offsets = list[tuple[str, int]]


@pytest.fixture
def subscribe(probe: Probe, topic: Topic) -> Callable[..., dict[str, Any]]:
    """Maps the topic to the probe; keyword arguments are those of create_event_source_mapping."""

    def make(**options: Any) -> dict[str, Any]:
        if "EventSourceArn" not in options:
            options = {
                "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": topic.brokers.split(",")}},
                "SourceAccessConfigurations": [],
                **options,
            }
        mapping: dict[str, Any] = probe.client.create_event_source_mapping(
            **{"FunctionName": probe.name, "Topics": [topic.name], "StartingPosition": "TRIM_HORIZON", **options}
        )
        probe.cleanup.append(lambda: delete(probe, mapping["UUID"]))
        return mapping

    return make


def delete(probe: Probe, mapping: str) -> None:
    probe.client.delete_event_source_mapping(UUID=mapping)
    wait_until(lambda: state(probe, mapping) == "gone")


def state(probe: Probe, mapping: str) -> str:
    try:
        return str(probe.client.get_event_source_mapping(UUID=mapping)["State"])
    except probe.client.exceptions.ResourceNotFoundException:
        return "gone"


def group_of(mapping: dict[str, Any]) -> str:
    config = mapping.get("SelfManagedKafkaEventSourceConfig") or mapping["AmazonManagedKafkaEventSourceConfig"]
    return str(config["ConsumerGroupId"])


def wait_for_commit(topic: Topic, mapping: dict[str, Any], offsets: dict[int, int]) -> None:
    group = group_of(mapping)
    wait_until(lambda: offsets.items() <= topic.committed(group).items(), explain=lambda: topic.committed(group))


def wait_for_start(topic: Topic, mapping: dict[str, Any]) -> None:
    """Until the poller has its partitions: it commits where it starts."""
    wait_until(lambda: len(topic.committed(group_of(mapping))) == 2)


def seen(probe: Probe) -> Offsets:
    return [record for event in probe.offsets() for record in event]


@pytest.fixture
def destination(localstack: LocalStack) -> Any:
    """An SQS queue; its messages come as decoded JSON from receive()."""

    class Queue:
        def __init__(self) -> None:
            self.client = localstack.client("sqs")
            self.url = self.client.create_queue(QueueName=f"failed-{uuid.uuid4().hex[:8]}")["QueueUrl"]
            self.arn = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])[
                "Attributes"
            ]["QueueArn"]

        def receive(self) -> list[dict[str, Any]]:
            answer = self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                self.client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            return [json.loads(m["Body"]) for m in answer.get("Messages", [])]

        def config(self) -> dict[str, Any]:
            return {"OnFailure": {"Destination": self.arn}}

    return Queue()


def test_a_record_arrives_as_lambda_describes_it(
    probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]]
) -> None:
    mapping = subscribe(SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": f"group-{topic.name}"})
    topic.send(
        b"\xffvalue", partition=1, key=b"key", headers=[("trace", b"\x7f\xc8")], timestamp=1_700_000_000_123
    )
    topic.send(None, partition=0)  # type: ignore[arg-type]
    wait_for_commit(topic, mapping, {0: 1, 1: 1})
    assert group_of(mapping) == f"group-{topic.name}"
    event = next(e for e in probe.events() if f"{topic.name}-1" in e["records"])
    assert event["eventSource"] == "SelfManagedKafka"
    assert event["bootstrapServers"] == topic.brokers
    assert event["records"][f"{topic.name}-1"] == [
        {
            "topic": topic.name, "partition": 1, "offset": 0, "timestamp": 1_700_000_000_123,
            "timestampType": "CREATE_TIME", "key": base64.b64encode(b"key").decode(),
            "value": base64.b64encode(b"\xffvalue").decode(), "headers": [{"trace": [127, -56]}],
        }
    ]  # fmt: skip
    tombstone = next(e for e in probe.events() if f"{topic.name}-0" in e["records"])
    assert "value" not in tombstone["records"][f"{topic.name}-0"][0]


def test_an_msk_cluster(probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]]) -> None:
    mapping = subscribe(EventSourceArn=MSK_ARN)
    topic.send("a")
    wait_for_commit(topic, mapping, {0: 1})
    (event,) = probe.events()
    assert (event["eventSource"], event["eventSourceArn"]) == ("aws:kafka", MSK_ARN)
    assert group_of(mapping) == mapping["UUID"]


def test_a_mapping_of_an_alias_invokes_that_version(
    probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]]
) -> None:
    version = probe.client.publish_version(FunctionName=probe.name)["Version"]
    alias = probe.client.create_alias(FunctionName=probe.name, Name="live", FunctionVersion=version)["AliasArn"]
    mapping = subscribe(FunctionName=alias)
    assert mapping["FunctionArn"] == alias
    topic.send("a")
    wait_for_commit(topic, mapping, {0: 1})
    assert probe.invoke({"do": "describe"}, Qualifier="live")["Payload"]["version"] == version
    assert len(probe.events()) == 1


def test_batch_size_and_window(probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]]) -> None:
    topic.send(*(str(n) for n in range(250)))
    mapping = subscribe(BatchSize=100, MaximumBatchingWindowInSeconds=1)
    wait_for_commit(topic, mapping, {0: 250})
    assert [len(event) for event in probe.offsets()] == [100, 100, 50]
    assert seen(probe) == [(f"{topic.name}-0", n) for n in range(250)]


def test_filters(probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]]) -> None:
    pattern = {"value": {"kind": ["order"], "amount": [{"numeric": [">", 10]}]}}
    mapping = subscribe(FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    topic.send(
        '{"kind":"order","amount":11}', '{"kind":"order","amount":9}', "plain text", b"\xff",
        '{"kind":"visit","amount":12}', '{"kind":"order","amount":12}', '{"kind":"order"}',
    )  # fmt: skip
    wait_for_commit(topic, mapping, {0: 7})  # what is left out is committed too
    assert seen(probe) == [(f"{topic.name}-0", 0), (f"{topic.name}-0", 5)]
    topic.send("plain text")
    wait_for_commit(topic, mapping, {0: 8})
    assert len(seen(probe)) == 2


@pytest.mark.parametrize(
    ("start", "expected"),
    [("TRIM_HORIZON", [0, 1, 2, 3]), ("LATEST", [3]), ("AT_TIMESTAMP", [1, 2, 3])],
)
def test_starting_positions(
    probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]], start: str, expected: list[int]
) -> None:
    then = int(time.time()) - 1000
    for age in (500, 300, 100):
        topic.send("old", timestamp=(then + 500 - age) * 1000)
    at = {"StartingPositionTimestamp": datetime.fromtimestamp(then + 100, UTC)} if start == "AT_TIMESTAMP" else {}
    mapping = subscribe(StartingPosition=start, **at)
    wait_for_start(topic, mapping)
    topic.send("new")
    wait_for_commit(topic, mapping, {0: 4})
    assert seen(probe) == [(f"{topic.name}-0", n) for n in expected]


def test_a_failed_batch_is_retried_whole_until_it_passes(
    probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]]
) -> None:
    probe.order(fail=[f"{topic.name}-0@1"])
    topic.send("a", "b", "c")
    mapping = subscribe()
    whole = [(f"{topic.name}-0", n) for n in range(3)]
    wait_until(lambda: probe.offsets().count(whole) >= 3)
    assert topic.committed(group_of(mapping)).get(0) == 0
    probe.order()
    wait_for_commit(topic, mapping, {0: 3})
    assert all(event == whole for event in probe.offsets())


def test_a_partial_batch_response_retries_from_the_failed_record(
    probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]]
) -> None:
    name = f"{topic.name}-0"
    probe.order(report=[f"{name}@3", f"{name}@2"])
    topic.send("a", "b", "c", "d")
    mapping = subscribe(FunctionResponseTypes=["ReportBatchItemFailures"])
    wait_for_commit(topic, mapping, {0: 2})
    wait_until(lambda: len(probe.events()) > 1)
    probe.order()
    wait_for_commit(topic, mapping, {0: 4})
    assert probe.offsets()[0] == [(name, n) for n in range(4)]
    assert all(event == [(name, 2), (name, 3)] for event in probe.offsets()[1:])


def test_a_response_about_another_record_fails_the_batch(
    probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]]
) -> None:
    probe.order(malformed=True)
    topic.send("a", "b")
    mapping = subscribe(FunctionResponseTypes=["ReportBatchItemFailures"])
    wait_until(lambda: len(probe.events()) > 1)
    assert topic.committed(group_of(mapping)).get(0) == 0
    probe.order()
    wait_for_commit(topic, mapping, {0: 2})


def test_retries_run_out_and_the_destination_learns_what_was_given_up(
    probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]], destination: Any
) -> None:
    probe.order(fail=[f"{topic.name}-1@0"])
    topic.send("a", "b", partition=1, timestamp=1_700_000_000_123)
    mapping = subscribe(MaximumRetryAttempts=2, DestinationConfig=destination.config())
    (message,) = wait_until(destination.receive)
    wait_for_commit(topic, mapping, {1: 2})
    assert len(probe.events()) == 3
    request, response, info = (message[k] for k in ("requestContext", "responseContext", "KafkaBatchInfo"))
    assert request["functionArn"] == probe.arn
    assert request["condition"] == "RetryAttemptsExhausted"
    assert request["approximateInvokeCount"] == 3
    assert response == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert info["batchSize"] == 2
    assert info["recordsInfo"] == {
        f"{topic.name}-1": {
            "firstRecordOffset": "0", "lastRecordOffset": "1",
            "firstRecordTimestamp": "2023-11-14T22:13:20.123Z", "lastRecordTimestamp": "2023-11-14T22:13:20.123Z",
        }
    }  # fmt: skip


def test_bisecting_finds_the_poisonous_record(
    probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]], destination: Any
) -> None:
    probe.order(fail=[f"{topic.name}-0@5"])
    topic.send(*(str(n) for n in range(8)))
    mapping = subscribe(
        BisectBatchOnFunctionError=True, MaximumRetryAttempts=1, DestinationConfig=destination.config()
    )
    wait_for_commit(topic, mapping, {0: 8})
    (message,) = wait_until(destination.receive)
    info = message["KafkaBatchInfo"]["recordsInfo"][f"{topic.name}-0"]
    assert (info["firstRecordOffset"], info["lastRecordOffset"]) == ("5", "5")
    passed = [offset for event in probe.offsets() if (f"{topic.name}-0", 5) not in event for _, offset in event]
    assert passed == [0, 1, 2, 3, 4, 6, 7]  # each once, in order


def test_aged_records_are_given_up_without_an_invocation(
    probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]], destination: Any
) -> None:
    topic.send("old", timestamp=int((time.time() - 3600) * 1000))
    topic.send("new")
    mapping = subscribe(MaximumRecordAgeInSeconds=60, DestinationConfig=destination.config())
    wait_for_commit(topic, mapping, {0: 2})
    (message,) = wait_until(destination.receive)
    assert message["requestContext"]["condition"] == "RecordAgeExceeded"
    assert message["responseContext"] is None
    assert message["KafkaBatchInfo"]["recordsInfo"][f"{topic.name}-0"]["lastRecordOffset"] == "0"
    assert seen(probe) == [(f"{topic.name}-0", 1)]


def test_a_payload_stays_within_6_mb(probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]]) -> None:
    topic.send(*(bytes(900_000) for _ in range(12)))  # 1.2 MB each in the event
    mapping = subscribe(MaximumBatchingWindowInSeconds=1)
    wait_for_commit(topic, mapping, {0: 12})
    assert seen(probe) == [(f"{topic.name}-0", n) for n in range(12)]
    sizes = [len(line) for line in probe.events_file.read_bytes().splitlines()]
    assert max(sizes) <= 6 * 1024 * 1024
    assert len(sizes) < 6  # and it is made use of


def test_a_record_beyond_6_mb_is_given_up(
    probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]], localstack: LocalStack, destination: Any
) -> None:
    sns = localstack.client("sns")
    arn = sns.create_topic(Name=f"failed-{topic.name}")["TopicArn"]
    sns.subscribe(
        TopicArn=arn, Protocol="sqs", Endpoint=destination.arn, Attributes={"RawMessageDelivery": "true"}
    )
    topic.allow_message_bytes(8 << 20)
    topic.send("before", bytes(5_000_000), "after")
    mapping = subscribe(DestinationConfig={"OnFailure": {"Destination": arn}})
    wait_for_commit(topic, mapping, {0: 3})
    (message,) = wait_until(destination.receive)
    assert message["requestContext"]["condition"] == "MaximumPayloadSizeExceeded"
    assert message["responseContext"] is None
    assert message["KafkaBatchInfo"]["payloadSize"] > 6 * 1024 * 1024
    assert seen(probe) == [(f"{topic.name}-0", 0), (f"{topic.name}-0", 2)]


def test_a_topic_that_is_made_later_is_taken_up(
    probe: Probe, topic: Topic, localstack: LocalStack, subscribe: Callable[..., dict[str, Any]]
) -> None:
    topic.delete()
    mapping = subscribe()
    missing = f"event source mapping {mapping['UUID']}: KafkaError{{code=UNKNOWN_TOPIC_OR_PART"
    wait_until(lambda: missing in localstack.log.read_text(), explain=lambda: "it has not looked for the topic")
    topic.create(partitions=2)
    topic.send("a", partition=1)
    wait_for_commit(topic, mapping, {0: 0, 1: 1})
    assert seen(probe) == [(f"{topic.name}-1", 0)]


def test_disabling_stops_and_enabling_goes_on_where_it_was(
    probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]]
) -> None:
    mapping = subscribe()
    topic.send("a")
    wait_for_commit(topic, mapping, {0: 1})
    probe.client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    wait_until(lambda: state(probe, mapping["UUID"]) == "Disabled")
    wait_until(lambda: topic.members(group_of(mapping)) == 0)
    topic.send("b")
    assert len(seen(probe)) == 1
    probe.client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    wait_for_commit(topic, mapping, {0: 2})
    assert seen(probe) == [(f"{topic.name}-0", 0), (f"{topic.name}-0", 1)]


def test_deleting_a_mapping_ends_its_consumer_even_while_a_batch_fails(
    probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]]
) -> None:
    probe.order(fail=[f"{topic.name}-0@0"])
    topic.send("a")
    mapping = subscribe()
    wait_until(lambda: len(probe.events()) > 1)
    probe.cleanup.pop()
    delete(probe, mapping["UUID"])
    wait_until(lambda: topic.members(group_of(mapping)) == 0)


def test_partitions_move_to_another_member_and_nothing_is_lost(
    probe: Probe, topic: Topic, subscribe: Callable[..., dict[str, Any]]
) -> None:
    probe.order(fail=[f"{topic.name}-1@0"])
    mapping = subscribe(SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": topic.name}, BatchSize=1)
    topic.send("a", "b", partition=1)
    wait_until(lambda: len(probe.events()) > 1)
    with topic.member(topic.name) as given:  # takes one of the two partitions
        wait_until(lambda: len(given) == 1)
        probe.order()
    wait_for_commit(topic, mapping, {1: 2})
    offsets = {offset for partition, offset in seen(probe) if partition == f"{topic.name}-1"}
    assert offsets == {0, 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::bucket"}}}, "only SQS queues and SNS"),
        ({"StartingPosition": "AT_TIMESTAMP"}, "needs StartingPositionTimestamp"),
        ({"EventSourceArn": MSK_ARN.replace("probe", "other")}, "MILLRACE_KAFKA_BOOTSTRAP does not say"),
    ],
)
def test_what_cannot_be_polled_is_refused(
    subscribe: Callable[..., dict[str, Any]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        subscribe(**options)


def test_tls_and_scram_from_secrets(probe: Probe, localstack: LocalStack, secure_kafka: SecureKafka) -> None:
    secrets = localstack.client("secretsmanager")

    def secret(**members: str) -> str:
        return str(secrets.create_secret(Name=uuid.uuid4().hex, SecretString=json.dumps(members))["ARN"])

    topic = Topic(f"probe-{uuid.uuid4().hex[:8]}", secure_kafka.servers, secure_kafka.client())
    topic.create(partitions=2)
    topic.send("a")
    login = secret(username=secure_kafka.user, password="a wrong one")
    mapping = probe.client.create_event_source_mapping(
        FunctionName=probe.name, Topics=[topic.name], StartingPosition="TRIM_HORIZON",
        SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [topic.brokers]}},
        SourceAccessConfigurations=[
            {"Type": "SASL_SCRAM_512_AUTH", "URI": login},
            {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": secret(certificate=secure_kafka.certificate)},
        ],
    )  # fmt: skip
    probe.cleanup.append(lambda: delete(probe, mapping["UUID"]))
    wait_until(lambda: "uthentication failed" in localstack.log.read_text())
    # A rotated secret is read again.
    secrets.put_secret_value(
        SecretId=login,
        SecretString=json.dumps({"username": secure_kafka.user, "password": secure_kafka.password}),
    )
    wait_for_commit(topic, mapping, {0: 1})
    assert seen(probe) == [(f"{topic.name}-0", 0)]
    assert secure_kafka.password not in localstack.log.read_text()
