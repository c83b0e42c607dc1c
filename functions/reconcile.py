"""Polls, decides and acts until an item has an outcome or must wait for the next invocation.

An *item* is one import, training, deployment or batch job of a run. It doesn't record what it has
done, only what the services don't show yet. So nothing is lost if a run dies: the next run polls
the services, and the same rules carry on from there. Whatever an item needs in its next invocation
travels in the run's document.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, get_args, get_type_hints

from botocore.exceptions import ClientError

from .common import clock
from .common.call_times import (
    forget_calls,
    list_slowest_calls,
)
from .common.errors import (
    Refused,
    ServiceUnavailable,
    Throttled,
)
from .common.messages import as_message
from .contract import Item
from .rules.batch_jobs import BatchJob
from .rules.imports import Import
from .rules.pacing import LONGEST_SLEEP
from .rules.steps import (
    BUSY_PAUSE,
    SHORT_PAUSE,
    Action,
    JobProgress,
    Step,
    remember,
)
from .rules.versions import SolutionVersion

INVOCATION = timedelta(minutes=14)
"""How long one invocation runs. Lambda would kill it after 15 minutes."""
FIRST_POLL = timedelta(minutes=1)
"""If its first poll takes longer than this, an invocation changes nothing. Polls usually take
seconds."""
ACTING = timedelta(minutes=1)
"""How long after its first poll an invocation may change something.

Without this limit, an aborted execution could change things for another 14 minutes, because its
last invocation runs to the end. The next run waits until the limit is over (`run/admission.py`).
"""
LAST_CHANGE = FIRST_POLL + ACTING + timedelta(seconds=2 * 15)
"""How long after its start an invocation may still send a change. An action sends at most two
requests, one after the other, and each takes up to 15 seconds (`common/aws.py`)."""
PAUSES = {Refused: BUSY_PAUSE, Throttled: SHORT_PAUSE, ServiceUnavailable: SHORT_PAUSE}
"""Error -> the seconds until the next poll. A refused request may be accepted a minute later."""
REFUSALS = ("ResourceInUseException", "LimitExceededException")
"""The Personalize error codes for "not now": the same request may be accepted later."""

State = TypeVar("State")
Spec = TypeVar("Spec")
Data = TypeVar("Data")


class InvocationResult(NamedTuple, Generic[State]):
    """How far an item has come when its invocation ends."""

    state: State
    """What the last poll read."""
    step: Step

    @property
    def seconds(self) -> int:
        """The seconds until the next invocation, rounded up. 0 means at once."""
        if self.step.pause <= LONGEST_SLEEP:
            return 0
        return math.ceil(self.step.pause)

    def item(
        self,
        progress: object,
        job: Import | SolutionVersion | BatchJob | None = None,
        warnings: Sequence[str] = (),
    ) -> Item:
        """Build the fields that imports, trainings, deployments and batch jobs share."""
        item: Item = {
            "phase": self.step.phase,
            "seconds": self.seconds,
            "outcome": self.step.outcome,
            "reasons": [as_message(reason) for reason in self.step.reasons],
            "warnings": [*warnings],
            "createdAt": None,
            "endedAt": None,
            "progress": {},
        }

        if job is not None:
            item["createdAt"] = job.created_at.isoformat()
            if not job.is_running:
                item["endedAt"] = job.ended_at.isoformat()
        if self.step.outcome is None:
            item["progress"] = to_document(progress)
        return item


class Progress(Protocol):
    """What every item's progress contains."""

    blocked_by: str
    """Why the item could not act so far. If it reaches its deadline, it fails for this reason."""


ProgressT = TypeVar("ProgressT", bound=Progress)


def reconcile(
    poll: Callable[[], State],
    decide: Callable[[State, Spec, ProgressT, datetime], Step],
    act: Callable[[Action], None],
    spec: Spec,
    progress: ProgressT,
) -> InvocationResult[State]:
    """Poll, decide and act until the item has an outcome or must wait for the next invocation.

    `act` raises Refused if the service certainly did nothing.
    """
    invocation = _Invocation()
    step: Step | None = None
    while True:
        try:
            state = poll()
            if step is None:
                invocation.acts_from = clock.now()

            step = decide(state, spec, progress, clock.now())
            remember(progress, step)
            step = invocation.withhold_action(step, progress)
            if step.action:
                act(step.action)
        except tuple(PAUSES) as error:
            step = _step_after(error, step)

        if step.outcome or not invocation.has_time_for(step.pause):
            return InvocationResult(state, step)
        clock.sleep(step.pause)


