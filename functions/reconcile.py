"""Looks, decides and acts, until an item of a run has its outcome or has to wait for long.

An import, a training and a deployment are the same loop. It never remembers what it has done, only
what the services do not show yet. So a run that dies loses nothing: the next look finds what is
there, and the same rules go on from it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from . import clock
from .errors import Refused, ServiceUnavailable, Throttled
from .rules.pacing import LONGEST_SLEEP
from .rules.steps import BUSY_PAUSE, SHORT_PAUSE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .rules.steps import Action, Step

INVOCATION = timedelta(minutes=14)
"""The time for which one invocation goes on. Lambda ends it after 15 minutes."""
ACTING = timedelta(minutes=1)
"""An invocation changes something in its first minute only, because the invocation of an execution
that was aborted goes on to its end."""

Seen = TypeVar("Seen")


class Progress(NamedTuple):
    """How far an item has come when its invocation ends."""

    step: Step
    seconds: int
    """The seconds until the next invocation: 0 for at once."""


def reconcile(
    look: Callable[[], Seen], decide: Callable[[Seen], Step], act: Callable[[Action], None]
) -> Progress:
    """Look, decide and act until there is an outcome or the next look is later.

    An error of a service after the first look is a pause, so that the memory of the item is kept.

    Args:
        look: reads what a decision needs.
        decide: returns the next step.
        act: sends the request of an action. It raises Refused if the service has certainly not
            done what it was asked for.
    """
    began_at = clock.now()
    step: Step | None = None
    while True:
        try:
            step = decide(look())
            if step.act is not None:
                if step.act.changes and clock.now() - began_at > ACTING:
                    return Progress(step._replace(outcome=None), 0)
                act(step.act)
            if step.outcome is not None:
                return Progress(step, 0)
            seconds = step.pause
        except (Refused, Throttled, ServiceUnavailable) as error:
            if step is None:
                raise
            step = step._replace(outcome=None)
            seconds = BUSY_PAUSE if isinstance(error, Refused) else SHORT_PAUSE
        if seconds > LONGEST_SLEEP:
            return Progress(step, round(seconds))
        if clock.now() + timedelta(seconds=seconds) > began_at + INVOCATION:
            return Progress(step, 0)
        clock.sleep(seconds)
