"""Polls, decides and acts until a job has an outcome or must wait for the next invocation.

A *job* is an import, the training of a version, a deployment or a batch job. Its *progress* holds
only what AWS doesn't show yet, such as a request that was just sent. So if a run dies, the next run
polls AWS, and the same rules carry on from there. The job's *status* is the handler's output, which
Step Functions passes to the next invocation, with the progress in it.
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
from .common.errors import RequestRefused, ServiceUnavailable, Throttled
from .common.messages import as_message
from .contract import JobStatus
from .rules.batch_jobs import BatchJob
from .rules.imports import Import
from .rules.pacing import MAX_SLEEP_SECONDS
from .rules.steps import (
    RETRY_PAUSE_SECONDS,
    SHORT_PAUSE_SECONDS,
    Action,
    JobProgress,
    Step,
    update_progress,
)
from .rules.versions import SolutionVersion

INVOCATION_TIME = timedelta(minutes=14)
"""How long one invocation may run. Lambda would kill it after 15 minutes."""
MAX_FIRST_POLL_TIME = timedelta(minutes=1)
"""An invocation whose first poll takes longer than this changes nothing. A poll usually takes
seconds."""
ACTING_TIME = timedelta(minutes=1)
"""How long after the end of its first poll an invocation may change something.

Without this limit, an aborted execution could change things for another 14 minutes, because its
last invocation runs to the end. The next run waits until the limit is over (`run/admission.py`).
"""
MAX_TIME_TO_LAST_CHANGE = MAX_FIRST_POLL_TIME + ACTING_TIME + timedelta(seconds=2 * 15)
"""How long after its start an invocation may still change something. An action sends at most two
requests, one after the other, and each takes up to 15 seconds (`common/aws.py`)."""
PAUSE_SECONDS_AFTER_ERROR = {
    RequestRefused: RETRY_PAUSE_SECONDS,
    Throttled: SHORT_PAUSE_SECONDS,
    ServiceUnavailable: SHORT_PAUSE_SECONDS,
}
"""Error -> how long to wait before polling again. A refused request may succeed a minute later."""
RETRIED_ERRORS = tuple(PAUSE_SECONDS_AFTER_ERROR)
REFUSAL_CODES = ("ResourceInUseException", "LimitExceededException")
"""The Personalize error codes for "not now": the same request may be accepted later."""

State_co = TypeVar("State_co", covariant=True)
Dataclass = TypeVar("Dataclass")


class InvocationResult(NamedTuple, Generic[State_co]):
    """The last poll and the last step of an invocation."""

    state: State_co
    """What the last poll read."""
    step: Step
    """What the rules decided after it, or a pause if it failed."""

    @property
    def seconds(self) -> int:
        """The seconds until the next invocation, rounded up. 0 means at once."""
        # The invocation would have slept through such a short pause, but its time was over.
        if self.step.pause <= MAX_SLEEP_SECONDS:
            return 0
        return math.ceil(self.step.pause)

    def build_status(
        self,
        progress: object,
        job: Import | SolutionVersion | BatchJob | None = None,
        warnings: Sequence[str] = (),
    ) -> JobStatus:
        """Build the status keys that all kinds of jobs share.

        `job` is the import, version or batch job that the run waits for, if it exists already.
        """
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


class Job(Protocol[State_co]):
    """An import, a training, a deployment or a batch job, as one invocation handles it."""

    spec: Any
    """What the run should do. Each kind of job has its own class for this, and for the progress."""
    progress: Any
    """What one invocation passes to the next. If the job times out, it fails for the reason in
    `delayed_by`."""

    def poll(self) -> State_co:
        """Read everything that the rules need."""

    def act(self, action: Action) -> None:
        """Carry out the action of a step.

        Raises:
            RequestRefused: the service did nothing, and may accept the same request later.
        """


Rules = Callable[[State_co, Any, Any, datetime], Step]
"""Decides on the next step of a job from its state, spec and progress, and the current time."""


def reconcile(job: Job[State_co], decide: Rules[State_co]) -> InvocationResult[State_co]:
    """Poll, decide and act until the job has an outcome or must wait for the next invocation."""
    invocation = _Invocation(job.progress)
    step: Step | None = None
    while True:
        try:
            state = job.poll()
            if step is None:
                invocation.first_poll_ended_at = clock.now()

            step = decide(state, job.spec, job.progress, clock.now())
            update_progress(job.progress, step)
            step = invocation.drop_late_action(step)
            if step.action:
                job.act(step.action)
        except RETRIED_ERRORS as error:
            step = _pause_after_error(error, step)

        if invocation.ends_with(step):
            return InvocationResult(state, step)
        clock.sleep(step.pause)


def _pause_after_error(error: Exception, last_step: Step | None) -> Step:
    """Return a pause instead of raising an error, because that would lose the progress.

    Raises:
        Exception: `error` itself if the first poll failed, so that there's no new progress yet.
    """
    if last_step is None:
        raise error

    return last_step._replace(outcome=None, pause=PAUSE_SECONDS_AFTER_ERROR[type(error)])


class _Invocation:
    """The time limits of one invocation, which polls until its end but only acts at first."""

    def __init__(self, progress: Any) -> None:  # noqa: ANN401 - see `Job`
        self.progress = progress
        self.began_at = clock.now()
        self.ends_at = self.began_at + INVOCATION_TIME
        """When the next invocation takes over."""
        self.first_poll_ended_at = self.began_at
        """The time to act starts here."""

    def ends_with(self, step: Step) -> bool:
        """Check if the step has an outcome, or there's no time to sleep and poll again after it."""
        if step.outcome or step.pause > MAX_SLEEP_SECONDS:
            return True
        return clock.now() + timedelta(seconds=step.pause) > self.ends_at

    def drop_late_action(self, step: Step) -> Step:
        """Return the step without its action if it's too late to change something.

        The outcome is removed too, because it's only true after the action.
        """
        if step.action is None or not step.action.changes:
            return step

        step_without_action = step._replace(action=None, outcome=None)

        if self.first_poll_ended_at > self.began_at + MAX_FIRST_POLL_TIME:
            # If the polls stay too slow until the job's deadline, it fails for this reason.
            self.progress.delayed_by = "one poll took too long to act on it"
            return step_without_action._replace(pause=RETRY_PAUSE_SECONDS)

        if clock.now() > self.first_poll_ended_at + ACTING_TIME:
            # End this invocation, so that the next one acts.
            self.ends_at = self.began_at
            return step_without_action

        return step


