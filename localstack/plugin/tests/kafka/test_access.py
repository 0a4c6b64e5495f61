import json

import pytest

from millrace_localstack.kafka.access import security_settings
from millrace_localstack.kafka.mapping import InvalidMappingError

SECRETS = {
    "login": {"username": "u", "password": "p"},
    "ca": {"certificate": "CA"},
    "client": {"certificate": "CERT", "privateKey": "KEY", "privateKeyPassword": "PASS"},
    "half": {"username": "u"},
}


def settings(*access: tuple[str, str]) -> dict[str, str | int | bool]:
    return security_settings(access, lambda uri: json.dumps(SECRETS[uri]))


def test_none_is_plain_text_wherever_the_pollers_are() -> None:
    assert settings() == {}
    assert settings(("VPC_SUBNET", "subnet:s"), ("VPC_SECURITY_GROUP", "security_group:g")) == {}


@pytest.mark.parametrize(
    ("kind", "mechanism"),
    [("BASIC_AUTH", "PLAIN"), ("SASL_SCRAM_256_AUTH", "SCRAM-SHA-256"), ("SASL_SCRAM_512_AUTH", "SCRAM-SHA-512")],
)
def test_sasl_is_over_tls(kind: str, mechanism: str) -> None:
    assert settings((kind, "login"), ("SERVER_ROOT_CA_CERTIFICATE", "ca")) == {
        "security.protocol": "SASL_SSL", "sasl.mechanism": mechanism,
        "sasl.username": "u", "sasl.password": "p", "ssl.ca.pem": "CA",
    }  # fmt: skip


def test_a_client_certificate() -> None:
    assert settings(("CLIENT_CERTIFICATE_TLS_AUTH", "client")) == {
        "security.protocol": "SSL", "ssl.certificate.pem": "CERT", "ssl.key.pem": "KEY",
        "ssl.key.password": "PASS",
    }  # fmt: skip


def test_what_is_wrong_is_said_without_the_secret() -> None:
    with pytest.raises(InvalidMappingError, match="secret half of BASIC_AUTH has no text password"):
        settings(("BASIC_AUTH", "half"))
    with pytest.raises(InvalidMappingError, match="secret x is no JSON object$"):
        security_settings([("BASIC_AUTH", "x")], lambda _: "hunter2")
    with pytest.raises(InvalidMappingError, match="VIRTUAL_HOST cannot be used"):
        settings(("VIRTUAL_HOST", "/"))
