"""Calls the AWS services at the emulator's endpoint."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from emulator.deployer import models
from emulator.deployer.errors import DeploymentError, GoneError
from emulator.protocol.service_models import LOADER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.client import BaseClient

SESSION_VARIABLES = {
    "profile": (None, None, None, None),
    **dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None)),
}
"""The session variables of botocore that name the profile and the files of the user. They are
switched off here. Each value is the key in the config file, the environment variable, the default
and the conversion."""

NOT_FOUND = re.compile("NoSuchEntity|NotFound|DoesNotExist|NonExistent")
"""A part of the error codes of all services for a resource that does not exist."""

Response = dict[str, Any]
"""The response of a service. Its keys are those of the operation in the AWS API."""


def read_health(endpoint: str) -> dict[str, str]:
    """Ask the emulator at an endpoint for its `account` and `region`.

    Raises DeploymentError if no emulator answers there.
    """
    try:
        with urllib.request.urlopen(f"{endpoint}/_emulator/health", timeout=30) as response:  # noqa: S310
            return cast("dict[str, str]", json.load(response))
    except OSError as error:
        raise DeploymentError(f"no emulator answers at {endpoint}: {error}") from error


class Aws:
    """The AWS services of one region at the emulator's endpoint. Several threads may use it.

    Requests are signed as the root user of the emulated account, whose access key is the account
    number. The credentials of the user are never used, because no request may reach a real account.
    """

    def __init__(self, endpoint: str, account: str, region: str) -> None:
        self.account = account
        self.region = region
        self._endpoint = endpoint
        self._clients: dict[str, BaseClient] = {}
        self._lock = Lock()

    def call(self, service: str, operation: str, values: Mapping[str, object]) -> Response:
        """Call an operation, for example `CreateRole`, and return the response.

        The operation gets those values that are its parameters. Raises DeploymentError with the
        message of botocore or of the service, and GoneError if the resource does not exist.
        """
        method = getattr(self._client(service), xform_name(operation))
        try:
            response: Response = method(**models.build_request(service, operation, values))
        except ClientError as error:
            if NOT_FOUND.search(error.response["Error"]["Code"]):
                raise GoneError(str(error)) from error
            raise DeploymentError(str(error)) from error
        except BotoCoreError as error:
            raise DeploymentError(str(error)) from error

        # EventBridge's response to a refused target is a success.
        if response.get("FailedEntryCount"):
            raise DeploymentError(f"{operation}: {response['FailedEntries']}")
        return response

    def _client(self, service: str) -> BaseClient:
        """Return the client of a service, which is created when it is first used."""
        # The import is slow, and the engine waits until the provider has started.
        from botocore.session import Session  # noqa: PLC0415

        with self._lock:
            if service not in self._clients:
                session = Session(session_vars=SESSION_VARIABLES)
                session.register_component("data_loader", LOADER)
                self._clients[service] = session.create_client(
                    service,
                    region_name=self.region,
                    endpoint_url=self._endpoint,
                    aws_access_key_id=self.account,
                    aws_secret_access_key="test",  # noqa: S106  # the secret of every account
                )
            return self._clients[service]
