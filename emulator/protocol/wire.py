"""Speaks AWS's JSON protocols, for an HTTP server or for a boto3 client in the same process."""

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
from emulator.protocol.service_models import load_service_model

CONTENT_TYPES = {
    "personalize": "application/x-amz-json-1.1",
    "personalize-runtime": "application/json",
    "personalize-events": "application/json",
    "stepfunctions": "application/x-amz-json-1.0",
}


class Response(NamedTuple):
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


def respond(
    perform: Callable[[Mapping[str, object]], Mapping[str, object]], service_name: str, body: bytes
) -> Response:
    """Call `perform` with the parsed request, and turn its result or ApiError into a response.

    Raises:
        NoResponse: the server must close the connection without a response.
    """
    try:
        return _build_response(service_name, 200, perform(_parse_body(body)))
    except ApiError as error:
        status = _find_status(service_name, error)
        fields = {"__type": error.code, "message": error.message}
        response = _build_response(service_name, status, fields)

        # Clients that speak REST JSON take the error code from this header. Those that speak AWS
        # JSON take it from the body.
        response.headers["x-amzn-ErrorType"] = error.code
        return response


def _build_response(service_name: str, status: int, fields: Mapping[str, object]) -> Response:
    """Serialize the fields of a response in a service's protocol."""
    # Both protocols represent a time as seconds since 1970, rounded to milliseconds.
    body = json.dumps(fields, default=lambda time: round(time.timestamp(), 3)).encode()
    headers = {
        "Content-Type": CONTENT_TYPES[service_name],
        "Content-Length": str(len(body)),
        "x-amzn-RequestId": str(uuid4()),
    }

    return Response(status, headers, body)


def _parse_body(body: bytes) -> dict[str, object]:
    """Parse the JSON object in a request's body. An empty body means no fields."""
    try:
        return dict(json.loads(body or b"{}"))
    except (TypeError, ValueError) as error:
        raise ApiError("SerializationException", "The body is not a JSON object") from error


def _find_status(service_name: str, error: ApiError) -> int:
    """Look up an error's HTTP status in the service model, or else use the status it came with."""
    for shape in load_service_model(service_name).error_shapes:
        if shape.name == error.code:
            return int(shape.metadata.get("error", {}).get("httpStatusCode", error.status))
    return error.status


def intercept(
    client: BaseClient, call: Callable[[str, Mapping[str, Any]], Mapping[str, object]]
) -> None:
    """Answer a boto3 client's requests in this process, instead of sending them.

    `call` takes an operation name and the fields of a request, and returns the response's fields.
    botocore still validates, serializes, signs, parses and retries. If `call` raises NoResponse,
    botocore gets a ReadTimeoutError, and retries.
    """
    service_name = client.meta.service_model.service_name
    # botocore's type stubs don't know that an event handler may return a response.
    handler = cast("Callable[..., None]", partial(_answer, call, service_name))
    client.meta.events.register_first(f"before-send.{service_name}.*", handler)


def _answer(
    call: Callable[[str, Mapping[str, Any]], Mapping[str, object]],
    service_name: str,
    *,
    request: AWSPreparedRequest,
    event_name: str,
    **_: object,
) -> AWSResponse:
    """Answer a request that botocore was about to send.

    `event_name` is, for example, `before-send.personalize.ListSchemas`.
    """
    operation_name = event_name.rpartition(".")[2]
    body = cast("bytes", request.body)
    try:
        response = respond(partial(call, operation_name), service_name, body)
    except NoResponse:
        raise ReadTimeoutError(endpoint_url=request.url) from None

    return _build_client_response(request.url, response)


def _build_client_response(url: str, response: Response) -> AWSResponse:
    """Convert a response to the type that botocore would have received from the network."""
    stream = HTTPResponse(BytesIO(response.body), preload_content=False)
    return AWSResponse(url, response.status, HTTPHeaders.from_dict(response.headers), stream)
