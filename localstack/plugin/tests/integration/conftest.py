"""A LocalStack with this plugin, from the sources, for the tests that need one; and Kafka where there is one."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import pytest

from .kafka_topic import Topic
from .waiting import wait_until

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::000000000000:role/probe"
MSK_ARN = "arn:aws:kafka:us-east-1:000000000000:cluster/probe/5b4c9f3e-0000-4000-8000-000000000000-1"


@dataclass
class LocalStack:
    """A running LocalStack; client gives boto3 clients of it."""

    endpoint: str
    log: Path
    pid: int

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=60),
        )


@dataclass
class Probe:
    """The function of testdata/probe, deployed. events and orders are how it talks with the tests."""

    name: str
    arn: str
    client: Any
    events_file: Path
    orders_file: Path
    cleanup: list[Callable[[], object]] = field(default_factory=list)

    def invoke(self, event: object, **options: object) -> dict[str, Any]:
        """Invokes the function; the answer has Payload decoded."""
        answer = self.client.invoke(FunctionName=self.name, Payload=json.dumps(event), **options)
        return {**answer, "Payload": json.loads(answer["Payload"].read())}

    def order(self, **orders: object) -> None:
        """Says how to answer Kafka events from now on. Written at once: the function may be reading."""
        new = self.orders_file.with_suffix(".new")
        new.write_text(json.dumps(orders))
        new.replace(self.orders_file)

    def events(self) -> list[dict[str, Any]]:
        """The Kafka events of all invocations so far."""
        if not self.events_file.exists():
            return []
        return [json.loads(line) for line in self.events_file.read_text().splitlines()]

    def offsets(self) -> list[list[tuple[str, int]]]:
        """For each event, its records as (topic-partition, offset)."""
        return [[(p, r["offset"]) for p, records in e["records"].items() for r in records] for e in self.events()]


@pytest.fixture(scope="session")
def localstack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    state = tmp_path_factory.mktemp("localstack")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    log = state / "log"
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(_entry_points(state)), str(ROOT / "src")]),
        "XDG_CACHE_HOME": str(state / "cache"),  # where plux keeps the entry points it found
        # A machine with /.dockerenv makes LocalStack use folders that all LocalStacks of the machine share.
        "OVERRIDE_IN_DOCKER": "0",
        "FILESYSTEM_ROOT": str(state / "data"),
        "TMPDIR": str(state / "data"),
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_HOST": f"localhost:{port}",
        "SQS_ENDPOINT_STRATEGY": "path",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "DNS_ADDRESS": "0",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "SQS_CLOUDWATCH_METRICS_REPORT_INTERVAL": "1",
        "LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC": "0.001",
        "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC": "0.2",
        "MILLRACE_KAFKA_BOOTSTRAP": f"{MSK_ARN}={os.environ.get('MILLRACE_KAFKA', '')}",
    }
    (state / "data").mkdir()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "localstack.runtime.main"], env=env, stdout=out, stderr=subprocess.STDOUT
        )
    server = LocalStack(f"http://127.0.0.1:{port}", log, process.pid)
    try:
        wait_until(lambda: _healthy(server.endpoint, process), 60, lambda: log.read_text()[-2000:])
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _entry_points(state: Path) -> Path:
    """A folder for the module path that declares the plugin, as its installation would."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = state / "dist" / f"millrace_localstack-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in points.items())
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups))
    return info.parent


def _healthy(endpoint: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "LocalStack ended"
    try:
        with urllib.request.urlopen(f"{endpoint}/_localstack/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="session")
def probe_zip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    binary = tmp_path_factory.mktemp("probe") / "bootstrap"
    subprocess.run(
        ["go", "build", "-tags", "lambda.norpc", "-o", str(binary), "./testdata/probe"],
        cwd=ROOT / "tests", env={**os.environ, "CGO_ENABLED": "0"}, check=True,
    )  # fmt: skip
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = 0o755 << 16
        archive.writestr(info, binary.read_bytes(), zipfile.ZIP_DEFLATED)
    return data.getvalue()


@pytest.fixture
def deploy(localstack: LocalStack, probe_zip: bytes, tmp_path: Path) -> Iterator[Callable[..., Probe]]:
    """Deploys a probe of its own; keyword arguments are those of create_function, env its variables."""
    client, probes = localstack.client("lambda"), []

    def make(env: dict[str, str] | None = None, **options: object) -> Probe:
        name = f"probe-{uuid.uuid4().hex[:8]}"
        events, orders = tmp_path / f"{name}.events", tmp_path / f"{name}.orders"
        variables = {**(env or {}), "PROBE_EVENTS": str(events), "PROBE_ORDERS": str(orders)}
        created = client.create_function(
            **{
                "FunctionName": name, "Role": ROLE, "Runtime": "provided.al2023", "Handler": "bootstrap",
                "Code": {"ZipFile": probe_zip}, "Timeout": 10, "Environment": {"Variables": variables},
                **options,
            }
        )  # fmt: skip
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        probes.append(Probe(name, created["FunctionArn"], client, events, orders))
        return probes[-1]

    yield make
    for probe in probes:
        for undo in reversed(probe.cleanup):
            undo()
        client.delete_function(FunctionName=probe.name)


@pytest.fixture
def probe(deploy: Callable[..., Probe]) -> Probe:
    return deploy()


@pytest.fixture(scope="session")
def brokers() -> str:
    """A Kafka's bootstrap servers; where there is none the test is skipped, or fails if it is required."""
    servers = os.environ.get("MILLRACE_KAFKA", "")
    if not servers:
        if "kafka" in os.environ.get("MILLRACE_REQUIRE", ""):
            pytest.fail("MILLRACE_REQUIRE names kafka, but MILLRACE_KAFKA names no brokers")
        pytest.skip("MILLRACE_KAFKA names no brokers: see README.md")
    return servers


@pytest.fixture
def topic(brokers: str) -> Iterator[Topic]:
    """A topic of two partitions, gone after the test."""
    new = Topic(f"probe-{uuid.uuid4().hex[:8]}", brokers)
    new.create(partitions=2)
    yield new
    new.delete()


@dataclass
class SecureKafka:
    """A Kafka that wants TLS and SASL/SCRAM; certificate is that of its authority, in PEM."""

    servers: str
    certificate: str
    user: str
    password: str

    def client(self) -> dict[str, str]:
        return {
            "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "ssl.ca.pem": self.certificate,
            "sasl.username": self.user, "sasl.password": self.password,
        }  # fmt: skip


@pytest.fixture(scope="session")
def secure_kafka(brokers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """Where there is a Kafka for tests, a second one can be started."""
    state = tmp_path_factory.mktemp("securekafka")
    program = state / "securekafka"
    subprocess.run(["go", "build", "-o", str(program), "./testdata/securekafka"], cwd=ROOT / "tests", check=True)
    user, password = "probe", uuid.uuid4().hex
    with subprocess.Popen(
        [str(program), str(state / "kafka"), user, password], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        where = json.loads(process.stdout.readline())
        yield SecureKafka(where["servers"], where["certificate"], user, password)
        process.communicate()  # the end of its input stops it
