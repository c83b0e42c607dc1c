"""Creates the AWS clients, which raise the exceptions of `errors.py` for transient errors.

No other module creates a client. A client gives up long before the timeout of a function
(`components/state_machine/steps.py`).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore import exceptions
from botocore.config import Config

from .call_times import measure_calls
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

READ_ATTEMPTS = 4
"""The most times that a client for reads sends a request."""
WRITE_ATTEMPTS = 1
DELIVERY_ATTEMPTS = 2
"""A message and an event together may take as long as a read."""
THROTTLING_CODES = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
    }
)
"""The error codes with which AWS services refuse a request because there are too many."""
FIRST_SERVER_ERROR = 500
"""HTTP status codes from this number on mean a fault of the service."""
NO_RESPONSE_ERRORS = (exceptions.ConnectionError, exceptions.HTTPClientError)
"""The base classes of the errors that botocore raises if no response came."""


@functools.cache
def read_client() -> PersonalizeClient:
    """Return the client of Personalize for functions that only read. botocore retries reads."""
    return with_transient_errors(boto3.client("personalize", config=_config(READ_ATTEMPTS)))


@functools.cache
def write_client() -> PersonalizeClient:
    """Return the client of Personalize for functions that write. It sends each request once.

    If the response to a create is lost, the job may exist. Somebody has to look for it before the
    create is sent again, and botocore would not do that.
    """
    return with_transient_errors(boto3.client("personalize", config=_config(WRITE_ATTEMPTS)))


@functools.cache
def runtime_client() -> PersonalizeRuntimeClient:
    """Return the client of the Personalize runtime. It sends each request once.

    The probe handles throttling and 5xx itself, so the client raises botocore's exceptions.
    """
    return boto3.client("personalize-runtime", config=_config(WRITE_ATTEMPTS))


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


@functools.cache
def cloudwatch() -> Any:  # noqa: ANN401 - the types of CloudWatch are not installed
    """Return the client of CloudWatch."""
    return with_transient_errors(boto3.client("cloudwatch", config=_config(READ_ATTEMPTS)))


@functools.cache
def sns() -> SNSClient:
    """Return the client of SNS. A lost response may lead to a second message."""
    return boto3.client("sns", config=_config(DELIVERY_ATTEMPTS))


@functools.cache
def events() -> EventBridgeClient:
    """Return the client of EventBridge. A lost response may lead to a second event."""
    return boto3.client("events", config=_config(DELIVERY_ATTEMPTS))


def _config(attempts: int) -> Config:
    """Return the config of a client. Four attempts take about 60 seconds."""
    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=5,
        read_timeout=10,
    )


def with_transient_errors(client: Client) -> Client:
    """Make the client raise `Throttled` and `ServiceUnavailable`, and return it.

    For throttling and 5xx responses, botocore raises a ClientError, as for many other errors. The
    workflow matches class names, so it needs a class for each error that it retries.
    """
    # An error that is raised ends the events of a call, so it has to be measured before.
    measure_calls(client)
    client.meta.events.register("after-call", _raise_for_response)
    client.meta.events.register("after-call-error", _raise_without_response)
    return client


def _raise_for_response(
    http_response: AWSResponse,
    parsed: Mapping[str, Mapping[str, str]],
    model: OperationModel,
    **_: object,
) -> None:
    """Raise an exception if the response means throttling or a fault of the service.

    botocore passes these arguments by name.
    """
    error = parsed.get("Error", {})
    message = f"{model.name}: {error.get('Code')}: {error.get('Message')}"
    if error.get("Code") in THROTTLING_CODES:
        raise Throttled(message)
    if http_response.status_code >= FIRST_SERVER_ERROR:
        raise ServiceUnavailable(message)


def _raise_without_response(exception: Exception, **_: object) -> None:
    """Raise `ServiceUnavailable` if there was no response. botocore raises other exceptions."""
    if isinstance(exception, NO_RESPONSE_ERRORS):
        raise ServiceUnavailable(f"the service did not respond: {exception}") from exception
