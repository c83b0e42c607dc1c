"""How the emulator's process is told to serve."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Interpreter = Literal["moto", "ministack"]


class Options(TypedDict):
    """How to serve: port (0 for a free one), account, region, and a directory to keep things in.

    `interpreter` is whose state machines run, `timings` and `switches` are the fields of
    Personalize's FixedTimings and Switches.
    """

    port: int
    account: str
    region: str
    directory: str
    interpreter: Interpreter
    timings: dict[str, tuple[float, float]]
    switches: dict[str, Any]
