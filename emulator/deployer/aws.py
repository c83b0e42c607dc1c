"""Calls the AWS services at the emulator's endpoint."""

from __future__ import annotations

import json
import os
import urllib.request
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from emulator.deployer import models
from emulator.deployer.errors import DeploymentError, GoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.client import BaseClient

SESSION_VARIABLES = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""The session variables of botocore that name the profile and the files of the user. They are
switched off here. Each value is the key in the config file, the environment variable, the default
and the conversion."""

NOT_FOUND_CODES = frozenset(
    {"NoSuchEntity", "NotFound", "NotFoundException", "QueueDoesNotExist", "ResourceNotFound"}
    | {"ResourceNotFoundException", "StateMachineDoesNotExist", "DashboardNotFoundError"}
    | {"AWS.SimpleQueueService.NonExistentQueue"}
)
"""The error codes of all services for a resource that does not exist."""

Response = dict[str, Any]
"""The response of a service. Its keys are those of the operation in the AWS API."""


class EmulatedAccount(NamedTuple):
    """The account number and the region of an emulator."""

    account: str
    region: str


def emulated_account(endpoint: str) -> EmulatedAccount:
    """Return the account and region of the emulator at an endpoint.

    Raises DeploymentError if no emulator answers there.
    """
    try:
        with urllib.request.urlopen(f"{endpoint}/_emulator/health", timeout=30) as response:  # noqa: S310
            health: dict[str, str] = json.load(response)
    except OSError as error:
        raise DeploymentError(f"no emulator answers at {endpoint}: {error}") from error
    return EmulatedAccount(health["account"], health["region"])


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Raise botocore's errors as DeploymentError or GoneError."""
    try:
        yield
    except ClientError as error:
        is_gone = error.response["Error"]["Code"] in NOT_FOUND_CODES
        raise (GoneError if is_gone else DeploymentError)(str(error)) from error
    except BotoCoreError as error:
        raise DeploymentError(str(error)) from error


class Aws:
    """The AWS services of one region at the emulator's endpoint. Several threads may use it.

    Requests are signed as the root user of the emulated account, whose access key is the account
    number. The credentials of the user are never used, because no request may reach a real account.
    """

    def __init__(self, endpoint: str, account: str, region: str) -> None:
        # The import is slow, and the engine waits until the provider has started.
        import boto3  # noqa: PLC0415
        from botocore.session import Session  # noqa: PLC0415

        self.region = region
        session = Session(session_vars=SESSION_VARIABLES)
        session.register_component("data_loader", models.loader())
        self._session = boto3.Session(
            botocore_session=session,
            aws_access_key_id=account,
            aws_secret_access_key="test",  # noqa: S106  # the secret of every account
            region_name=region,
        )
        self._endpoint = endpoint
        self._clients: dict[str, BaseClient] = {}
        self._lock = Lock()
        self.partition = self._session.get_partition_for_region(region)
        """The partition of the region: aws, aws-cn, ..."""
        self.account = account

    def call(self, service: str, operation: str, values: Mapping[str, object]) -> Response:
        """Call an operation, for example `CreateRole`, and return the response.

        The operation gets those values that are its parameters. Raises DeploymentError with the
        message of botocore or of the service, and GoneError if the resource does not exist.
        """
        request = models.request(service, operation, values)
        with _translated_errors():
            response: Response = getattr(self._client(service), xform_name(operation))(**request)
        if response.get("FailedEntryCount"):  # EventBridge reports no error.
            raise DeploymentError(f"{operation}: {response['FailedEntries']}")
        return response

    def list_items(
        self, service: str, operation: str, member: str, values: Mapping[str, object]
    ) -> Iterator[Response]:
        """Yield the items of a list in the responses of an operation such as `DescribeAlarms`."""
        request = models.request(service, operation, values)
        paginator = self._client(service).get_paginator(xform_name(operation))
        with _translated_errors():
            for page in paginator.paginate(**request):
                yield from page[member]

    def _client(self, service: str) -> BaseClient:
        """Return the client of a service. It is created at the first call."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service,  # type: ignore[call-overload]  # the stubs want a literal
                    endpoint_url=self._endpoint,
                )
            return self._clients[service]
