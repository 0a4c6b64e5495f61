"""How to reach a Kafka cluster: TLS and SASL from the mapping's secrets.

https://docs.aws.amazon.com/lambda/latest/dg/kafka-cluster-auth.html
"""

import json
from collections.abc import Callable, Iterable

from .mapping import InvalidMappingError

_SASL = {
    "BASIC_AUTH": "PLAIN",
    "SASL_SCRAM_256_AUTH": "SCRAM-SHA-256",
    "SASL_SCRAM_512_AUTH": "SCRAM-SHA-512",
}

# Secret member -> librdkafka setting, for each type that is a secret.
_CREDENTIALS = {"username": "sasl.username", "password": "sasl.password"}
_SECRETS = {
    **dict.fromkeys(_SASL, _CREDENTIALS),
    "SERVER_ROOT_CA_CERTIFICATE": {"certificate": "ssl.ca.pem"},
    "CLIENT_CERTIFICATE_TLS_AUTH": {"certificate": "ssl.certificate.pem", "privateKey": "ssl.key.pem"},
}


def security_settings(
    access: Iterable[tuple[str, str]], read_secret: Callable[[str], str]
) -> dict[str, str | int | bool]:
    """librdkafka's settings for a mapping's SourceAccessConfigurations; none means plain text.

    As with Lambda, SASL is always over TLS. read_secret gets a secret's URI; what it raises is passed on.
    """
    settings: dict[str, str | int | bool] = {}
    for kind, uri in access:
        if kind.startswith("VPC_"):
            continue  # where the pollers' network interfaces are; here is only one network
        members = _SECRETS.get(kind)
        if members is None:
            raise InvalidMappingError(f"SourceAccessConfigurations: {kind} cannot be used with Kafka")
        secret = _object(uri, read_secret(uri))
        for member, setting in members.items():
            if not isinstance(secret.get(member), str):
                raise InvalidMappingError(f"secret {uri} of {kind} has no text {member}")
            settings[setting] = secret[member]
        if password := secret.get("privateKeyPassword"):
            settings["ssl.key.password"] = password
        if kind in _SASL:
            settings["sasl.mechanism"] = _SASL[kind]
    if settings:
        settings["security.protocol"] = "SASL_SSL" if "sasl.mechanism" in settings else "SSL"
    return settings


def _object(uri: str, text: str) -> dict[str, str]:
    try:
        secret = json.loads(text)
    except ValueError:
        secret = None
    if not isinstance(secret, dict):
        raise InvalidMappingError(f"secret {uri} is no JSON object")  # its text must not get into a log
    return secret
