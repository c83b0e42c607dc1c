"""Creates all AWS clients, most of which raise our own exceptions for transient errors.

Each client is created once per process, and gives up long before its function times out
(`components/function_configs.py`).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore import exceptions
from botocore.config import Config

from .errors import ServiceUnavailable, Throttled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.awsrequest import AWSResponse
    from botocore.client import BaseClient
    from botocore.model import OperationModel
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize_runtime import PersonalizeRuntimeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient

Client = TypeVar("Client", bound="BaseClient")

MAX_READ_ATTEMPTS = 4
"""How many times a client sends a request that only reads."""
MAX_WRITE_ATTEMPTS = 1
MAX_DELIVERY_ATTEMPTS = 2
"""A report is a message and an event, which together should take no longer than one read."""
THROTTLING_CODES = (
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
)
"""The error codes of AWS services for throttled requests."""
MIN_SERVER_ERROR_STATUS = 500
"""The HTTP status codes of server errors begin here."""
NO_RESPONSE_ERRORS = (exceptions.ConnectionError, exceptions.HTTPClientError)
"""The base classes of the exceptions that botocore raises without a response."""


@functools.cache
def personalize_read_client() -> PersonalizeClient:
    """Return the Personalize client for requests that only read. It retries after errors."""
    return translate_transient_errors(
        boto3.client("personalize", config=_build_config(MAX_READ_ATTEMPTS))
    )


@functools.cache
def personalize_write_client() -> PersonalizeClient:
    """Return the Personalize client for requests that change something. It never retries.

    If the response to a create request is lost, the job may exist. So the rules look for it before
    they send the request again, which botocore wouldn't do.
    """
    return translate_transient_errors(
        boto3.client("personalize", config=_build_config(MAX_WRITE_ATTEMPTS))
    )


@functools.cache
def personalize_runtime_client() -> PersonalizeRuntimeClient:
    """Return the client that requests recommendations from campaigns. It never retries.

    It raises botocore's exceptions, because throttling and 5xx are results of a probe.
    """
    return boto3.client("personalize-runtime", config=_build_config(MAX_WRITE_ATTEMPTS))


@functools.cache
def s3() -> S3Client:
    """Return the S3 client."""
    return translate_transient_errors(boto3.client("s3", config=_build_config(MAX_READ_ATTEMPTS)))


@functools.cache
def stepfunctions() -> SFNClient:
    """Return the Step Functions client."""
    return translate_transient_errors(
        boto3.client("stepfunctions", config=_build_config(MAX_READ_ATTEMPTS))
    )


@functools.cache
def scheduler() -> EventBridgeSchedulerClient:
    """Return the EventBridge Scheduler client."""
    return translate_transient_errors(
        boto3.client("scheduler", config=_build_config(MAX_READ_ATTEMPTS))
    )


@functools.cache
def cloudwatch() -> Any:  # noqa: ANN401 - the types of CloudWatch are not installed
    """Return the CloudWatch client."""
    return translate_transient_errors(
        boto3.client("cloudwatch", config=_build_config(MAX_READ_ATTEMPTS))
    )


@functools.cache
def sns() -> SNSClient:
    """Return the SNS client. It may publish a message twice if a response is lost."""
    return boto3.client("sns", config=_build_config(MAX_DELIVERY_ATTEMPTS))


@functools.cache
def eventbridge() -> EventBridgeClient:
    """Return the EventBridge client. It may send an event twice if a response is lost."""
    return boto3.client("events", config=_build_config(MAX_DELIVERY_ATTEMPTS))


def _build_config(max_attempts: int) -> Config:
    """Build a config with timeouts, so that four attempts take about 60 seconds."""
    return Config(
        retries={"mode": "standard", "total_max_attempts": max_attempts},
        connect_timeout=5,
        read_timeout=10,
    )


def translate_transient_errors(client: Client) -> Client:
    """Make a client raise `Throttled` or `ServiceUnavailable` for transient errors, and return it.

    The state machine decides by the class name of an error whether to retry. But botocore raises
    ClientError both for throttling or a 5xx and for errors that no retry can fix.
    """
    client.meta.events.register("after-call", _raise_for_error_response)
    client.meta.events.register("after-call-error", _raise_for_missing_response)
    return client


def _raise_for_error_response(
    http_response: AWSResponse,
    parsed: Mapping[str, Mapping[str, str]],
    model: OperationModel,
    **_: object,
) -> None:
    """Raise `Throttled` or `ServiceUnavailable` if that's what the response says.

    botocore passes these arguments by name.
    """
    error = parsed.get("Error", {})
    code = error.get("Code")
    message = f"{model.name}: {code}: {error.get('Message')}"

    if code in THROTTLING_CODES:
        raise Throttled(message)
    if http_response.status_code >= MIN_SERVER_ERROR_STATUS:
        raise ServiceUnavailable(message)


def _raise_for_missing_response(exception: Exception, **_: object) -> None:
    """Raise `ServiceUnavailable` if there was no response.

    botocore raises any other exception itself after this handler.
    """
    if isinstance(exception, NO_RESPONSE_ERRORS):
        raise ServiceUnavailable(f"the service did not respond: {exception}") from exception
