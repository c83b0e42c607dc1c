"""The ASGI app: hands each request to who knows it best.

/_emulator/...                      the emulator's own controls (`emulator.admin`)
X-Amz-Target: AmazonPersonalize.*   Personalize, and its runtime's paths (`emulator.personalize`)
X-Amz-Target: AWSStepFunctions.*    moto's interpreter (`emulator.stepfunctions`), behind MiniStack's checks
everything else                     MiniStack
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ministack.app import app as ministack

from emulator import admin, events, seams
from emulator.calls import Calls, Exchange
from emulator.stepfunctions import StepFunctions

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope

FORBIDDEN = 403


class Application:
    """All of the emulator in this process, answering at `endpoint`."""

    def __init__(self, endpoint: str, *, account: str, region: str) -> None:
        self.on_ready: Callable[[], None] = lambda: None
        self.account = account
        self.region = region
        self.calls = Calls()
        seams.stop_ministack_scheduler()
        seams.answer_functions_at_once()
        StepFunctions(endpoint).mount()
        events.mount(lambda caller, action: self.calls.add(caller, action, FORBIDDEN))

        self._admin = admin.Admin(
            {
                ("GET", "health"): lambda _: {"status": "ok", "account": account, "region": region},
                ("GET", "calls"): lambda request: self.calls.of(str(request.get("action", ""))),
                ("DELETE", "calls"): lambda _: self.calls.clear(),
            }
        )

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
            exchange = Exchange(self.calls, scope, receive, send)
            await ministack(scope, exchange.receive, exchange.send)
        else:
            await ministack(scope, receive, send)
