"""Judges the responses of a campaign to the probe's requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_PAUSE = 30
"""The most seconds between two requests."""
FEWEST_REQUESTS = 10
"""The number of requests of a short probe, which therefore has shorter pauses."""
BAD_RESPONSES_TO_FAIL = 3
"""A probe fails after this number of bad responses in a row. Fewer may be chance."""
LONGEST_SILENCE = timedelta(minutes=15)
"""A probe fails if no request was answered for this time. A shorter failure may be a fault of the
service."""


@dataclass
class Response:
    """What one request has shown."""

    failure: str | None = None
    """Why the response is bad, or None if it is good."""
    is_error: bool = False
    """True if the request met an error, so that nothing is known about the version."""


@dataclass
class Probing:
    """How far the probe of a version has come on a campaign."""

    version: str
    began_at: datetime
    asked_at: datetime | None = None
    """When the last request was sent."""
    update_at: datetime | None = None
    """The creation of the campaign's latest update when the last request was sent."""
    bad_in_a_row: int = 0
    silent_since: datetime | None = None
    failure: str | None = None
    """Why the last bad response was bad."""
    verdict: str = ""
    """PASSED, FAILED, or empty while the probe goes on."""


def pause_between(minutes: float) -> float:
    """Return the seconds between two requests of a probe that takes some minutes."""
    return min(MAX_PAUSE, minutes * 60 / FEWEST_REQUESTS)


def count(probing: Probing, response: Response, minutes: float, now: datetime) -> None:
    """Add a response to a probe.

    The probe fails after three bad responses in a row, or after 15 minutes of errors. It passes
    with a good response after its minutes. After a bad response it goes on until one of the two.
    """
    if response.failure is None:
        probing.bad_in_a_row, probing.silent_since = 0, None
        if now >= probing.began_at + timedelta(minutes=minutes):
            probing.verdict = "PASSED"
        return
    probing.failure = response.failure
    if response.is_error:
        probing.silent_since = probing.silent_since or now
        is_silent = now - probing.silent_since >= LONGEST_SILENCE
    else:
        probing.bad_in_a_row += 1
        is_silent = False
    if is_silent or probing.bad_in_a_row >= BAD_RESPONSES_TO_FAIL:
        probing.verdict = "FAILED"
