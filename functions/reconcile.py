"""Polls, decides and acts until a job has an outcome or must wait for the next invocation.

A *job* is one import, training, deployment or batch job of a run. Its *progress* doesn't record
what the run has done, only what the services don't show yet. So nothing is lost if a run dies: the
next run polls the services, and the same rules carry on from there. The job's *status* carries the
progress from one invocation to the next, in the run's document.
"""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, get_args, get_type_hints

from botocore.exceptions import ClientError

from .common import clock
from .common.call_times import (
    format_slowest_calls,
    reset_call_times,
)
from .common.errors import (
    RequestRefused,
    ServiceUnavailable,
    Throttled,
)
from .common.messages import as_message
from .contract import JobStatus
from .rules.batch_jobs import BatchJob
from .rules.imports import Import
from .rules.pacing import LONGEST_SLEEP
from .rules.steps import (
    RETRY_PAUSE,
    SHORT_PAUSE,
    Action,
    JobProgress,
    Step,
    update_progress,
)
from .rules.versions import SolutionVersion

INVOCATION_TIME = timedelta(minutes=14)
"""How long one invocation runs. Lambda would kill it after 15 minutes."""
MAX_FIRST_POLL_TIME = timedelta(minutes=1)
"""If its first poll takes longer than this, an invocation changes nothing. Polls usually take
seconds."""
ACTING_TIME = timedelta(minutes=1)
"""How long after its first poll an invocation may change something.

Without this limit, an aborted execution could change things for another 14 minutes, because its
last invocation runs to the end. The next run waits until the limit is over (`run/admission.py`).
"""
MAX_TIME_TO_LAST_CHANGE = MAX_FIRST_POLL_TIME + ACTING_TIME + timedelta(seconds=2 * 15)
"""How long after its start an invocation may still send a change. An action sends at most two
requests, one after the other, and each takes up to 15 seconds (`common/aws.py`)."""
PAUSE_SECONDS_AFTER_ERROR = {
    RequestRefused: RETRY_PAUSE,
    Throttled: SHORT_PAUSE,
    ServiceUnavailable: SHORT_PAUSE,
}
"""Error -> the seconds until the next poll. A refused request may be accepted a minute later."""
RETRIED_ERRORS = tuple(PAUSE_SECONDS_AFTER_ERROR)
REFUSAL_CODES = ("ResourceInUseException", "LimitExceededException")
"""The Personalize error codes for "not now": the same request may be accepted later."""

State = TypeVar("State")
Dataclass = TypeVar("Dataclass")


