"""Decorators with which the emulator's code replaces or precedes MiniStack's.

MiniStack has a *handler* for each service, which responds to its calls. A *guard* is a function of
ours that sees a call before the handler does. The modules in this folder use these decorators to
correct MiniStack's services, and do so as soon as they're imported.

All of this was written for ministack 1.5.33. None of what the emulator reads or replaces there is a
public interface, so any release may move it. Then either the emulator won't start, or a test of the
service will fail.
"""

import functools
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from ministack import app

from emulator.protocol.errors import ApiError
from emulator.server import http
from emulator.server.http import Response

Guard = Callable[["Call"], Response | None]
"""Returns a response, or None to leave the call to MiniStack's handler."""

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
        """The JSON object in the request body, which is {} if there's no body."""
        document: dict[str, Any] = json.loads(self.body or b"{}")
        return document

    @property
    def operation(self) -> str:
        """The operation that the X-Amz-Target header names, or "" if there's no such header."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]


def guard(service: str) -> Callable[[Guard], Guard]:
    """Call the decorated function before MiniStack's handler, for every call to a service.

    The function may respond to the call, raise ApiError to reject it, or return None to leave it to
    the handler.
    """

    def decorate(function: Guard) -> Guard:
        handler = SERVICE_HANDLERS[service]

        async def guarded_handler(*call: Any) -> Response:  # noqa: ANN401  # the fields of a Call
            try:
                return function(Call(*call)) or await handler(*call)
            except ApiError as error:
                return http.build_error(error.code, error.message, error.status)

        SERVICE_HANDLERS[service] = guarded_handler
        return function

    return decorate


def replace(owner: object, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Replace a function with the decorated one, which gets the original as its first argument.

    `owner` is the module or class that has the function.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(owner, name)

        @functools.wraps(original)
        def replacement(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as in MiniStack
            return function(original, *args, **kwargs)

        setattr(owner, name, replacement)
        return function

    return decorate