def _step_after(error: Exception, last_step: Step | None) -> Step:
    """Pause after an error instead of raising it, because an exception would lose the progress.

    Before the first step, there's no progress to lose, so the error is raised.
    """
    if last_step is None:
        raise error
    return last_step._replace(outcome=None, pause=PAUSES[type(error)])


class _Invocation:
    """The time budget of one invocation, which polls until its end but only acts at first."""

    def __init__(self) -> None:
        forget_calls()
        self.began_at = clock.now()
        self.ends_at = self.began_at + INVOCATION
        """When the next invocation must take over."""
        self.acts_from = self.began_at
        """When the first poll ended. The time for changes starts here."""

    def has_time_for(self, pause: float) -> bool:
        """Return True if the invocation can sleep for this many seconds and poll again."""
        return pause <= LONGEST_SLEEP and clock.now() + timedelta(seconds=pause) <= self.ends_at

    def withhold_action(self, step: Step, progress: Progress) -> Step:
        """Remove a step's action, and with it the outcome, if it's too late for a change.

        If every invocation is too slow, the item fails at its deadline and names the slowest calls.
        """
        if step.action is None or not step.action.changes:
            return step

        if self.acts_from > self.began_at + FIRST_POLL:
            progress.blocked_by = f"one poll took too long to act on it: {list_slowest_calls()}"
            return step._replace(action=None, outcome=None, pause=BUSY_PAUSE)
        if clock.now() > self.acts_from + ACTING:
            # Let the next invocation take over at once.
            self.ends_at = self.began_at
            return step._replace(action=None, outcome=None)
        return step


@contextmanager
def track_creation(progress: JobProgress, name: str) -> Iterator[None]:
    """Record that the block sent a create request, unless it certainly created no job.

    The response may be lost, and lists may not show the job yet. So the rules wait for a while
    before they send the request again.

    Raises:
        Refused: Personalize can't create the job until other jobs have ended.
    """
    progress.sent_at = clock.now()
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceAlreadyExistsException":
            # An earlier request may have succeeded after all, so poll again.
            progress.blocked_by = f"the name {name} is taken"
            return

        progress.sent_at = None
        if code not in REFUSALS:
            raise
        progress.blocked_by = f"it cannot start yet: {error.response['Error']['Message']}"
        raise Refused(progress.blocked_by) from error
    except Throttled:
        progress.sent_at = None
        raise


def restore_progress(item: Item | None, new_progress: Data) -> Data:
    """Restore the progress from the last invocation's item, or use `new_progress` without one."""
    if item is None:
        return new_progress
    return from_document(type(new_progress), item["progress"])


def to_document(progress: Any) -> dict[str, object]:  # noqa: ANN401 - any dataclass
    """Turn a dataclass into a JSON object. Times are in ISO 8601."""
    document: dict[str, object] = json.loads(
        json.dumps(asdict(progress), default=datetime.isoformat)
    )
    return document


def from_document(data_type: type[Data], document: dict[str, Any]) -> Data:
    """Turn a JSON object from `to_document()` back into a dataclass.

    A field may be a time, a dataclass, a JSON value or None. It can't be a plain dictionary, which
    would be mistaken for a dataclass.
    """
    hints = get_type_hints(data_type)
    return data_type(**{name: _read_field(hints[name], value) for name, value in document.items()})


def _read_field(hint: Any, value: Any) -> Any:  # noqa: ANN401 - see `to_document`
    # For example, the type of `datetime | None` is datetime.
    field_type = next((part for part in get_args(hint) if part is not type(None)), hint)

    if isinstance(value, dict):
        return from_document(field_type, value)
    return datetime.fromisoformat(value) if value and field_type is datetime else value
