"""Lets a service in this process respond to a boto3 client of Step Functions."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from botocore.client import BaseClient

from emulator.personalize.errors import ApiError
from emulator.personalize.wire import Response, intercept

HEADERS = {"Content-Type": "application/x-amz-json-1.0"}

Respond = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""Returns the response to a request. Its arguments are the operation and the request."""


def attach(client: BaseClient, respond: Respond) -> None:
    """Let `respond` respond to the requests of a boto3 client."""

    def answer(operation: str, request: bytes) -> Response:
        try:
            status, body = 200, respond(operation, json.loads(request))
        except ApiError as error:
            status, body = error.status, {"__type": error.code, "message": error.message}
        return Response(status, HEADERS, json.dumps(body, default=datetime.timestamp).encode())

    intercept(client, answer)
