"""The controls of the emulator, as JSON below /_emulator. These requests are not signed.

    GET    /_emulator/health             {"status": "ok", "account": ..., "region": ...}
    GET    /_emulator/calls?action=s3:   the AWS calls, oldest first (`call_log.py`)
    DELETE /_emulator/calls              forget the calls
    POST   /_emulator/fire               {"schedule": NAME, "group": "default", "scheduledTime":
                                         ISO 8601, by default now}; returns {"executionArn": ...}
    GET    /_emulator/faults             the waiting faults (`emulator.personalize.faults`)
    POST   /_emulator/faults             inject a fault; returns {"id": ...}
    DELETE /_emulator/faults?id=fault-1  remove a fault, or without an id all of them

An error is `{"error": "..."}` with status 400 or 404.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError
from ministack import app

from emulator.server import http, ministack

PREFIX = "/_emulator/"
Control = Callable[[dict[str, Any]], object]
"""A function that gets the JSON object in the body of a request, or the parameters of its query.

It returns a value that JSON has."""


def mount(controls: Mapping[tuple[str, str], Control]) -> None:
    """Let MiniStack pass the requests for controls to them. They are by method and path."""

    @ministack.replace(app, "_handle_post_body_shortcuts")
    async def respond(handle: Callable[..., Any], *request: Any) -> http.Response | None:  # noqa: ANN401  # as in MiniStack
        method, path, _, body, query, _ = request
        if not path.startswith(PREFIX):
            response: http.Response | None = await handle(*request)
            return response

        control = controls.get((method, path.removeprefix(PREFIX)))
        if control is None:
            known = ", ".join(f"{method} {PREFIX}{name}" for method, name in controls)
            return _build_response(404, {"error": f"no {method} {path}; there are {known}"})

        # A thread, because a control may call a service of this process.
        status, document = await asyncio.to_thread(_run_control, control, query, body)
        return _build_response(status, document)


def _build_response(status: int, document: object) -> http.Response:
    content = json.dumps(document, default=str).encode()
    return status, {"Content-Type": "application/json"}, content


def _run_control(control: Control, query: dict[str, list[str]], body: bytes) -> tuple[int, object]:
    """Run a control, and return the status and the document of its response."""
    try:
        if body:
            arguments = dict(json.loads(body))
        else:
            arguments = {key: values[0] for key, values in query.items()}
        return 200, control(arguments)
    except KeyError as error:
        return 400, {"error": f"{error.args[0]} is missing"}
    except ClientError as error:
        details = error.response["Error"]
        return 400, {"error": f"{details['Code']}: {details['Message']}"}
    except (LookupError, TypeError, ValueError) as error:
        return 400, {"error": str(error)}
