"""Services with JSON over HTTP, for a server or for a boto3 client in the same process."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from io import BytesIO
from typing import NamedTuple, cast
from uuid import uuid4

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from urllib3 import HTTPResponse

from emulator.personalize.api import Personalize
from emulator.personalize.authorization import Caller
from emulator.personalize.errors import ApiError, NoResponse
from emulator.personalize.service_model import CONTROL, EVENTS, RUNTIME, service_model

CONTENT_TYPES = {
    CONTROL: "application/x-amz-json-1.1",
    RUNTIME: "application/json",
    EVENTS: "application/json",
    "stepfunctions": "application/x-amz-json-1.0",
}


class Response(NamedTuple):
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


def respond(
    personalize: Personalize,
    *,
    service_name: str,
    operation_name: str,
    body: bytes,
    caller: Caller,
) -> Response:
    """Return the response to a request for an operation.

    The service `personalize` speaks AWS JSON 1.1. Its runtime and its events speak REST JSON.

    Raises:
        NoResponse: The server must close the connection without a response.
    """

    def perform(request: Mapping[str, object]) -> Mapping[str, object]:
        return personalize.call(operation_name, request, caller)

    return respond_with(perform, service_name, body)


def respond_with(
    perform: Callable[[Mapping[str, object]], Mapping[str, object]], service_name: str, body: bytes
) -> Response:
    """Return the response to a request. `perform` performs the operation, or raises ApiError."""
    try:
        return _json_response(service_name, 200, perform(_parse_body(body)))
    except ApiError as error:
        return _error_response(service_name, error)


def attach(client: BaseClient, personalize: Personalize, caller: Caller) -> None:
    """Let `personalize` respond to the requests of a boto3 client in this process."""
    service_name = client.meta.service_model.service_name

    def answer(operation_name: str, body: bytes) -> Response:
        return respond(
            personalize,
            service_name=service_name,
            operation_name=operation_name,
            body=body,
            caller=caller,
        )

    intercept(client, answer)


def intercept(client: BaseClient, answer: Callable[[str, bytes], Response]) -> None:
    """Let a function answer the requests of a boto3 client. It gets the operation and the body.

    botocore still validates, serialises, signs, parses and retries. Only the sending is replaced.
    If the response is lost, botocore gets a ReadTimeoutError, which it retries.
    """

    def send(*, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse:
        operation_name = event_name.rpartition(".")[2]  # before-send.personalize.ListSchemas
        try:
            status, headers, body = answer(operation_name, cast("bytes", request.body))
        except NoResponse:
            raise ReadTimeoutError(endpoint_url=request.url) from None
        raw = HTTPResponse(BytesIO(body), preload_content=False)
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), raw)

    handler = cast("Callable[..., None]", send)  # the stubs do not know that handlers may respond
    service_name = client.meta.service_model.service_name
    client.meta.events.register_first(f"before-send.{service_name}.*", handler)


def _parse_body(body: bytes) -> dict[str, object]:
    """Return the JSON object of a request. An empty body is an empty object."""
    try:
        request = json.loads(body or b"{}")
    except ValueError as error:
        raise ApiError("SerializationException", f"The body is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise ApiError("SerializationException", "The body is not a JSON object")
    return request


def _json_response(service_name: str, status: int, body: Mapping[str, object]) -> Response:
    """Return a response of the service with a new request id. The body may contain datetimes."""
    text = json.dumps(body, default=_json_time).encode()
    headers = {
        "Content-Type": CONTENT_TYPES[service_name],
        "Content-Length": str(len(text)),
        "x-amzn-RequestId": str(uuid4()),
    }
    return Response(status, headers, text)


def _error_response(service_name: str, error: ApiError) -> Response:
    """Return the response for an error, with the code in the body and in a header.

    AWS JSON reads the code from the body, and REST JSON from the header. If the service model has
    an HTTP status for the code, it replaces the status of the error.
    """
    shapes = {shape.name: shape for shape in service_model(service_name).error_shapes}
    model_of_error = shapes[error.code].metadata.get("error", {}) if error.code in shapes else {}
    status = model_of_error.get("httpStatusCode", error.status)
    body = {"__type": error.code, "message": error.message}
    response = _json_response(service_name, status, body)
    response.headers["x-amzn-ErrorType"] = error.code
    return response


def _json_time(value: object) -> float:
    """Return a datetime in seconds since 1970, rounded to milliseconds, as both protocols do."""
    assert isinstance(value, datetime), f"{value!r} has no JSON"
    return round(value.timestamp(), 3)
