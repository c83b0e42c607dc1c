"""The options of the emulator's process."""

from __future__ import annotations

from typing import Any, TypedDict


class Options(TypedDict):
    """The options that `emulator.process` passes as JSON.

    `port` can be 0 for a free one. `directory` is for the files of the process. `timings` and
    `switches` are the fields of Personalize's FixedTimings and Switches.
    """

    port: int
    account: str
    region: str
    directory: str
    timings: dict[str, tuple[float, float]]
    switches: dict[str, Any]
