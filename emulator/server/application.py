"""The ASGI app of the emulator. It passes each request to the right service.

- A request that a web page could have sent is refused (`local_requests.py`).
- A path below `/_emulator/` is a control of the emulator (`admin.py`).
- A request for Personalize goes to `personalize_http.py`. Its target is `AmazonPersonalize.*`. The
  requests for its runtime and events have no target, so path and signature decide.
- A request with the target `AWSStepFunctions.*` goes to MiniStack. It authorises the call and
  passes it on to `stepfunctions.py`.
- Every other request goes to MiniStack.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from ministack.app import app as ministack

from emulator.clients import Clients
from emulator.personalize.errors import NoResponse
from emulator.personalize.store import Switches
from emulator.personalize.timeline import Duration, FixedTimings
from emulator.server import (
    admin,
    execution_events,
    function_logs,
    function_roles,
    http,
    local_requests,
    log_filters,
    ministack_alarms,
    ministack_internals,
)
from emulator.server.call_log import CallLog, Exchange
from emulator.server.personalize_http import PersonalizeHttp
from emulator.server.s3_objects import RoleObjects
from emulator.server.scheduler import Scheduler
from emulator.server.stepfunctions import StepFunctions

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypercorn.typing import (
        ASGIReceiveCallable,
        ASGISendCallable,
        ASGISendEvent,
        HTTPScope,
        Scope,
    )

    from emulator.server.options import Options

FORBIDDEN = 403


class Application:
    """All services of the emulator, on one endpoint of this process.

    `on_ready` is called when the server is ready for requests.
    """

    def __init__(self, endpoint: str, options: Options, on_ready: Callable[[], None]) -> None:
        account, region = options["account"], options["region"]
        self._on_ready = on_ready
        self._port = int(endpoint.rpartition(":")[2])
        self._call_log = CallLog()
        clients = Clients(endpoint)
        _correct_ministack()
        self._step_functions = StepFunctions(clients)
        self._step_functions.mount()
        execution_events.mount(self._record_denial)
        function_logs.mount(self._record_denial)
        function_roles.mount(self._record_denial)
        log_filters.mount()
        self._scheduler = Scheduler(clients)
        self._scheduler.mount()
        switches = Switches(**options["switches"])
        self._personalize_http = PersonalizeHttp(
            RoleObjects(clients, region, calls_have_source=switches.s3_calls_have_source),
            FixedTimings(
                **{kind: Duration(*seconds) for kind, seconds in options["timings"].items()}
            ),
            switches,
        )
        self._admin = admin.Admin(
            {
                ("GET", "health"): lambda _: {"status": "ok", "account": account, "region": region},
                ("GET", "calls"): lambda query: self._call_log.calls(str(query.get("action", ""))),
                ("DELETE", "calls"): lambda _: self._call_log.clear(),
                ("POST", "fire"): self._fire,
                ("GET", "personalize/calls"): lambda _: self._personalize_calls(),
                ("GET", "faults"): lambda _: self._personalize_http.personalize.faults.list(),
                ("POST", "faults"): self._inject_fault,
                ("DELETE", "faults"): self._clear_faults,
                ("POST", "reset"): lambda _: self._reset(),
            }
        )

    def _record_denial(self, caller: str, action: str) -> None:
        """Add an action that a service was denied to the call log. `caller` is its ARN or name."""
        self._call_log.add(caller, action, FORBIDDEN)

    def _inject_fault(self, document: dict[str, object]) -> dict[str, object]:
        """Inject the fault of the control's JSON document, and return its id."""
        return {"id": self._personalize_http.personalize.faults.inject(document)}

    def _clear_faults(self, query: dict[str, object]) -> None:
        """Remove the fault with the id in the query, or all faults if there is no id."""
        fault_id = query.get("id")
        self._personalize_http.personalize.faults.clear(None if fault_id is None else str(fault_id))

    def _personalize_calls(self) -> list[dict[str, object]]:
        """Return the last calls to Personalize with their requests, oldest first."""
        return [call._asdict() for call in list(self._personalize_http.personalize.calls)]

    def _reset(self) -> None:
        """Empty every store, as if the emulator had just started."""
        self._step_functions.reset()
        ministack_internals.forget_everything()
        self._scheduler.reset()
        self._personalize_http.reset()
        self._call_log.clear()

    def _fire(self, document: dict[str, object]) -> dict[str, object]:
        """Fire the schedule that the control's JSON document names."""
        slot = document.get("scheduledTime")
        execution_arn = self._scheduler.fire(
            str(document["schedule"]),
            str(document.get("group", "default")),
            dt.datetime.fromisoformat(str(slot)) if slot is not None else None,
        )
        return {"executionArn": execution_arn}

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Respond to one request, or refuse it if a web page could have sent it.

        The scope `lifespan` is the start and the end of the server, which are MiniStack's too.
        """
        if scope["type"] != "lifespan":
            message = local_requests.refusal(scope, self._port)
            if message is not None:
                await http.refuse(scope, send, message)
                return
        if scope["type"] == "lifespan":

            async def send_and_report(message: ASGISendEvent) -> None:
                await send(message)
                if message["type"] == "lifespan.startup.complete":
                    self._on_ready()

            await ministack(scope, receive, send_and_report)
        elif scope["type"] == "http" and scope["path"].startswith(admin.PREFIX):
            await self._admin(scope, receive, send)
        elif scope["type"] == "http":
            await self._respond(scope, receive, send)
        else:
            await ministack(scope, receive, send)

    async def _respond(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Respond to a request for a service, and log the call."""
        operation = self._personalize_http.operation(scope)
        if operation is None:
            exchange = Exchange(self._call_log, scope, receive, send)
            send_to_client = local_requests.without_cors_headers(exchange.send)
            await ministack(scope, exchange.receive, send_to_client)
            return
        action = f"personalize:{operation.name}"
        exchange = Exchange(self._call_log, scope, receive, send, action)
        try:
            await self._personalize_http(operation.service, scope, exchange.receive, exchange.send)
        except NoResponse:
            exchange.log(status=0)
            await http.drop_connection(send)


def _correct_ministack() -> None:
    """Replace what MiniStack does differently from AWS.

    This concerns Lambda, Logs, Scheduler and CloudWatch.
    """
    ministack_internals.guard_function_servers(local_requests.refusal_of_headers)
    ministack_internals.respond_to_functions_immediately()
    ministack_internals.wait_for_function_logs()
    ministack_internals.name_the_resource_of_each_call()
    ministack_internals.store_keys_of_log_groups()
    ministack_internals.remove_every_named_tag()
    ministack_alarms.keep_whole_alarms()
    ministack_alarms.record_actions()
