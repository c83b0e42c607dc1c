"""A cache of boto3 clients that call the emulator with the credentials of a session."""

import threading
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


class Clients:
    """The boto3 clients of one endpoint, by service, region and access key, for many threads."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._clients: dict[tuple[str, ...], object] = {}
        self._lock = threading.Lock()

    def get(self, service: str, region: str, credentials: Credentials) -> Any:  # noqa: ANN401  # the type depends on the service
        """Return the client of a service (for example "lambda"), created at the first call."""
        key = (service, region, credentials["aws_access_key_id"])
        with self._lock:  # boto3 sessions are not safe in several threads
            if key not in self._clients:
                self._clients[key] = boto3.Session(region_name=region, **credentials).client(
                    service,  # type: ignore[call-overload]  # the overloads need a literal
                    endpoint_url=self._endpoint,
                    config=CONFIG,
                )
            return self._clients[key]
