"""Puts the emulator's code in the place of MiniStack's functions and handlers.

Each module of this folder corrects one service, when it is imported. Written for ministack 1.5.33.
None of what the emulator reads or replaces is a public interface, so any release may move it.
Then the emulator does not start, or a test of the service fails.
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

SERVICE_HANDLERS = app.SERVICE_HANDLERS


class Call(NamedTuple):
    """A call that MiniStack has authorised, as it passes it to the handler of a service."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, list[str]]

    @property
    def document(self) -> dict[str, Any]:
        """The JSON in the body."""
        document: dict[str, Any] = json.loads(self.body or b"{}")
        return document

    @property
    def operation(self) -> str:
        """The operation, if a header names it."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]


def guard(service: str) -> Callable[[Guard], Guard]:
    """Let the decorated function respond to a service's calls, or refuse them with ApiError.

    If it returns None, MiniStack responds.
    """

    def decorate(function: Guard) -> Guard:
        handler = SERVICE_HANDLERS[service]

        async def guarded(*call: Any) -> Response:  # noqa: ANN401  # the fields of a Call
            try:
                return function(Call(*call)) or await handler(*call)
            except ApiError as error:
                return http.build_error(error.code, error.message, error.status)

        SERVICE_HANDLERS[service] = guarded
        return function

    return decorate


def replace(owner: object, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let the decorated function replace a function of MiniStack, which is its first argument."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(owner, name)

        @functools.wraps(original)
        def replacement(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as in MiniStack
            return function(original, *args, **kwargs)

        setattr(owner, name, replacement)
        return function

    return decorate
