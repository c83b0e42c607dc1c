"""Decides when the probe of a campaign sends a request, and whether the version has passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from .steps import Action, Step

MAX_PAUSE = 30
"""The most seconds between two requests."""
FEWEST_REQUESTS = 10
"""The fewest requests of a probe. A short probe has shorter pauses."""
BAD_RESPONSES_TO_FAIL = 3
"""The number of bad responses in a row after which a probe fails. Fewer may be chance."""
LONGEST_SILENCE = timedelta(minutes=15)
"""A probe fails if every request fails for this long. A shorter time may be the service's fault."""


@dataclass(frozen=True)
class Probe(Action):
    """Request recommendations from the campaign."""

    changes: ClassVar[bool] = False


@dataclass
class Response:
    """What one request has shown."""

    failure: str | None = None
    """Why the response is bad, or None if it is good."""
    is_error: bool = False
    """True if the request failed, which does not show whether the version is bad."""


@dataclass
class Probing:
    """How far a campaign's probe of a version has come."""

    version: str
    began_at: datetime
    asked_at: datetime | None = None
    """When the last request was sent."""
    update_at: datetime | None = None
    """When the campaign's latest update was created, as known when the last request was sent."""
    response: Response | None = None
    """The response to the last request, until the next look shows whether it counts."""
    bad_in_a_row: int = 0
    silent_since: datetime | None = None
    failure: str | None = None
    """Why the last bad response was bad."""
    verdict: str = ""
    """PASSED, FAILED, or empty while the probe goes on."""

    def next_step(self, update_at: datetime, minutes: float, now: datetime) -> Step | None:
        """Return the next step of a probe that takes `minutes`, or None at its end.

        If an update was created since the request, the response does not count, because it may come
        from another version.
        """
        response, self.response = self.response, None
        if self.asked_at and self.update_at == update_at:
            if response:
                self._count(response, minutes, now)
            pause = min(MAX_PAUSE, minutes * 60 / FEWEST_REQUESTS)
            remaining = pause - (now - self.asked_at).total_seconds()
            if not self.verdict and remaining > 0:
                return Step("TRYING", pause=remaining)
        if self.verdict:
            return None
        self.asked_at, self.update_at = now, update_at
        return Step("TRYING", Probe())

    def _count(self, response: Response, minutes: float, now: datetime) -> None:
        """Count a response. Only a good response ends a probe, unless the probe fails before."""
        self.failure = response.failure or self.failure
        if response.is_error:
            self.silent_since = self.silent_since or now
        else:
            self.silent_since = None
            self.bad_in_a_row = self.bad_in_a_row + 1 if response.failure else 0
        is_silent = self.silent_since and now - self.silent_since >= LONGEST_SILENCE
        if is_silent or self.bad_in_a_row >= BAD_RESPONSES_TO_FAIL:
            self.verdict = "FAILED"
        elif response.failure is None and now >= self.began_at + timedelta(minutes=minutes):
            self.verdict = "PASSED"
