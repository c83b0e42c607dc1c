"""The deployer's way to the services behind the emulator's endpoint."""

from __future__ import annotations

import json
import os
import urllib.request
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from botocore import xform_name

from emulator.deployer import constraints
from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.client import BaseClient

SESSION_VARIABLES = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Botocore's variables that would read a person's profile and files, switched off. Each one has its
key in the config file, its environment variable, its default and its conversion."""

Answer = dict[str, Any]
"""What a service answers: shaped by botocore's model of the operation, which has no Python type."""


def home(endpoint: str) -> tuple[str, str]:
    """Return the account and the region that the emulator plays. Raises DeploymentError."""
    try:
        with urllib.request.urlopen(f"{endpoint}/_emulator/health", timeout=30) as answer:  # noqa: S310
            health: dict[str, str] = json.load(answer)
    except OSError as error:
        raise DeploymentError(f"no emulator answers at {endpoint}: {error}") from error
    return health["account"], health["region"]


class Aws:
    """The services of one region behind `endpoint`. May be called from several threads.

    The caller is the emulated account's root, whose access key is the account's number: never
    a person's own credentials, since nothing here may reach a real account.
    """

    def __init__(self, endpoint: str, account: str, region: str) -> None:
        # Their import is slow, and the engine waits until the provider has started.
        import boto3  # noqa: PLC0415
        from botocore.session import Session  # noqa: PLC0415

        self.region = region
        self._session = boto3.Session(
            botocore_session=Session(session_vars=SESSION_VARIABLES),
            aws_access_key_id=account,
            aws_secret_access_key="test",  # noqa: S106  # the emulator's for every account
            region_name=region,
        )
        self._endpoint = endpoint
        self._clients: dict[str, BaseClient] = {}
        self._lock = Lock()
        self.partition = self._session.get_partition_for_region(region)
        """The partition of the region: aws, aws-cn, ..."""
        self.account = str(self.call("sts", "GetCallerIdentity", {})["Account"])

    def call(self, service: str, operation: str, request: Mapping[str, object]) -> Answer:
        """Call an operation by its name in the API.

        Raises InputRefusedError for a value that AWS would refuse; botocore's errors come out as
        they are.
        """
        client = self._client(service)
        model = client.meta.service_model.operation_model(operation)
        constraints.check(model.input_shape, request, operation)
        method = getattr(client, xform_name(operation))
        return cast("Answer", method(**request))

    def pages(
        self, service: str, operation: str, request: Mapping[str, object]
    ) -> Iterator[Answer]:
        """Yield the items of all pages of an operation that lists."""
        paginator = self._client(service).get_paginator(xform_name(operation))
        [key] = cast("list[Any]", paginator.result_keys)  # jmespath brings no types
        for page in paginator.paginate(**request):
            yield from key.search(page) or ()

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in this region and account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def _client(self, service: str) -> BaseClient:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service,  # type: ignore[call-overload]  # the stubs want a literal
                    endpoint_url=self._endpoint,
                )
            return self._clients[service]
