"""The ASGI app: hands each request to who knows it best.

path /_emulator/...                the emulator's own controls (`admin.py`)
target AmazonPersonalize.*         Personalize (`personalize_http.py`); so are the paths of its
                                   runtime and events, where they are signed for it
target AWSStepFunctions.*          moto's interpreter (`stepfunctions.py`), once MiniStack
                                   has authorised the call; MiniStack's where that is asked
                                   for (`interpreter`), as a second opinion on outcomes: there
                                   no machine's role is enforced and no event is published
everything else                    MiniStack
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from ministack.app import app as ministack

from emulator import moto_seams
from emulator.clients import Clients
from emulator.personalize.errors import NoAnswer
from emulator.personalize.store import Switches
from emulator.personalize.timeline import Duration, FixedTimings
from emulator.server import (
    admin,
    events,
    function_logs,
    function_roles,
    http,
    log_filters,
    ministack_seams,
)
from emulator.server.calls import Calls, Exchange
from emulator.server.objects import RoleObjects
from emulator.server.personalize_http import PersonalizeHttp
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
    """All of the emulator in this process, answering at `endpoint`."""

    def __init__(self, endpoint: str, options: Options) -> None:
        account, region = options["account"], options["region"]
        self.on_ready: Callable[[], None] = lambda: None
        self.calls = Calls()
        ministack_seams.answer_functions_at_once()
        ministack_seams.wait_for_function_logs()
        ministack_seams.name_schedules_by_their_group()
        ministack_seams.keep_keys_of_log_groups()
        ministack_seams.remove_all_tags_that_are_named()
        clients = Clients(endpoint)
        if options["interpreter"] == "moto":
            StepFunctions(clients).mount()
        events.mount(self._note_denial)
        function_logs.mount(self._note_denial)
        function_roles.mount(self._note_denial)
        log_filters.mount()
        self.scheduler = Scheduler(clients)
        self.scheduler.mount()
        self.personalize = PersonalizeHttp(
            RoleObjects(clients, region),
            FixedTimings(**{k: Duration(*v) for k, v in options["timings"].items()}),
            Switches(**options["switches"]),
        )
        self._admin = admin.Admin(
            {
                ("GET", "health"): lambda _: {"status": "ok", "account": account, "region": region},
                ("GET", "calls"): lambda request: self.calls.of(str(request.get("action", ""))),
                ("DELETE", "calls"): lambda _: self.calls.clear(),
                ("POST", "fire"): self._fire,
                ("GET", "personalize/calls"): lambda _: self._personalize_calls(),
                ("GET", "faults"): lambda _: self.personalize.personalize.faults.list(),
                ("POST", "faults"): self._inject,
                ("DELETE", "faults"): self._clear_faults,
                ("POST", "reset"): lambda _: self._reset(),
            }
        )

    def _note_denial(self, caller: str, action: str) -> None:
        self.calls.add(caller, action, FORBIDDEN)

    def _inject(self, order: dict[str, object]) -> dict[str, object]:
        return {"id": self.personalize.personalize.faults.inject(order)}

    def _clear_faults(self, request: dict[str, object]) -> None:
        fault_id = request.get("id")
        self.personalize.personalize.faults.clear(None if fault_id is None else str(fault_id))

    def _personalize_calls(self) -> list[dict[str, object]]:
        return [call._asdict() for call in list(self.personalize.personalize.calls)]

    def _reset(self) -> None:
        moto_seams.forget_everything()
        ministack_seams.forget_everything()
        self.scheduler.reset()
        self.personalize.reset()
        self.calls.clear()

    def _fire(self, request: dict[str, object]) -> dict[str, object]:
        slot = request.get("scheduledTime")
        arn = self.scheduler.fire(
            str(request["schedule"]),
            str(request.get("group", "default")),
            dt.datetime.fromisoformat(str(slot)) if slot is not None else None,
        )
        return {"executionArn": arn}

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Answer one request, or accompany the server's life."""
        if scope["type"] == "lifespan":

            async def send_and_tell(message: ASGISendEvent) -> None:
                await send(message)
                if message["type"] == "lifespan.startup.complete":
                    self.on_ready()

            await ministack(scope, receive, send_and_tell)
        elif scope["type"] == "http" and scope["path"].startswith(admin.PREFIX):
            await self._admin(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await ministack(scope, receive, send)

    async def _answer(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        operation = self.personalize.operation(scope)
        if operation is None:
            exchange = Exchange(self.calls, scope, receive, send)
            await ministack(scope, exchange.receive, exchange.send)
            return
        service, name = operation
        exchange = Exchange(self.calls, scope, receive, send, f"personalize:{name}")
        try:
            await self.personalize(service, scope, exchange.receive, exchange.send)
        except NoAnswer:
            exchange.note(0)
            await http.drop_connection(send)
