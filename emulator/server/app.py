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
"""The services of MiniStack that these modules have corrected."""
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
        account = options["account"]
        region = options["region"]
        timings = {kind: Duration(*seconds) for kind, seconds in options["timings"].items()}
        self._port = int(endpoint.rpartition(":")[2])
        self._personalize = Personalize(
            objects=s3.RoleObjects(region),
            timings=FixedTimings(**timings),
            switches=Switches(**options["switches"]),
            authorize=personalize.authorize,
        )
        personalize.mount(self._personalize)
        self._step_functions = StepFunctions()
        self._scheduler = scheduler.Scheduler()
        controls: dict[tuple[str, str], admin.Control] = {
            ("GET", "health"): lambda _: {"status": "ok", "account": account, "region": region},
            ("GET", "calls"): lambda query: call_log.calls(query.get("action", "")),
            ("DELETE", "calls"): lambda _: call_log.CALLS.clear(),
            ("POST", "fire"): self._fire,
            ("GET", "faults"): lambda _: self._personalize.faults.list(),
            ("POST", "faults"): lambda fault: {"id": self._personalize.faults.inject(fault)},
            ("DELETE", "faults"): lambda query: self._personalize.faults.clear(query.get("id")),
        }
        admin.mount(controls)

    def _fire(self, document: dict[str, Any]) -> dict[str, str]:
        """Fire the schedule that the control's JSON document names."""
        slot = dt.datetime.now(dt.UTC)
        if document.get("scheduledTime"):
            slot = dt.datetime.fromisoformat(document["scheduledTime"])

        group = document.get("group", "default")
        return {"executionArn": self._scheduler.fire(document["schedule"], group, slot)}

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Let MiniStack respond to a request that no web page could have sent.

        The scope `lifespan` is the start and the end of the server.
        """
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": None})
        elif scope["type"] == "lifespan":
            await ministack_app.app(scope, receive, send)
        elif refusal := local_requests.refusal(scope["method"], http.fields(scope), self._port):
            await send(FORBIDDEN)
            body = f"{refusal}\n".encode()
            await send({"type": "http.response.body", "body": body, "more_body": False})
        else:
            await ministack_app.app(scope, receive, http.filtered(send))
