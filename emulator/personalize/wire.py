"""Personalize over HTTP, for a server or for a boto3 client in the same process."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from io import BytesIO
from typing import NamedTuple, cast
from urllib.parse import urlsplit
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

TARGET = "AmazonPersonalize."
CONTENT_TYPES = {
    CONTROL: "application/x-amz-json-1.1",
    RUNTIME: "application/json",
    EVENTS: "application/json",
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
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    caller: Caller,
) -> Response:
    """Return the response to a request.

    The service `personalize` speaks AWS JSON 1.1. Its runtime and its events speak REST JSON.

    Raises:
        NoResponse: The server must close the connection without a response.
    """
    lower_headers = {name.lower(): value for name, value in headers.items()}
    try:
        operation_name = _operation_name(service_name, method, path, lower_headers)
        response = personalize.call(operation_name, _parse_body(body), caller)
        return _json_response(service_name, 200, response)
    except ApiError as error:
        return _error_response(service_name, error)


def attach(client: BaseClient, personalize: Personalize, caller: Caller) -> None:
    """Let `personalize` respond to the requests of a boto3 client in this process."""
    service_name = client.meta.service_model.service_name

    def answer(request: AWSPreparedRequest) -> Response:
        return respond(
            personalize,
            service_name=service_name,
            method=request.method,
            path=urlsplit(request.url).path,
            headers={name: header_text(value) for name, value in request.headers.items()},
            body=bytes(cast("bytes", request.body)),
            caller=caller,
        )

    intercept(client, answer)


def intercept(client: BaseClient, answer: Callable[[AWSPreparedRequest], Response]) -> None:
    """Let a function answer the requests of a boto3 client.

    botocore still validates, serialises, signs, parses and retries. Only the sending is replaced.
    If the response is lost, botocore gets a ReadTimeoutError, which it retries.
    """

    def send(*, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        try:
            status, headers, body = answer(request)
        except NoResponse:
            raise ReadTimeoutError(endpoint_url=request.url) from None
        raw = HTTPResponse(BytesIO(body), preload_content=False)
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), raw)

    handler = cast("Callable[..., None]", send)  # the stubs do not know that handlers may respond
    service_name = client.meta.service_model.service_name
    client.meta.events.register_first(f"before-send.{service_name}.*", handler)


def header_text(value: str | bytes) -> str:
    """Return a header's value, which botocore has as text or as bytes, as text."""
    return value.decode() if isinstance(value, bytes) else value


def _operation_name(service_name: str, method: str, path: str, headers: Mapping[str, str]) -> str:
    """Return the name of the operation that a request is for.

    A request to the service `personalize` has it in a header. A request to the other services has
    the method and path of its operation. Raise ApiError if there is no such operation.
    """
    if service_name == CONTROL:
        target = headers.get("x-amz-target", "")
        if target.startswith(TARGET):
            return target.removeprefix(TARGET)
        raise ApiError("UnknownOperationException", f"X-Amz-Target {target!r} is not {TARGET}...")
    model = service_model(service_name)
    for name in model.operation_names:
        http = model.operation_model(name).http
        if (http["method"], http["requestUri"]) == (method, path):
            return name
    raise ApiError("UnknownOperationException", f"{service_name} has no {method} {path}", 404)


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
