"""What a rule decides: one step of an import, a training, a deployment or a batch job.

A *poll* reads everything that the rules have to know. A *rule* returns a *step*, or None if it
doesn't apply, and the first rule that applies decides. A step may contain one *action*, which is a
request. Rules read no clock and call no service, so that a test in `tests/model` needs nothing but
the state that a poll has read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from ..messages import Reason
from .pacing import choose_waiting_pause

SHORT_PAUSE = 15
"""Seconds until the next poll while something is about to change."""
BUSY_PAUSE = 60
"""Seconds until the next poll while another job has to end first."""
LIST_LAG = timedelta(minutes=3)
"""The time after which a list certainly shows a job that was created: twice the 90 seconds that it
may be out of date (`overlap.py`)."""


@dataclass(frozen=True)
class Action:
    """One request to a service."""

    changes: ClassVar[bool] = True
    """True if the request changes something. It's only sent within a minute of the first poll."""


class Step(NamedTuple):
    """What one poll leads to: an action, an outcome, or another poll after a pause.

    With an action and an outcome, the item ends with the outcome after the action.
    """

    phase: str
    """What the item is waiting for. The console, `retrain watch` and the report show this word."""
    action: Action | None = None
    pause: float = 0
    """The seconds until the next poll."""
    outcome: str | None = None
    cause: str | None = None
    """One word for the rule that decided, if a later run may come to the same verdict again."""
    reasons: Sequence[Reason] = ()
    """Why the item ends with this outcome, or why it waits."""
    remembered: Mapping[str, Any] = MappingProxyType({})
    """What the item remembers from now on: fields of its progress, and their new values."""

    def remembering(self, **remembered: object) -> "Step":
        """Return the step with more to remember. What it remembers already stays as it is."""
        return self._replace(remembered={**remembered, **self.remembered})


def remember(progress: object, step: Step) -> None:
    """Write into the progress of an item what a step remembers.

    The progress travels in the document of the run until the next poll. What must survive the run
    is in tags.
    """
    for field, value in step.remembered.items():
        setattr(progress, field, value)


def failed(phase: str, *reasons: Reason) -> Step:
    """Return the step that ends an item as FAILED."""
    return Step(phase, outcome="FAILED", reasons=reasons)


@dataclass
class JobProgress:
    """What an import, a training or a batch job remembers between two polls."""

    began_at: datetime
    sent_at: datetime | None = None
    """When a create was sent after which the job may exist."""
    blocked_by: str = ""
    """What has kept the job from being created so far, for example a refusal of Personalize."""

    def before_create(self, max_hours: float, now: datetime) -> Step | None:
        """Return None if the job may be created now.

        Return a pause while a list may lack a job that was created, or a failure at the deadline.
        """
        if self.sent_at and now < self.sent_at + LIST_LAG:
            return Step("WAITING", pause=BUSY_PAUSE)
        return self.at_deadline(self.blocked_by or "Personalize did not answer", max_hours, now)

    def wait_for(self, reason: str, max_hours: float, now: datetime) -> Step:
        """Return a pause, for longer each time, or a failure at the deadline."""
        seconds = choose_waiting_pause(now - self.began_at).total_seconds()
        late = self.at_deadline(reason, max_hours, now)
        return late or Step("WAITING", pause=max(seconds, BUSY_PAUSE))

    def at_deadline(self, reason: str, max_hours: float, now: datetime) -> Step | None:
        """Return the failure of an item that has reached its deadline, or None before it."""
        if now < self.began_at + timedelta(hours=max_hours):
            return None
        return failed("WAITING", f"gave up after {max_hours:g} hours: {reason}")
