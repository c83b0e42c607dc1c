"""What the rules return: the next step of an import, a training, a deployment or a batch job.

A *poll* reads the state that the rules need. A *rule* returns a *step*, or None if it doesn't
apply, and the first rule that applies decides. A step may contain one *action*, which is a request.
Rules read no clock and call no service, so tests (`tests/model`) only have to pass them a state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from ..common.formatting import format_hours
from ..common.messages import Reason
from .pacing import choose_waiting_pause

SHORT_PAUSE_SECONDS = 15
"""The pause in seconds while a change is expected soon."""
RETRY_PAUSE_SECONDS = 60
"""The pause in seconds while another job has to end first."""
MAX_LIST_LAG = timedelta(minutes=3)
"""How long a list may lack a new job: twice the 90 seconds that lists may be out of date
(`run/admission.py`)."""


@dataclass(frozen=True)
class Action:
    """One request to a service."""

    changes: ClassVar[bool] = True
    """True if the request changes something. Such requests are only sent within a minute of an
    invocation's first poll."""


class Step(NamedTuple):
    """What to do after a poll: perform an action, end with an outcome, or pause and poll again.

    With both an action and an outcome, the action comes first.
    """

    phase: str
    """What is in progress, in one word, for the console, `retrain watch` and the report."""
    action: Action | None = None
    pause: float = 0
    """The seconds until the next poll."""
    outcome: str | None = None
    cause: str | None = None
    """The rule that decided, in one word. Only given if later runs may reach the same verdict."""
    reasons: Sequence[Reason] = ()
    """Why the job ends with this outcome, or why it pauses."""
    progress_changes: Mapping[str, Any] = MappingProxyType({})
    """The fields of the progress to change -> their new values."""

    def with_progress(self, **progress_changes: object) -> "Step":
        """Return the step with more changes to the progress, but keep those it already has."""
        return self._replace(progress_changes={**progress_changes, **self.progress_changes})


def update_progress(progress: object, step: Step) -> None:
    """Apply a step's changes to the progress."""
    for field, value in step.progress_changes.items():
        setattr(progress, field, value)


def fail(phase: str, *reasons: Reason) -> Step:
    """Return a step with the outcome FAILED."""
    return Step(phase, outcome="FAILED", reasons=reasons)


@dataclass
class JobProgress:
    """What an import, a training or a batch job passes from one poll to the next."""

    began_at: datetime
    sent_at: datetime | None = None
    """When the create request was sent, if it may have created the job."""
    delayed_by: str = ""
    """Why the job doesn't exist yet, for example because Personalize refused the request."""

    def wait_before_create(self, max_hours: float, now: datetime) -> Step | None:
        """Pause if an earlier request may have created the job, or give up at the deadline.

        The result is None if the job may be created now.
        """
        if self.sent_at is not None and now < self.sent_at + MAX_LIST_LAG:
            return Step("WAITING", pause=RETRY_PAUSE_SECONDS)

        reason = self.delayed_by or "Personalize did not answer"
        return self.give_up_at_deadline(reason, max_hours, now)

    def wait_because(self, reason: str, max_hours: float, now: datetime) -> Step:
        """Pause for at least a minute, longer with each poll, or give up at the deadline."""
        failure = self.give_up_at_deadline(reason, max_hours, now)
        if failure is not None:
            return failure

        pause_seconds = choose_waiting_pause(now - self.began_at).total_seconds()
        return Step("WAITING", pause=max(pause_seconds, RETRY_PAUSE_SECONDS))

    def give_up_at_deadline(self, reason: str, max_hours: float, now: datetime) -> Step | None:
        """Fail with a reason once the deadline has passed. The result is None before that."""
        if now < self.began_at + timedelta(hours=max_hours):
            return None

        return fail("WAITING", f"gave up after {format_hours(max_hours)}: {reason}")
