"""JSON over HTTP, for a server or for a boto3 client in the same process."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
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
    headers = {"Content-Type": CONTENT_TYPES[service_name], "x-amzn-RequestId": str(uuid4())}
    status = 200
    try:
        fields = perform(_parse_body(body))
    except ApiError as error:
        status = _find_status(service_name, error)
        # AWS JSON reads the code of an error from the body, and REST JSON from the header.
        fields = {"__type": error.code, "message": error.message}
        headers["x-amzn-ErrorType"] = error.code

    content = json.dumps(fields, default=_format_time).encode()
    headers["Content-Length"] = str(len(content))
    return Response(status, headers, content)


def _format_time(time: datetime) -> float:
    """Format a time as both protocols have it: in seconds since 1970, rounded to milliseconds."""
    return round(time.timestamp(), 3)


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

    def send(*, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse:
        operation_name = event_name.rpartition(".")[2]  # before-send.personalize.ListSchemas
        perform = partial(call, operation_name)
        try:
            response = respond(perform, service_name, cast("bytes", request.body))
        except NoResponse:
            raise ReadTimeoutError(endpoint_url=request.url) from None
        return _build_client_response(request.url, response)

    # The stubs don't know that handlers may respond.
    handler = cast("Callable[..., None]", send)
    client.meta.events.register_first(f"before-send.{service_name}.*", handler)


def _build_client_response(url: str, response: Response) -> AWSResponse:
    """Build what botocore would get if the response had come over the network."""
    stream = HTTPResponse(BytesIO(response.body), preload_content=False)
    return AWSResponse(url, response.status, HTTPHeaders.from_dict(response.headers), stream)
