"""The boto3 clients that call the emulator with the credentials of a session."""

from functools import cache
from threading import Lock
from typing import Any

import boto3
from botocore.config import Config

from emulator.server.iam import Credentials

# The code that uses a client decides about retries and deadlines. Lambda's Invoke may take 15
# minutes.
CONFIG = Config(
    parameter_validation=False,
    retries={"total_max_attempts": 1},
    connect_timeout=60,
    read_timeout=3600,
    max_pool_connections=50,
)
_LOCK = Lock()


def client(service: str, region: str, credentials: Credentials) -> Any:  # noqa: ANN401  # the type depends on the service
    """Return the client of a service, for example "lambda". Each client is created once."""
    with _LOCK:
        return _client(service, region_name=region, **credentials)


@cache
def _client(service: str, **session: Any) -> object:  # noqa: ANN401  # the fields of a session
    return boto3.Session(**session).client(service, config=CONFIG)  # type: ignore[call-overload]  # the overloads need a literal
