"""Calls AWS services through the emulator, never through a real account."""

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
from emulator.deployer.errors import DeploymentError, NotFoundError
from emulator.protocol.service_models import LOADER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.client import BaseClient

NO_USER_CONFIG = {
    "profile": (None, None, None, None),
    **dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None)),
}
"""Session variables with which botocore ignores the user's profile and config files. Each value
consists of a config file key, an environment variable, a default and a conversion."""

NOT_FOUND_CODES = re.compile("NoSuchEntity|NotFound|DoesNotExist|NonExistent")
"""Matches the error codes with which the services report that a resource doesn't exist."""

Response = dict[str, Any]
"""A service's response, with the field names of the AWS API."""


def fetch_health(endpoint: str) -> dict[str, str]:
    """Ask the emulator at an endpoint for its `account` and `region`.

    Raises:
        DeploymentError: there's no emulator at the endpoint.
    """
    try:
        with urllib.request.urlopen(f"{endpoint}/_emulator/health", timeout=30) as response:  # noqa: S310
            return cast("dict[str, str]", json.load(response))
    except OSError as error:
        raise DeploymentError(f"no emulator answers at {endpoint}: {error}") from error


class Aws:
    """A thread-safe client for all AWS services in one region of the emulator.

    Requests are signed as the emulated account's root user, whose access key ID is the account
    number. The user's own credentials are never used, so no request can change a real account.
    """

    def __init__(self, endpoint: str, account: str, region: str) -> None:
        self.account = account
        self.region = region
        self._endpoint = endpoint
        self._clients: dict[str, BaseClient] = {}
        self._lock = Lock()

    def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> Response:
        """Call an operation, for example `CreateRole`, with those parameters that it accepts.

        Raises:
            NotFoundError: the resource doesn't exist.
            DeploymentError: the call fails for another reason, which the message explains.
        """
        method = getattr(self._get_client(service), xform_name(operation))
        request = models.select_parameters(service, operation, parameters)

        try:
            response: Response = method(**request)
        except ClientError as error:
            if NOT_FOUND_CODES.search(error.response["Error"]["Code"]):
                raise NotFoundError(str(error)) from error
            raise DeploymentError(str(error)) from error
        except BotoCoreError as error:
            raise DeploymentError(str(error)) from error

        # EventBridge reports rejected targets in a response that otherwise looks successful.
        if response.get("FailedEntryCount"):
            raise DeploymentError(f"{operation}: {response['FailedEntries']}")
        return response

    def _get_client(self, service: str) -> BaseClient:
        """Return the cached client for a service, creating it on first use."""
        # The engine waits until the provider has started, so don't import this slow module earlier.
        from botocore.session import Session  # noqa: PLC0415

        with self._lock:
            if service not in self._clients:
                session = Session(session_vars=NO_USER_CONFIG)
                session.register_component("data_loader", LOADER)
                self._clients[service] = session.create_client(
                    service,
                    region_name=self.region,
                    endpoint_url=self._endpoint,
                    aws_access_key_id=self.account,
                    aws_secret_access_key="test",  # noqa: S106  # the secret of every account
                )
            return self._clients[service]
