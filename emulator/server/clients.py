"""Caches the boto3 clients with which emulated services call each other, using a role."""

from functools import cache
from threading import Lock
from typing import Any

import boto3
from botocore.config import Config

from emulator.server.iam import Credentials

# Callers handle retries and timeouts themselves, and an invocation of Lambda may take 15 minutes.
CLIENT_CONFIG = Config(
    parameter_validation=False,
    retries={"total_max_attempts": 1},
    connect_timeout=60,
    read_timeout=3600,
    max_pool_connections=50,
)
_CLIENTS_LOCK = Lock()


def get_client(service: str, region: str, credentials: Credentials) -> Any:  # noqa: ANN401  # the type depends on the service
    """Return a cached boto3 client for a service, for example "lambda"."""
    # Without the lock, two threads could create the same client at the same time.
    with _CLIENTS_LOCK:
        return _create_client(service, region_name=region, **credentials)


@cache
def _create_client(service: str, **session: Any) -> object:  # noqa: ANN401  # boto3.Session has more types
    """Create a client from a new boto3 session with the given arguments."""
    return boto3.Session(**session).client(service, config=CLIENT_CONFIG)  # type: ignore[call-overload]  # the overloads need a literal
