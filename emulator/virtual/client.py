"""Lets a service in this process respond to a boto3 client of Step Functions."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.exceptions import ReadTimeoutError

from emulator.personalize.errors import ApiError, NoResponse
from emulator.personalize.wire import IN_PROCESS, Response, botocore_response

HEADERS = {"Content-Type": "application/x-amz-json-1.0"}

Respond = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""Returns the response to a request. Its arguments are the operation and the request."""


def attach(client: BaseClient, respond: Respond) -> None:
    """Let `respond` respond to the requests of a boto3 client.

    botocore still validates, serialises, parses and retries. Only the sending is replaced. If the
    response is lost, botocore gets a ReadTimeoutError, which it retries.
    """

    def send(*, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).partition(".")[2]
        try:
            body = respond(operation, json.loads(cast("bytes", request.body)))
        except NoResponse:
            raise ReadTimeoutError(endpoint_url=IN_PROCESS) from None
        except ApiError as error:
            text = json.dumps({"__type": error.code, "message": error.message})
            return botocore_response(Response(error.status, HEADERS, text.encode()))
        text = json.dumps(body, default=datetime.timestamp)
        return botocore_response(Response(200, HEADERS, text.encode()))

    handler = cast("Callable[..., None]", send)  # the stubs do not know that handlers may respond
    client.meta.events.register_first("before-send.sfn.*", handler)
