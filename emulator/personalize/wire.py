"""The service on the wire: HTTP requests of both protocols, from a server or in process."""

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
from emulator.personalize.errors import ApiError, NoAnswer
from emulator.personalize.model import CONTROL, EVENTS, RUNTIME, service

TARGET = "AmazonPersonalize."
CONTENT_TYPES = {
    CONTROL: "application/x-amz-json-1.1",
    RUNTIME: "application/json",
    EVENTS: "application/json",
}
IN_PROCESS = "http://in-process.invalid/"


class Answer(NamedTuple):
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
) -> Answer:
    """Answer a request to `personalize` (AWS JSON 1.1) or its runtime or events (REST JSON).

    Raises:
        NoAnswer: The connection is to be closed without an answer.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        name = _operation(service_name, method, path, lower)
        return _answer(service_name, 200, personalize.call(name, _parsed(body), caller))
    except ApiError as error:
        return _refusal(service_name, error)


def attach(client: BaseClient, personalize: Personalize, caller: Caller) -> None:
    """Serve a boto3 client of any of the services in process.

    botocore still validates, serialises, signs, parses and retries; only the sending is replaced.
    An answer that never arrives is a ReadTimeoutError, which botocore retries too.
    """
    service_name = client.meta.service_model.service_name

    def send(*, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        assert isinstance(request.body, bytes | bytearray), "as both protocols serialise it"
        try:
            answer = respond(
                personalize,
                service_name=service_name,
                method=request.method,
                path=urlsplit(request.url).path,
                headers={k: _text(v) for k, v in request.headers.items()},
                body=bytes(request.body),
                caller=caller,
            )
        except NoAnswer:
            raise ReadTimeoutError(endpoint_url=request.url) from None
        # Handlers of others run too: moto's must not take this request for one of AWS's.
        request.url = IN_PROCESS
        headers = HTTPHeaders()
        for name, value in answer.headers.items():
            headers[name] = value
        return AWSResponse(request.url, answer.status, headers, _Raw(answer.body))

    handler = cast("Callable[..., None]", send)  # the stubs forget that handlers may answer
    client.meta.events.register_first(f"before-send.{service_name}.*", handler)


class _Raw(BytesIO):
    """A body that botocore can read like a connection's."""

    def stream(self) -> list[bytes]:
        """The whole body at once."""
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


def _answer(service_name: str, status: int, body: Mapping[str, object]) -> Answer:
    text = json.dumps(body, default=_json).encode()
    headers = {
        "Content-Type": CONTENT_TYPES[service_name],
        "Content-Length": str(len(text)),
        "x-amzn-RequestId": str(uuid4()),
    }
    return Answer(status, headers, text)


def _refusal(service_name: str, error: ApiError) -> Answer:
    """The error in the body and, as REST JSON has it, in a header; its status is the model's."""
    shapes = {shape.name: shape for shape in service(service_name).error_shapes}
    modelled = shapes[error.code].metadata.get("error", {}) if error.code in shapes else {}
    status = modelled.get("httpStatusCode", error.status)
    answer = _answer(service_name, status, {"__type": error.code, "message": error.message})
    answer.headers["x-amzn-ErrorType"] = error.code
    return answer


def _json(value: object) -> float:
    """Times are seconds since 1970, to the millisecond, in both protocols."""
    assert isinstance(value, datetime), f"{value!r} has no JSON"
    return round(value.timestamp(), 3)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
