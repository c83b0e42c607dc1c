"""Errors that pass by themselves, of any service, by names that the workflow knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore import exceptions

from .errors import ServiceUnavailable, Throttled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.awsrequest import AWSResponse
    from botocore.client import BaseClient
    from botocore.model import OperationModel

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
SILENCE = (exceptions.ConnectionError, exceptions.HTTPClientError)
"""Base classes of what botocore raises where no answer came: refused, closed, timed out."""


def raise_passing_errors(client: BaseClient) -> None:
    """Let throttling and 5xx leave this client as `Throttled` and `ServiceUnavailable`.

    The API models know no exception for them, so that botocore would raise a bare ClientError,
    whose class name tells the workflow nothing.
    """
    client.meta.events.register("after-call", _judge_answer)
    client.meta.events.register("after-call-error", _judge_silence)


def _judge_answer(
    http_response: AWSResponse,
    parsed: Mapping[str, Mapping[str, str]],
    model: OperationModel,
    **_: object,
) -> None:
    error = parsed.get("Error", {})
    said = f"{model.name}: {error.get('Code')}: {error.get('Message')}"
    if error.get("Code") in THROTTLING:
        raise Throttled(said)
    if http_response.status_code >= SERVER_ERROR:
        raise ServiceUnavailable(said)


def _judge_silence(exception: Exception, **_: object) -> None:
    if isinstance(exception, SILENCE):
        raise ServiceUnavailable(f"no answer: {exception}") from exception
