"""The clients of the AWS services, and the transient errors that they raise.

No other module creates a client. A client waits for a response for less time than the function
that uses it may take (`components/state_machine/steps.py`).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore import exceptions
from botocore.config import Config

from .errors import ServiceUnavailable, Throttled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.awsrequest import AWSResponse
    from botocore.client import BaseClient
    from botocore.model import OperationModel
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize_runtime import PersonalizeRuntimeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_stepfunctions import SFNClient

Client = TypeVar("Client", bound="BaseClient")

READ_ATTEMPTS = 4
"""The number of times that a client for reads sends a request at most."""
THROTTLING = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
    }
)
SERVER_ERROR = 500
NO_RESPONSE = (exceptions.ConnectionError, exceptions.HTTPClientError)
"""Base classes of the errors that botocore raises if no response came."""


@functools.cache
def read_client() -> PersonalizeClient:
    """Return the client of Personalize for reads, which botocore retries."""
    return with_transient_errors(boto3.client("personalize", config=_config(READ_ATTEMPTS)))


@functools.cache
def write_client() -> PersonalizeClient:
    """Return the client of Personalize for writes, which sends each request once.

    If the response to a create is lost, the job must be looked for before another create.
    """
    return with_transient_errors(boto3.client("personalize", config=_config(1)))


@functools.cache
def runtime_client() -> PersonalizeRuntimeClient:
    """Return the client of the Personalize runtime, which sends each request once."""
    return boto3.client("personalize-runtime", config=_config(1))


@functools.cache
def s3() -> S3Client:
    """Return the client of S3."""
    return with_transient_errors(boto3.client("s3", config=_config(READ_ATTEMPTS)))


@functools.cache
def stepfunctions() -> SFNClient:
    """Return the client of Step Functions."""
    return with_transient_errors(boto3.client("stepfunctions", config=_config(READ_ATTEMPTS)))


@functools.cache
def scheduler() -> EventBridgeSchedulerClient:
    """Return the client of EventBridge Scheduler."""
    return with_transient_errors(boto3.client("scheduler", config=_config(READ_ATTEMPTS)))


def _config(attempts: int) -> Config:
    """Return a config with which four attempts fit into the 60 seconds of the shortest function."""
    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=5,
        read_timeout=10,
    )


def with_transient_errors(client: Client) -> Client:
    """Return the client, which now raises `Throttled` and `ServiceUnavailable`.

    The API models contain no exception for throttling and 5xx. botocore would raise a ClientError,
    and the workflow, which matches class names, could not tell it from other errors.
    """
    client.meta.events.register("after-call", _check_response)
    client.meta.events.register("after-call-error", _check_error)
    return client


def _check_response(
    http_response: AWSResponse,
    parsed: Mapping[str, Mapping[str, str]],
    model: OperationModel,
    **_: object,
) -> None:
    error = parsed.get("Error", {})
    message = f"{model.name}: {error.get('Code')}: {error.get('Message')}"
    if error.get("Code") in THROTTLING:
        raise Throttled(message)
    if http_response.status_code >= SERVER_ERROR:
        raise ServiceUnavailable(message)


def _check_error(exception: Exception, **_: object) -> None:
    if isinstance(exception, NO_RESPONSE):
        raise ServiceUnavailable(f"no response: {exception}") from exception
