"""The controls of the emulator, as JSON below /_emulator. These requests are not signed.

    GET    /_emulator/health             {"status": "ok", "account": ..., "region": ...}
    GET    /_emulator/calls?action=s3:   the AWS calls, oldest first (`call_log.py`)
    DELETE /_emulator/calls              forget the calls
    POST   /_emulator/fire               {"schedule": NAME, "group": "default", "scheduledTime": the
                                         next slot, ISO 8601}; returns {"executionArn": ...}
    GET    /_emulator/personalize/calls  the calls to Personalize, with their requests
    GET    /_emulator/faults             the waiting faults (`emulator.personalize.faults`)
    POST   /_emulator/faults             inject a fault; returns {"id": ...}
    DELETE /_emulator/faults?id=fault-1  remove a fault, or without an id all of them
    POST   /_emulator/reset              forget everything, as if the emulator had just started

An error is `{"error": "..."}` with status 400 or 404.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import parse_qsl

from emulator.server import http
from emulator.server.scheduler import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope

    Document = dict[str, object]
    Control = Callable[[Document], object]

PREFIX = "/_emulator/"


class Answer(NamedTuple):
    """The HTTP status and the JSON of a control's response."""

    status: int
    document: object


class Admin:
    """The responder to the requests for controls.

    `controls` are functions by method and path. A control receives the JSON object in the body of
    the request. If there is no body, it receives the parameters of the query. It returns the
    response, which must be a value that JSON has.
    """

    def __init__(self, controls: Mapping[tuple[str, str], Control]) -> None:
        self._controls = controls

    async def __call__(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Respond to one request."""
        body = await http.read_body(receive)
        answer = await asyncio.to_thread(self._respond, scope, body)
        await http.send_response(
            send,
            answer.status,
            {"content-type": "application/json"},
            json.dumps(answer.document, default=str).encode(),
        )

    def _respond(self, scope: HTTPScope, body: bytes) -> Answer:
        """Call the control of a request, and return its result or an error."""
        control = self._controls.get((scope["method"], scope["path"].removeprefix(PREFIX)))
        if control is None:
            known = ", ".join(f"{method} {PREFIX}{path}" for method, path in self._controls)
            return Answer(
                404, {"error": f"no {scope['method']} {scope['path']}; there are {known}"}
            )
        try:
            document: object = (
                json.loads(body) if body else dict(parse_qsl(scope["query_string"].decode()))
            )
            if not isinstance(document, dict):
                return Answer(400, {"error": "the body must be a JSON object"})
            return Answer(200, control(cast("Document", document)))
        except KeyError as error:
            return Answer(400, {"error": f"{error.args[0]} is missing"})
        except (DeliveryError, LookupError, ValueError) as error:
            return Answer(400, {"error": str(error)})
