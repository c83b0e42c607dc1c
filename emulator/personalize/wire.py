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

from emulator.personalize.api import Personalize
from emulator.personalize.authorization import Caller
from emulator.personalize.errors import ApiError, NoResponse
from emulator.personalize.service_model import CONTROL, EVENTS, RUNTIME, service

TARGET = "AmazonPersonalize."
CONTENT_TYPES = {
    CONTROL: "application/x-amz-json-1.1",
    RUNTIME: "application/json",
    EVENTS: "application/json",
}
IN_PROCESS = "http://in-process.invalid/"


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
        name = _operation(service_name, method, path, lower_headers)
        return _response(service_name, 200, personalize.call(name, _parsed(body), caller))
    except ApiError as error:
        return _error_response(service_name, error)


def attach(client: BaseClient, personalize: Personalize, caller: Caller) -> None:
    """Let `personalize` respond to the requests of a boto3 client in this process.

    botocore still validates, serialises, signs, parses and retries. Only the sending is replaced.
    A response that never arrives is a ReadTimeoutError, which botocore retries too.
    """
    service_name = client.meta.service_model.service_name

    def send(*, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        assert isinstance(request.body, bytes | bytearray), "both protocols serialise to bytes"
        try:
            response = respond(
                personalize,
                service_name=service_name,
                method=request.method,
                path=urlsplit(request.url).path,
                headers={name: _text(value) for name, value in request.headers.items()},
                body=bytes(request.body),
                caller=caller,
            )
        except NoResponse:
            raise ReadTimeoutError(endpoint_url=request.url) from None
        # Other handlers run too, and moto's handler must not see a URL of AWS.
        request.url = IN_PROCESS
        headers = HTTPHeaders()
        for name, value in response.headers.items():
            headers[name] = value
        return AWSResponse(request.url, response.status, headers, _RawBody(response.body))

    handler = cast("Callable[..., None]", send)  # the stubs do not know that handlers may respond
    client.meta.events.register_first(f"before-send.{service_name}.*", handler)


class _RawBody(BytesIO):
    """A body that botocore can read like the body of a connection."""

    def stream(self) -> list[bytes]:
        """Return the whole body as one piece."""
        return [self.read()]


def _operation(service_name: str, method: str, path: str, headers: Mapping[str, str]) -> str:
    if service_name == CONTROL:
        target = headers.get("x-amz-target", "")
        if target.startswith(TARGET):
            return target.removeprefix(TARGET)
        raise ApiError("UnknownOperationException", f"X-Amz-Target {target!r} is not {TARGET}...")
    model = service(service_name)
    for name in model.operation_names:
        http = model.operation_model(name).http
        if (http["method"], http["requestUri"]) == (method, path):
            return name
    raise ApiError("UnknownOperationException", f"{service_name} has no {method} {path}", 404)


def _parsed(body: bytes) -> dict[str, object]:
    try:
        request = json.loads(body or b"{}")
    except ValueError as error:
        raise ApiError("SerializationException", f"The body is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise ApiError("SerializationException", "The body is not a JSON object")
    return request


def _response(service_name: str, status: int, body: Mapping[str, object]) -> Response:
    text = json.dumps(body, default=_json_time).encode()
    headers = {
        "Content-Type": CONTENT_TYPES[service_name],
        "Content-Length": str(len(text)),
        "x-amzn-RequestId": str(uuid4()),
    }
    return Response(status, headers, text)


def _error_response(service_name: str, error: ApiError) -> Response:
    """Return the error in the body and in the header of REST JSON, with the model's status."""
    shapes = {shape.name: shape for shape in service(service_name).error_shapes}
    modelled = shapes[error.code].metadata.get("error", {}) if error.code in shapes else {}
    status = modelled.get("httpStatusCode", error.status)
    response = _response(service_name, status, {"__type": error.code, "message": error.message})
    response.headers["x-amzn-ErrorType"] = error.code
    return response


def _json_time(value: object) -> float:
    """Return a time in seconds since 1970, to the millisecond, as both protocols have it."""
    assert isinstance(value, datetime), f"{value!r} has no JSON"
    return round(value.timestamp(), 3)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
