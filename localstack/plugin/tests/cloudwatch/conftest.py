"""The LocalStack and the function of the tests beside these."""

from ..integration.conftest import deploy, localstack, probe, probe_zip

__all__ = ["deploy", "localstack", "probe", "probe_zip"]
