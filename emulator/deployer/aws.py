"""The deployer's way to the services behind the emulator's endpoint."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore import xform_name

from emulator.deployer import constraints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.client import BaseClient

Answer = dict[str, Any]
"""What a service answers: shaped by botocore's model of the operation, which has no Python type."""


class Aws:
    """The services of one region behind `endpoint`. May be called from several threads.

    The caller is the emulated account's root, whose access key is the account's number: never
    a person's own credentials, since nothing here may reach a real account.
    """

    def __init__(
        self,
        endpoint: str,
        account: str,
        region: str,
        *,
        default_tags: Mapping[str, str] | None = None,
    ) -> None:
        self.region = region
        self.default_tags = default_tags or {}
        """Tags of every resource that can have tags; the resource's own tags win."""
        self._session = boto3.Session(
            aws_access_key_id=account,
            aws_secret_access_key="test",  # noqa: S106  # the emulator's for every account
            region_name=region,
        )
        self._endpoint = endpoint
        self._clients: dict[str, BaseClient] = {}
        self._lock = Lock()
        self.partition = self._session.get_partition_for_region(region)
        """The partition of the region: aws, aws-cn, ..."""
        self.caller = self.call("sts", "GetCallerIdentity", {})
        self.account = str(self.caller["Account"])

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

    def _client(self, service: str) -> BaseClient:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service,  # type: ignore[call-overload]  # the stubs want a literal
                    endpoint_url=self._endpoint,
                )
            return self._clients[service]
