"""The emulator's ASGI application, which receives every request.

- It rejects websockets and requests that a web page could have sent (`local_requests.py`).
- It passes all other requests to MiniStack, which checks the signatures of AWS calls.
- MiniStack passes calls to Personalize and Step Functions back to `personalize.py` and
  `stepfunctions.py`, and requests below /_emulator/ to `admin.py`. MiniStack itself handles all
  other requests.
"""

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

CORRECTIONS = (alarms, events, functions, iam, logs, scheduler)
"""The modules that correct MiniStack's services, which happens when they're imported."""
FORBIDDEN_RESPONSE_START: HTTPResponseStartEvent = {
    "type": "http.response.start",
    "status": call_log.FORBIDDEN,
    "headers": [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")],
    "trailers": False,
}
POLICY_VIOLATION = 1008  # a websocket close code of RFC 6455


class Application:
    """All services of the emulator on one endpoint. The scheduler starts with the constructor."""

    def __init__(self, endpoint: str, options: Options) -> None:
        self._port = int(endpoint.rpartition(":")[2])
        personalize_service = _create_personalize(options)
        personalize.mount(personalize_service)
        StepFunctions().mount()
        scheduler.start()
        admin.mount(_list_controls(options, personalize_service))

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Pass a request to MiniStack, unless a web page could have sent it."""
        # This isn't a request. Hypercorn uses it to announce that the server starts or shuts down.
        if scope["type"] == "lifespan":
            await ministack_app.app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": None})
            return

        # Headers are bytes in ASGI.
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        refusal = local_requests.explain_refusal(scope["method"], headers, self._port)
        if refusal is None:
            await ministack_app.app(scope, receive, http.filter_responses(send))
        else:
            await _refuse(send, refusal)


async def _refuse(send: ASGISendCallable, message: str) -> None:
    """Respond to a request with status 403 and a plain text message."""
    await send(FORBIDDEN_RESPONSE_START)
    body = f"{message}\n".encode()
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _list_controls(
    options: Options, personalize_service: Personalize
) -> dict[tuple[str, str], admin.Control]:
    """Map the method and path of each control (see `admin.py`) to the control's function."""
    faults = personalize_service.faults
    health = {"status": "ok", "account": options["account"], "region": options["region"]}
    return {
        ("GET", "health"): lambda _: health,
        ("GET", "calls"): lambda query: call_log.list_calls(query.get("action", "")),
        ("DELETE", "calls"): lambda _: call_log.CALLS.clear(),
        ("POST", "fire"): scheduler.fire,
        ("POST", "train"): lambda request: {
            "started": personalize_service.train_automatically(request["solutionArn"])
        },
        ("POST", "skip"): lambda request: personalize_service.skip(request["seconds"]),
        ("GET", "faults"): lambda _: faults.list(),
        ("POST", "faults"): lambda fault: {"id": faults.inject(fault)},
        ("DELETE", "faults"): lambda query: faults.clear(query.get("id")),
    }


def _create_personalize(options: Options) -> Personalize:
    """Create the Personalize emulator with the timings and switches from the options."""
    timings = {kind: Duration(*seconds) for kind, seconds in options["timings"].items()}
    return Personalize(
        objects=s3.JobObjects(options["region"]),
        timings=FixedTimings(**timings),
        switches=Switches(**options["switches"]),
        authorize=personalize.authorize,
    )
