"""The ASGI app of the emulator. It passes each request to the right service.

- A request that a web page could have sent is refused (`local_requests.py`), and every websocket.
- Every other request goes to MiniStack, which authorises it. It passes the calls to Personalize and
  Step Functions on to `personalize.py` and `stepfunctions.py`, and those to the controls of the
  emulator below `/_emulator/` to `admin.py`.
"""

import datetime as dt
from typing import Any

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPResponseStartEvent, Scope
from ministack import app as ministack_app

from emulator.personalize.api import Personalize
from emulator.personalize.store import Switches
from emulator.personalize.timeline import Duration, FixedTimings
from emulator.process import Options
from emulator.server import (
    admin,
    alarms,
    call_log,
    events,
    functions,
    http,
    iam,
    local_requests,
    logs,
    personalize,
    s3,
    scheduler,
)
from emulator.server.stepfunctions import StepFunctions

CORRECTED = (alarms, events, functions, iam, logs, scheduler)
"""The modules that correct MiniStack's services, which they do as soon as they are imported."""
FORBIDDEN: HTTPResponseStartEvent = {
    "type": "http.response.start",
    "status": call_log.FORBIDDEN,
    "headers": [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")],
    "trailers": False,
}
POLICY_VIOLATION = 1008  # RFC 6455, status codes of a websocket that is closed


class Application:
    """All services of the emulator, on one endpoint of this process."""

    def __init__(self, endpoint: str, options: Options) -> None:
        self._port = int(endpoint.rpartition(":")[2])
        self._personalize = _create_personalize(options)
        self._scheduler = scheduler.Scheduler()
        self._step_functions = StepFunctions()
        personalize.mount(self._personalize)
        admin.mount(self._controls(options))

    def _controls(self, options: Options) -> dict[tuple[str, str], admin.Control]:
        """Return the functions behind the controls that `admin.py` describes."""
        health = {"status": "ok", "account": options["account"], "region": options["region"]}
        faults = self._personalize.faults
        return {
            ("GET", "health"): lambda _: health,
            ("GET", "calls"): lambda query: call_log.list_calls(query.get("action", "")),
            ("DELETE", "calls"): lambda _: call_log.CALLS.clear(),
            ("POST", "fire"): self._fire,
            ("GET", "faults"): lambda _: faults.list(),
            ("POST", "faults"): lambda fault: {"id": faults.inject(fault)},
            ("DELETE", "faults"): lambda query: faults.clear(query.get("id")),
        }

    def _fire(self, request: dict[str, Any]) -> dict[str, str]:
        """Fire the schedule that the request to the control names."""
        scheduled_time = dt.datetime.now(dt.UTC)
        if request.get("scheduledTime"):
            scheduled_time = dt.datetime.fromisoformat(request["scheduledTime"])

        group = request.get("group", "default")
        execution_arn = self._scheduler.fire(request["schedule"], group, scheduled_time)
        return {"executionArn": execution_arn}

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Let MiniStack respond to a request, unless a web page could have sent it.

        The scope `lifespan` is the start and the end of the server.
        """
        if scope["type"] == "lifespan":
            await ministack_app.app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": None})
            return

        headers = http.read_headers(scope)
        refusal = local_requests.explain_refusal(scope["method"], headers, self._port)
        if refusal is None:
            await ministack_app.app(scope, receive, http.filter_responses(send))
        else:
            await _refuse(send, refusal)


async def _refuse(send: ASGISendCallable, message: str) -> None:
    await send(FORBIDDEN)
    body = f"{message}\n".encode()
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _create_personalize(options: Options) -> Personalize:
    """Create the emulator of Personalize, with the timings and switches of the options."""
    timings = {kind: Duration(*seconds) for kind, seconds in options["timings"].items()}
    return Personalize(
        objects=s3.RoleObjects(options["region"]),
        timings=FixedTimings(**timings),
        switches=Switches(**options["switches"]),
        authorize=personalize.authorize,
    )
