"""The emulator's own controls, as JSON below /_emulator; nobody signs these calls.

    GET    /_emulator/health             {"status": "ok", "account": ..., "region": ...}
    GET    /_emulator/calls?action=s3:   the AWS calls so far, oldest first (`calls.py`)
    DELETE /_emulator/calls              forget them
    POST   /_emulator/fire               {"schedule": NAME, "group": "default", "scheduledTime": the
                                         next slot, ISO 8601}; answers {"executionArn": ...}
    GET    /_emulator/personalize/calls  the calls to Personalize, with their requests
    GET    /_emulator/faults             Personalize's open faults (`emulator.personalize.faults`)
    POST   /_emulator/faults             order one; answers {"id": ...}
    DELETE /_emulator/faults?id=fault-1  withdraw one, or all
    POST   /_emulator/reset              forget everything, as if just started

An error is `{"error": "..."}` with status 400 or 404.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

from emulator.server import http
from emulator.server.scheduler import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope

    Document = dict[str, object]
    Control = Callable[[Document], object]

PREFIX = "/_emulator/"


class Admin:
    """Answers the controls; each is a function of one document to another, by method and path.

    What a control gets is the body's JSON object, or the query's parameters where there is no body.
    """

    def __init__(self, controls: Mapping[tuple[str, str], Control]) -> None:
        self._controls = controls

    async def __call__(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Answer one call."""
        body = await http.read_body(receive)
        status, answer = await asyncio.to_thread(self._answer, scope, body)
        await http.send_answer(
            send,
            status,
            {"content-type": "application/json"},
            json.dumps(answer, default=str).encode(),
        )

    def _answer(self, scope: HTTPScope, body: bytes) -> tuple[int, object]:
        control = self._controls.get((scope["method"], scope["path"].removeprefix(PREFIX)))
        if control is None:
            known = ", ".join(f"{method} {PREFIX}{path}" for method, path in self._controls)
            return 404, {"error": f"no {scope['method']} {scope['path']}; there are {known}"}
        try:
            document: object = (
                json.loads(body) if body else dict(parse_qsl(scope["query_string"].decode()))
            )
            if not isinstance(document, dict):
                return 400, {"error": "the body must be a JSON object"}
            return 200, control(cast("Document", document))
        except KeyError as error:
            return 400, {"error": f"{error.args[0]} is missing"}
        except (DeliveryError, LookupError, ValueError) as error:
            return 400, {"error": str(error)}
