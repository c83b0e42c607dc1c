"""Services with JSON over HTTP, for a server or for a boto3 client in the same process."""

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

from emulator.personalize.api import Personalize
from emulator.personalize.authorization import Caller
from emulator.personalize.errors import ApiError, NoResponse
from emulator.personalize.service_model import CONTROL, RUNTIME, service_model

CONTENT_TYPES = {
    CONTROL: "application/x-amz-json-1.1",
    RUNTIME: "application/json",
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
    """Return the response to a request. `perform` performs the operation, or raises ApiError.

    AWS JSON reads the code of an error from the body, and REST JSON from the header. If the service
    model has an HTTP status for the code, it replaces the status of the error.

    Raises:
        NoResponse: The server must close the connection without a response.
    """
    headers = {"Content-Type": CONTENT_TYPES[service_name], "x-amzn-RequestId": str(uuid4())}
    try:
        status, fields = 200, perform(_parse_body(body))
    except ApiError as error:
        shapes = {shape.name: shape for shape in service_model(service_name).error_shapes}
        traits = shapes[error.code].metadata.get("error", {}) if error.code in shapes else {}
        status = traits.get("httpStatusCode", error.status)
        fields = {"__type": error.code, "message": error.message}
        headers["x-amzn-ErrorType"] = error.code
    # Both protocols have times in seconds since 1970, rounded to milliseconds.
    text = json.dumps(fields, default=lambda time: round(time.timestamp(), 3)).encode()
    return Response(status, {**headers, "Content-Length": str(len(text))}, text)


def _parse_body(body: bytes) -> dict[str, object]:
    """Return the JSON object of a request. An empty body is an empty object."""
    try:
        return dict(json.loads(body or b"{}"))
    except (TypeError, ValueError) as error:
        raise ApiError("SerializationException", "The body is not a JSON object") from error


def attach(client: BaseClient, personalize: Personalize, caller: Caller) -> None:
    """Let `personalize` respond to the requests of a boto3 client in this process."""
    intercept(client, lambda operation, request: personalize.call(operation, request, caller))


def intercept(
    client: BaseClient, call: Callable[[str, Mapping[str, Any]], Mapping[str, object]]
) -> None:
    """Let a function respond to a boto3 client. Its arguments are the operation and the request.

    botocore still validates, serialises, signs, parses and retries. Only the sending is replaced.
    If the response is lost, botocore gets a ReadTimeoutError, which it retries.
    """
    service_name = client.meta.service_model.service_name

    def send(*, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse:
        operation_name = event_name.rpartition(".")[2]  # before-send.personalize.ListSchemas
        perform, sent = partial(call, operation_name), cast("bytes", request.body)
        try:
            status, headers, body = respond(perform, service_name, sent)
        except NoResponse:
            raise ReadTimeoutError(endpoint_url=request.url) from None
        raw = HTTPResponse(BytesIO(body), preload_content=False)
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), raw)

    handler = cast("Callable[..., None]", send)  # the stubs do not know that handlers may respond
    client.meta.events.register_first(f"before-send.{service_name}.*", handler)
