"""What a rule decides: one step of an import, a training, a deployment or a batch job.

A rule gets what one look at the services has shown. It returns a step, or None if it does not
apply, and the first rule that applies decides. Rules read no clock and call no service. What an
item must remember until the next look is in its memory, which travels in the document of the run.
What must survive the run is in tags.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Generic, NamedTuple, TypeVar

SHORT_PAUSE = 15
"""Seconds until the next look while something is about to change."""
BUSY_PAUSE = 60
"""Seconds until the next look while another job has to end first."""
LIST_LAG = timedelta(minutes=3)
"""The time after which a list certainly shows a job that was created: twice the 90 seconds that it
may be out of date (`overlap.py`)."""

Seen = TypeVar("Seen")
Wanted = TypeVar("Wanted")
Memory = TypeVar("Memory")


@dataclass(frozen=True)
class Action:
    """One request to a service."""

    changes: ClassVar[bool] = True
    """True if the request changes something. Only the first minute of an invocation sends it."""


class Step(NamedTuple):
    """What one look leads to: an action, an outcome, or another look after a pause.

    With an action and an outcome, the item ends with the outcome after the action.
    """

    phase: str
    """What the item is waiting for. The console, `retrain watch` and the report show this word."""
    act: Action | None = None
    pause: float = 0
    """The seconds until the next look."""
    outcome: str | None = None
    reasons: Sequence[str] = ()
    """Why the item ends with this outcome, or why it waits."""


class Case(NamedTuple, Generic[Seen, Wanted, Memory]):
    """Everything on which the next step of an item depends."""

    seen: Seen
    """What the last look has shown."""
    wanted: Wanted
    """What the run wants to achieve. It does not change during the run."""
    memory: Memory
    """What the item remembers. Rules may change it."""
    now: datetime


def failed(phase: str, *reasons: str) -> Step:
    """Return the step that ends an item as FAILED."""
    return Step(phase, outcome="FAILED", reasons=reasons)


@dataclass
class JobMemory:
    """What an import, a training or a batch job remembers between two looks."""

    began_at: datetime
    sent_at: datetime | None = None
    """When a create was sent after which the job may exist."""
    refusal: str = ""
    """Why Personalize last refused to create the job for now."""

    def before_create(self, max_hours: float, now: datetime) -> Step | None:
        """Return None if the job may be created now.

        Return a pause while a list may lack a job that was created, or a failure at the deadline.
        """
        if self.sent_at and now < self.sent_at + LIST_LAG:
            return Step("WAITING", pause=BUSY_PAUSE)
        return self.at_deadline(self.refusal or "Personalize did not answer", max_hours, now)

    def at_deadline(self, reason: str, max_hours: float, now: datetime) -> Step | None:
        """Return the failure of an item that has reached its deadline, or None before it."""
        if now < self.began_at + timedelta(hours=max_hours):
            return None
        return failed("WAITING", f"gave up after {max_hours:g} hours: {reason}")
