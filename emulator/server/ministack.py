"""Decorators that replace functions of MiniStack or run before its handlers.

MiniStack has a *handler* for each service, which responds to all calls. A *guard* is one of our
functions, which is called before the handler. The modules in this folder correct MiniStack's
services with these decorators, which take effect when a module is imported.

This was written for ministack 1.5.33. Nothing that the emulator reads or replaces in MiniStack is
a public interface, so any release may change it. In that case, the emulator doesn't start, or a
test of the affected service fails.
"""

import asyncio
import functools
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from ministack import app

from emulator.protocol import wire
from emulator.protocol.errors import ApiError
from emulator.server.http import Response

Guard = Callable[["Call"], Response | None]
"""A function that returns a response, or None to leave the call to MiniStack's handler."""

SERVICE_HANDLERS = app.SERVICE_HANDLERS


class Call(NamedTuple):
    """An authorized call to a service, with the arguments that MiniStack passes to its handler."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, list[str]]

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in the request body, or {} if there's no body."""
        document: dict[str, Any] = json.loads(self.body or b"{}")
        return document

    @property
    def operation(self) -> str:
        """The operation in the X-Amz-Target header, or "" if there's no such header."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]


def guard(service: str) -> Callable[[Guard], Guard]:
    """Make the decorated function see every call to a service before MiniStack's handler does.

    The function can return a response, raise ApiError to reject the call, or return None to leave
    the call to the handler.
    """

    def decorate(function: Guard) -> Guard:
        handler = SERVICE_HANDLERS[service]

        async def guarded_handler(*call: Any) -> Response:  # noqa: ANN401  # the fields of a Call
            try:
                return function(Call(*call)) or await handler(*call)
            except ApiError as error:
                return wire.build_error(error)

        SERVICE_HANDLERS[service] = guarded_handler
        return function

    return decorate


def handle(service: str, respond: Callable[[Call], Response]) -> None:
    """Make a function respond to all calls to a service, instead of MiniStack's handler.

    The function runs in a thread because it may call other services of this process.
    """

    async def handler(*call: Any) -> Response:  # noqa: ANN401  # the fields of a Call
        return await asyncio.to_thread(respond, Call(*call))

    SERVICE_HANDLERS[service] = handler


def replace(owner: object, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Replace a function of MiniStack with the decorated one.

    The decorated function gets the original function as its first argument. `owner` is the module
    or class that contains the original function.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(owner, name)

        @functools.wraps(original)
        def replacement(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as in MiniStack
            return function(original, *args, **kwargs)

        setattr(owner, name, replacement)
        return function

    return decorate
