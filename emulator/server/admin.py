"""The emulator's controls: HTTP endpoints below /_emulator/ that AWS doesn't have.

Requests and responses contain JSON, and the requests aren't signed.

    GET    /_emulator/health             {"status": "ok", "account": ..., "region": ...}
    GET    /_emulator/calls?action=s3:   the logged AWS calls, oldest first (`call_log.py`)
    DELETE /_emulator/calls              empty the log
    POST   /_emulator/fire               {"schedule": NAME, "group": "default", "scheduledTime":
                                         ISO 8601, by default now}; returns {"executionArn": ...}
    POST   /_emulator/train              {"solutionArn": ...}: start the next automatic
                                         training; returns {"started": true}, or false if
                                         no interactions are new
    POST   /_emulator/skip               {"seconds": ...}: move Personalize's clock forward, which
                                         is the only service that does not follow the real one
    GET    /_emulator/faults             the pending faults (`emulator.personalize.faults`)
    POST   /_emulator/faults             inject a fault; returns {"id": ...}
    DELETE /_emulator/faults?id=fault-1  remove a fault, or all faults if there's no id

An error has the status 400 or 404, and the body `{"error": "..."}`.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError
from ministack import app

from emulator.protocol.errors import ApiError
from emulator.server import http, ministack

PATH_PREFIX = "/_emulator/"
Control = Callable[[dict[str, Any]], object]
"""A function that implements a control.

The argument is the JSON object in the request body or, if there's no body, the query parameters.
The result is sent as JSON."""


def mount(controls: Mapping[tuple[str, str], Control]) -> None:
    """Route requests below /_emulator/ to the controls, which are given by method and path."""

    # MiniStack calls this function before it determines the service and checks the signature.
    @ministack.replace(app, "_handle_post_body_shortcuts")
    async def respond(handle: Callable[..., Any], *request: Any) -> http.Response | None:  # noqa: ANN401  # as in MiniStack
        method, path, _, body, query, _ = request
        if not path.startswith(PATH_PREFIX):
            response: http.Response | None = await handle(*request)
            return response

        control = controls.get((method, path.removeprefix(PATH_PREFIX)))
        if control is None:
            existing = ", ".join(f"{method} {PATH_PREFIX}{name}" for method, name in controls)
            return _build_response(404, {"error": f"no {method} {path}; there are {existing}"})

        # Use a thread because a control may call a service of this process, which couldn't respond
        # while the event loop is blocked.
        status, document = await asyncio.to_thread(_run_control, control, query, body)
        return _build_response(status, document)


def _build_response(status: int, document: object) -> http.Response:
    """Build an HTTP response with JSON. Values that JSON doesn't have are converted to strings."""
    content = json.dumps(document, default=str).encode()
    return status, {"Content-Type": "application/json"}, content


def _run_control(control: Control, query: dict[str, list[str]], body: bytes) -> tuple[int, object]:
    """Run a control and return the status and the JSON document of its response.

    If the request is invalid or an AWS call fails, the status is 400 and the document contains an
    error message.
    """
    try:
        if body:
            arguments = dict(json.loads(body))
        else:
            arguments = {key: values[0] for key, values in query.items()}

        return 200, control(arguments)
    except KeyError as error:
        return 400, {"error": f"{error.args[0]} is missing"}
    except ApiError as error:
        return 400, {"error": f"{error.code}: {error.message}"}
    except ClientError as error:
        details = error.response["Error"]
        return 400, {"error": f"{details['Code']}: {details['Message']}"}
    except (LookupError, TypeError, ValueError) as error:
        return 400, {"error": str(error)}