class InvocationResult(NamedTuple, Generic[State]):
    """How far a job has come when its invocation ends."""

    state: State
    """What the last poll read."""
    step: Step

    @property
    def seconds(self) -> int:
        """The seconds until the next invocation, rounded up. 0 means at once."""
        if self.step.pause <= LONGEST_SLEEP:
            return 0
        return math.ceil(self.step.pause)

    def build_status(
        self,
        progress: object,
        job: Import | SolutionVersion | BatchJob | None = None,
        warnings: Sequence[str] = (),
    ) -> JobStatus:
        """Build the fields of the status that all kinds of jobs have."""
        status: JobStatus = {
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
            status["createdAt"] = job.created_at.isoformat()
            if not job.is_running:
                status["endedAt"] = job.ended_at.isoformat()
        if self.step.outcome is None:
            status["progress"] = serialize(progress)
        return status


class Progress(Protocol):
    """What every job's progress contains."""

    blocked_by: str
    """Why the job could not act so far. If it reaches its deadline, it fails for this reason."""


class Job(Protocol[State]):
    """An import, a training, a deployment or a batch job, as one invocation handles it."""

    @property
    def progress(self) -> Progress:
        """What the job passes from one invocation to the next."""

    def poll(self) -> State:
        """Read everything that the rules need."""

    def decide(self, state: State) -> Step:
        """Let the rules decide on the next step."""

    def act(self, action: Action) -> None:
        """Carry out a step's action.

        Raises:
            RequestRefused: the service did nothing, and may accept the same request later.
        """


def reconcile(job: Job[State]) -> InvocationResult[State]:
    """Poll, decide and act until the job has an outcome or must wait for the next invocation."""
    invocation = _Invocation(job.progress)
    step: Step | None = None
    while True:
        try:
            state = job.poll()
            if step is None:
                invocation.first_poll_ended_at = clock.now()

            step = job.decide(state)
            update_progress(job.progress, step)
            step = invocation.drop_late_action(step)
            if step.action:
                job.act(step.action)
        except RETRIED_ERRORS as error:
            step = _step_after_error(error, step)

        if step.outcome or not invocation.has_time_for(step.pause):
            return InvocationResult(state, step)
        clock.sleep(step.pause)


def _step_after_error(error: Exception, last_step: Step | None) -> Step:
    """Pause after an error instead of raising it, because an exception would lose the progress.

    Before the first step, there's no progress to lose, so the error is raised.
    """
    if last_step is None:
        raise error
    return last_step._replace(outcome=None, pause=PAUSE_SECONDS_AFTER_ERROR[type(error)])


class _Invocation:
    """The time budget of one invocation, which polls until its end but only acts at first."""

    def __init__(self, progress: Progress) -> None:
        reset_call_times()
        self.progress = progress
        self.began_at = clock.now()
        self.ends_at = self.began_at + INVOCATION_TIME
        """When the next invocation must take over."""
        self.first_poll_ended_at = self.began_at
        """When the first poll ended. The time for changes starts here."""

    def has_time_for(self, pause: float) -> bool:
        """Return True if the invocation can sleep for this many seconds and poll again."""
        return pause <= LONGEST_SLEEP and clock.now() + timedelta(seconds=pause) <= self.ends_at

    def drop_late_action(self, step: Step) -> Step:
        """Remove a step's action, and with it the outcome, if it's too late for a change.

        If every invocation is too slow, the job fails at its deadline and names the slowest calls.
        """
        if step.action is None or not step.action.changes:
            return step

        if self.first_poll_ended_at > self.began_at + MAX_FIRST_POLL_TIME:
            self.progress.blocked_by = (
                f"one poll took too long to act on it: {format_slowest_calls()}"
            )
            return step._replace(action=None, outcome=None, pause=RETRY_PAUSE)
        if clock.now() > self.first_poll_ended_at + ACTING_TIME:
            # Let the next invocation take over at once.
            self.ends_at = self.began_at
            return step._replace(action=None, outcome=None)
        return step


@contextmanager
def track_create_request(progress: JobProgress, name: str) -> Iterator[None]:
    """Record that the block sent a create request, unless it certainly created no job.

    The response may be lost, and lists may not show the job yet. So the rules wait for a while
    before they send the request again.

    Raises:
        RequestRefused: Personalize can't create the job until other jobs have ended.
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
        if code not in REFUSAL_CODES:
            raise
        progress.blocked_by = f"it cannot start yet: {error.response['Error']['Message']}"
        raise RequestRefused(progress.blocked_by) from error
    except Throttled:
        progress.sent_at = None
        raise


def restore_progress(status: JobStatus | None, new_progress: Dataclass) -> Dataclass:
    """Restore the progress from the last invocation's status, or use `new_progress` without one."""
    if status is None:
        return new_progress
    return deserialize(type(new_progress), status["progress"])


def serialize(progress: Any) -> dict[str, object]:  # noqa: ANN401 - any dataclass
    """Turn a dataclass into a JSON object. Times are in ISO 8601."""
    document: dict[str, object] = json.loads(
        json.dumps(asdict(progress), default=datetime.isoformat)
    )
    return document


def deserialize(data_type: type[Dataclass], document: dict[str, Any]) -> Dataclass:
    """Turn a JSON object from `serialize()` back into a dataclass.

    A field may be a time, a dataclass, a JSON value or None. It can't be a plain dictionary, which
    would be mistaken for a dataclass.
    """
    hints = get_type_hints(data_type)
    return data_type(**{name: _read_field(hints[name], value) for name, value in document.items()})


def _read_field(hint: Any, value: Any) -> Any:  # noqa: ANN401 - see `serialize`
    # For example, the type of `datetime | None` is datetime.
    field_type = next((part for part in get_args(hint) if part is not type(None)), hint)

    if isinstance(value, dict):
        return deserialize(field_type, value)
    return datetime.fromisoformat(value) if value and field_type is datetime else value
