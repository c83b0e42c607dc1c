"""boto3 clients that call the emulator as somebody; each is made once, since that is slow."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from emulator.server.authorization import Credentials

# Who calls decides about deadlines and retries; a function may take 15 minutes to answer.
CONFIG = Config(
    parameter_validation=False,
    retries={"total_max_attempts": 1},
    connect_timeout=60,
    read_timeout=3600,
    max_pool_connections=50,
)


class Clients:
    """The clients of `endpoint`, by service, region and credentials; safe among threads."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._clients: dict[tuple[str, str, str], BaseClient] = {}
        self._lock = threading.Lock()

    def get(self, service: str, region: str, credentials: Credentials) -> BaseClient:
        """Give the client of a service ("lambda") in a region with a session's credentials."""
        key = (service, region, credentials["aws_access_key_id"])
        with self._lock:  # making clients is not safe among threads
            if key not in self._clients:
                # boto3's overloads want a literal where the name is a machine's to choose.
                self._clients[key] = boto3.Session().client(  # type: ignore[call-overload]
                    service,
                    region_name=region,
                    endpoint_url=self._endpoint,
                    config=CONFIG,
                    **credentials,
                )
            return self._clients[key]