@contextmanager
def track_create_request(progress: JobProgress, job_name: str) -> Iterator[None]:
    """Record when the block sent a create request, unless the request certainly failed.

    For some minutes after `sent_at`, no second request is sent, because the first one may have
    created the job even if its response was lost, and lists may not show a new job yet.

    Raises:
        RequestRefused: Personalize can't create the job until other jobs have ended.
    """
    progress.sent_at = clock.now()

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceAlreadyExistsException":
            # This isn't an error, because an earlier request whose response was lost may have
            # created the job. The next polls may find it.
            progress.delayed_by = f"the name {job_name} is taken"
            return

        progress.sent_at = None
        if code in REFUSAL_CODES:
            progress.delayed_by = f"it cannot start yet: {error.response['Error']['Message']}"
            raise RequestRefused(progress.delayed_by) from error
        raise
    except Throttled:
        progress.sent_at = None
        raise


def restore_progress(status: JobStatus | None, new_progress: Dataclass) -> Dataclass:
    """Restore the progress from the last invocation's status, or begin with `new_progress`."""
    if status is None:
        return new_progress
    return deserialize(type(new_progress), status["progress"])


def serialize(instance: Any) -> dict[str, object]:  # noqa: ANN401 - any dataclass
    """Turn a dataclass instance into a JSON object, with times in ISO 8601."""
    json_object: dict[str, object] = json.loads(
        json.dumps(asdict(instance), default=datetime.isoformat)
    )
    return json_object


def deserialize(cls: type[Dataclass], json_object: dict[str, Any]) -> Dataclass:
    """Create a dataclass instance from a JSON object that `serialize()` returned.

    Fields may be times, dataclasses, JSON values or None, but not dictionaries, because each JSON
    object is taken for a dataclass.
    """
    type_hints = get_type_hints(cls)
    fields = {name: _parse_field(type_hints[name], value) for name, value in json_object.items()}
    return cls(**fields)


def _parse_field(type_hint: Any, value: Any) -> Any:  # noqa: ANN401 - see `serialize`
    """Turn the JSON value of one field back into a dataclass, a time or another value."""
    # A field that may be None has a union as its type, for example `datetime | None`.
    possible_types = get_args(type_hint) or (type_hint,)
    field_type = possible_types[0]

    if isinstance(value, dict):
        return deserialize(field_type, value)
    if value and field_type is datetime:
        return datetime.fromisoformat(value)
    return value
