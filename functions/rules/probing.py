"""Decides when a probe sends its next request, and whether the version has passed.

As soon as a campaign serves the version on trial, a *probe* requests recommendations for some
minutes. Its *result* is PASSED or FAILED. A *probe run* is the state of the probe so far. It's
immutable: each poll returns an updated copy, which the progress keeps until the next poll.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from .steps import Action, Step

MAX_PAUSE_SECONDS = 30
"""The longest pause in seconds between two requests."""
MIN_REQUESTS = 10
"""A short probe pauses less between requests, to send about this many."""
BAD_RESPONSES_TO_FAIL = 3
"""A probe fails after this many bad responses in a row. Fewer may be chance."""
MAX_SILENCE = timedelta(minutes=15)
"""A probe fails if no request gets a response for this long. Personalize may have short outages."""


@dataclass(frozen=True)
class Probe(Action):
    """Request recommendations from the campaign."""

    changes: ClassVar[bool] = False


@dataclass(frozen=True)
class Response:
    """The result of one request."""

    failure: str | None = None
    """Why the response is bad, or None if it's good."""
    is_error: bool = False
    """True if there was no response. That alone doesn't mean that the version is bad."""


@dataclass(frozen=True)
class ProbeRun:
    """The state of the probe of one version."""

    version_arn: str
    began_at: datetime
    minutes: float
    """How long the probe takes."""
    requested_at: datetime | None = None
    """When the last request was sent."""
    update_created_at: datetime | None = None
    """When the campaign's latest update was created, as of the last request."""
    response: Response | None = None
    """The response to the last request, until the next poll counts it."""
    bad_in_a_row: int = 0
    silent_since: datetime | None = None
    failure: str | None = None
    """Why the last bad response was bad."""
    result: str | None = None
    """PASSED, FAILED, or None while the probe is running."""

    @property
    def has_failed(self) -> bool:
        """True if the version failed the probe."""
        return self.result == "FAILED"

    def with_counted_response(self, update_created_at: datetime, now: datetime) -> ProbeRun:
        """Return the probe run with its last response counted, and with the result if there is one.

        `update_created_at` is when the campaign's latest update was created.
        """
        response = self.response
        without_response = replace(self, response=None)

        # If the campaign was updated meanwhile, the response may come from another version.
        was_updated = self.update_created_at != update_created_at
        if response is None or was_updated:
            return without_response

        probe_run = _count_response(without_response, response, now)
        return replace(probe_run, result=_find_result(probe_run, response, now))

    def choose_next_step(self, update_created_at: datetime, now: datetime) -> Step | None:
        """Return the next pause or request, or None once there's a result."""
        if self.result is not None:
            return None

        # Don't pause after an update, because the last request didn't count.
        was_updated = self.update_created_at != update_created_at
        if self.requested_at is not None and not was_updated:
            pause_seconds = min(MAX_PAUSE_SECONDS, self.minutes * 60 / MIN_REQUESTS)
            waited_seconds = (now - self.requested_at).total_seconds()
            if waited_seconds < pause_seconds:
                return Step("ON_TRIAL", pause=pause_seconds - waited_seconds)

        probe_run = replace(self, requested_at=now, update_created_at=update_created_at)
        return Step("ON_TRIAL", Probe()).with_progress(probe_run=probe_run)


def _count_response(probe_run: ProbeRun, response: Response, now: datetime) -> ProbeRun:
    """Return the probe run with one more response counted."""
    failure = response.failure
    if failure is None:
        return replace(probe_run, silent_since=None, bad_in_a_row=0)

    if response.is_error:
        silent_since = probe_run.silent_since or now
        return replace(probe_run, failure=failure, silent_since=silent_since)

    bad_in_a_row = probe_run.bad_in_a_row + 1
    return replace(probe_run, failure=failure, silent_since=None, bad_in_a_row=bad_in_a_row)


def _find_result(probe_run: ProbeRun, last_response: Response, now: datetime) -> str | None:
    """Return PASSED or FAILED, or None if more requests are needed."""
    silent_since = probe_run.silent_since
    if silent_since is not None and now - silent_since >= MAX_SILENCE:
        return "FAILED"
    if probe_run.bad_in_a_row >= BAD_RESPONSES_TO_FAIL:
        return "FAILED"

    # A probe never passes on a bad response: it continues until it gets a good one.
    ends_at = probe_run.began_at + timedelta(minutes=probe_run.minutes)
    if now >= ends_at and last_response.failure is None:
        return "PASSED"
    return None
