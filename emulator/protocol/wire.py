"""JSON over HTTP, for a server or for a boto3 client in the same process."""

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
    """Perform the request in a body, and turn the result or the ApiError into an HTTP response.

    Raises:
        NoResponse: The server must close the connection without a response.
    """
    try:
        return _build_response(service_name, 200, perform(_parse_body(body)))
    except ApiError as error:
        status = _find_status(service_name, error)
        fields = {"__type": error.code, "message": error.message}
        response = _build_response(service_name, status, fields)

        # AWS JSON reads the code of an error from the body, and REST JSON from the header.
        response.headers["x-amzn-ErrorType"] = error.code
        return response


def _build_response(service_name: str, status: int, fields: Mapping[str, object]) -> Response:
    """Build a response with these fields in the protocol of a service."""
    # Both protocols have times in seconds since 1970, rounded to milliseconds.
    body = json.dumps(fields, default=lambda time: round(time.timestamp(), 3)).encode()
    headers = {
        "Content-Type": CONTENT_TYPES[service_name],
        "Content-Length": str(len(body)),
        "x-amzn-RequestId": str(uuid4()),
    }

    return Response(status, headers, body)


def _parse_body(body: bytes) -> dict[str, object]:
    """Parse the JSON object of a request. An empty body is an empty object."""
    try:
        return dict(json.loads(body or b"{}"))
    except (TypeError, ValueError) as error:
        raise ApiError("SerializationException", "The body is not a JSON object") from error


def _find_status(service_name: str, error: ApiError) -> int:
    """Find the HTTP status of an error, for which the service model takes precedence."""
    for shape in load_service_model(service_name).error_shapes:
        if shape.name == error.code:
            return int(shape.metadata.get("error", {}).get("httpStatusCode", error.status))
    return error.status


def intercept(
    client: BaseClient, call: Callable[[str, Mapping[str, Any]], Mapping[str, object]]
) -> None:
    """Let a function answer the requests of a boto3 client, so that none of them is sent.

    `call` gets the operation and the fields of the request. Botocore still validates, serialises,
    signs, parses and retries. If the response is lost, it gets a ReadTimeoutError, which it
    retries.
    """
    service_name = client.meta.service_model.service_name
    # The stubs don't know that handlers may respond.
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
    """Answer a request that botocore is about to send."""
    operation_name = event_name.rpartition(".")[2]  # before-send.personalize.ListSchemas
    body = cast("bytes", request.body)
    try:
        response = respond(partial(call, operation_name), service_name, body)
    except NoResponse:
        raise ReadTimeoutError(endpoint_url=request.url) from None

    return _build_client_response(request.url, response)


def _build_client_response(url: str, response: Response) -> AWSResponse:
    """Build what botocore would get if the response had come over the network."""
    stream = HTTPResponse(BytesIO(response.body), preload_content=False)
    return AWSResponse(url, response.status, HTTPHeaders.from_dict(response.headers), stream)
