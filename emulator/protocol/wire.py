"""Implements AWS's JSON protocols, for an HTTP server or a boto3 client in the same process."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from typing import Any, NamedTuple, cast
from uuid import uuid4

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from urllib3 import HTTPResponse

from emulator.protocol.errors import ApiError, NoResponse


class Response(NamedTuple):
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


def respond(
    perform: Callable[[Mapping[str, object]], Mapping[str, object]], body: bytes
) -> Response:
    """Call `perform` with the parsed request body, and turn its result or ApiError into a response.

    Raises:
        NoResponse: the server must close the connection without a response.
    """
    try:
        return _build_response(200, perform(_parse_body(body)))
    except ApiError as error:
        return build_error(error)


def build_error(error: ApiError) -> Response:
    """Build the HTTP response for an error."""
    response = _build_response(error.status, {"__type": error.code, "message": error.message})
    # Clients of REST JSON services take the error code from this header, and clients of AWS JSON
    # services take it from the body.
    response.headers["x-amzn-ErrorType"] = error.code
    return response


def _build_response(status: int, fields: Mapping[str, object]) -> Response:
    """Build the HTTP response with the fields of an operation's response as JSON."""
    # In both protocols, a time is a Unix timestamp, rounded to milliseconds.
    body = json.dumps(fields, default=lambda time: round(time.timestamp(), 3)).encode()
    headers = {
        # AWS JSON services append a version, but no client looks at it.
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "x-amzn-RequestId": str(uuid4()),
    }
    return Response(status, headers, body)


def _parse_body(body: bytes) -> dict[str, object]:
    """Parse the JSON object in a request body. If the body is empty, return {}."""
    try:
        return dict(json.loads(body or b"{}"))
    except (TypeError, ValueError) as error:
        raise ApiError("SerializationException", "The body is not a JSON object") from error


def intercept(
    client: BaseClient, call: Callable[[str, Mapping[str, Any]], Mapping[str, object]]
) -> None:
    """Make a boto3 client call a function in this process instead of sending its requests.

    `call` takes the name of an operation and the fields of a request, and returns the fields of the
    response. If it raises NoResponse, botocore gets a ReadTimeoutError and retries. Validation,
    serialization, signing, parsing and retries work as with any other client.
    """
    service_name = client.meta.service_model.service_name
    # botocore's type stubs don't know that an event handler may return a response.
    handler = cast("Callable[..., None]", partial(_respond_to_client, call))
    client.meta.events.register_first(f"before-send.{service_name}.*", handler)


def _respond_to_client(
    call: Callable[[str, Mapping[str, Any]], Mapping[str, object]],
    *,
    request: AWSPreparedRequest,
    event_name: str,
    **_: object,
) -> AWSResponse:
    """Handle botocore's `before-send` event by returning the response to the request.

    The event name ends with the operation, for example `before-send.personalize.ListSchemas`.
    """
    operation_name = event_name.rpartition(".")[2]
    body = cast("bytes", request.body)
    try:
        response = respond(partial(call, operation_name), body)
    except NoResponse:
        raise ReadTimeoutError(endpoint_url=request.url) from None

    return _build_client_response(request.url, response)


def _build_client_response(url: str, response: Response) -> AWSResponse:
    """Convert a response to the type that botocore's HTTP client returns."""
    stream = HTTPResponse(BytesIO(response.body), preload_content=False)
    return AWSResponse(url, response.status, HTTPHeaders.from_dict(response.headers), stream)
