"""The loop of every job: how often it looks, when it acts, and what an error does."""

import json
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from components.state_machine.asl import RETRY_PAUSE_SECONDS
from functions.common import clock
from functions.common.errors import (
    RequestRefused,
    ServiceUnavailable,
    Throttled,
)
from functions.reconcile import (
    MAX_TIME_TO_LAST_CHANGE,
    deserialize,
    reconcile,
    serialize,
    track_create_request,
)
from functions.rules.imports import ValidateExport
from functions.rules.pacing import choose_poll_pause
from functions.rules.steps import JobProgress, Step
from functions.rules.trainings import StopTraining
from functions.run.admission import (
    DEFAULT_LIST_LAG_SECONDS,
    WAIT_AFTER_FAILURE,
)

CHANGE = StopTraining("version")
QUESTION = ValidateExport("fingerprint")
DONE = Step("DONE", outcome="DONE")
NOW = clock.now()


class FakeJob:
    """A job whose polls return these steps, one after the other. The last one is repeated."""

    def __init__(self, *steps, seconds=0):
        self.steps = list(steps)
        self.seconds = seconds
        self.spec = None
        self.progress = JobProgress(NOW)
        self.acts = []

    def poll(self):
        """Return the next step after `seconds`. An exception is raised instead."""
        clock.sleep(self.seconds)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step

        return step

    def act(self, action):
        """Note the action."""
        self.acts.append(action)

    def run(self):
        """Reconcile the job. Return the last step, and the seconds until the next invocation."""
        # Each poll returns the step itself, so there is nothing to decide.
        result = reconcile(self, lambda step, *_: step)
        return result.step, result.seconds


@pytest.fixture(autouse=True)
def time(monkeypatch):
    """Let no real time pass. Return a function that returns the seconds that have passed."""
    start = clock.now()
    passed = [0.0]
    monkeypatch.setattr(clock, "now", lambda: start + timedelta(seconds=passed[0]))
    monkeypatch.setattr(clock, "sleep", lambda seconds: passed.append(passed.pop() + seconds))

    return lambda: passed[0]


def test_an_outcome_ends_the_job(time):
    assert FakeJob(Step("WAITING", pause=30), DONE).run() == (DONE, 0)
    assert time() == 30


def test_an_item_with_an_action_and_an_outcome_ends_after_the_action():
    job = FakeJob(Step("DONE", CHANGE, outcome="DONE"))
    assert job.run()[0].outcome == "DONE"
    assert job.acts == [CHANGE]


def test_a_pause_that_is_too_long_to_sleep_ends_the_invocation(time):
    step = Step("WAITING", pause=600.2)
    assert FakeJob(step).run() == (step, 601), "it ends rather late than before a deadline"
    assert time() == 0


def test_an_invocation_ends_before_lambda_ends_it(time):
    step = Step("WAITING", pause=42)
    assert FakeJob(step).run() == (step, 0)
    assert time() == 14 * 60, "it uses all of its 14 minutes"


def test_a_minute_after_its_first_poll_an_invocation_only_polls_and_asks():
    late = Step("LATE", CHANGE, outcome="DONE")
    job = FakeJob(Step("WAITING", pause=40), Step("WAITING", pause=40), late)
    unfinished = late._replace(action=None, outcome=None)
    assert job.run() == (unfinished, 0), "the next invocation acts"
    assert job.acts == []
    job = FakeJob(
        Step("WAITING", pause=40),
        Step("WAITING", pause=40),
        Step("ASK", QUESTION),
        DONE,
    )

    assert job.run() == (DONE, 0)
    assert job.acts == [QUESTION]


@pytest.mark.parametrize("seconds, acts", [(60, [CHANGE]), (61, [])])
def test_an_action_follows_a_poll_of_up_to_a_minute(seconds, acts):
    job = FakeJob(Step("DONE", CHANGE, outcome="DONE"), seconds=seconds)
    job.run()
    assert job.acts == acts


def test_the_minute_in_which_an_invocation_acts_begins_after_its_first_poll():
    job = FakeJob(Step("WAITING", pause=10), Step("DONE", CHANGE, outcome="DONE"), seconds=40)
    job.run()
    assert job.acts == [CHANGE]


def test_a_poll_that_was_too_slow_is_repeated_and_named():
    late = Step("WAITING", CHANGE, outcome="DONE", progress_changes={"sent_at": NOW})
    job = FakeJob(late, seconds=61)
    step, pause_seconds = job.run()
    assert (step.outcome, pause_seconds) == (None, 60)
    assert job.progress.sent_at == NOW, "what the poll has shown is kept"
    end = job.progress.wait_before_create(max_hours=1, now=NOW + timedelta(hours=2))

    assert end.reasons == ("gave up after 1 hour: one poll took too long to act on it",)


def test_a_retry_and_the_next_run_come_after_the_last_change_of_a_dead_function():
    lists_lag = timedelta(seconds=DEFAULT_LIST_LAG_SECONDS)
    assert MAX_TIME_TO_LAST_CHANGE + lists_lag <= timedelta(seconds=RETRY_PAUSE_SECONDS)
    assert MAX_TIME_TO_LAST_CHANGE + lists_lag <= WAIT_AFTER_FAILURE


def test_a_refused_action_is_followed_by_another_poll():
    class RefusedOnce(FakeJob):
        def act(self, action):
            super().act(action)
            if len(self.acts) == 1:
                raise RequestRefused("in use")

    step = Step("DONE", CHANGE, outcome="DONE")
    job = RefusedOnce(step)
    unfinished = step._replace(outcome=None, pause=60)
    assert job.run() == (unfinished, 60), "the refused act ended nothing"


@pytest.mark.parametrize("error", [Throttled("slow down"), ServiceUnavailable("503")])
def test_an_error_of_a_service_is_raised_only_at_the_first_poll(error, time):
    with pytest.raises(type(error)):
        FakeJob(error).run()

    assert FakeJob(Step("WAITING", pause=10), error, DONE).run() == (DONE, 0)
    assert time() == 25, "it has looked again after 15 seconds"


def client_error(code):
    """Return an error of Personalize."""
    return ClientError({"Error": {"Code": code, "Message": "no slot"}}, "Create")


@pytest.mark.parametrize(
    "error, raised, may_exist, refusal",
    [
        (None, None, True, ""),
        (client_error("ResourceAlreadyExistsException"), None, True, "the name job is taken"),
        (
            client_error("LimitExceededException"),
            RequestRefused,
            False,
            "it cannot start yet: no slot",
        ),
        (
            client_error("ResourceInUseException"),
            RequestRefused,
            False,
            "it cannot start yet: no slot",
        ),
        (client_error("InvalidInputException"), ClientError, False, ""),
        (Throttled("slow down"), Throttled, False, ""),
        (ServiceUnavailable("503"), ServiceUnavailable, True, ""),
    ],
)
def test_a_create_is_remembered_if_its_job_may_exist(error, raised, may_exist, refusal):
    progress = JobProgress(NOW)
    with pytest.raises(raised) if raised else nullcontext(), track_create_request(progress, "job"):
        if error:
            raise error

    assert (progress.sent_at is not None, progress.delayed_by) == (may_exist, refusal)


@dataclass
class Inner:
    """A dataclass in a memory."""

    at: datetime


@dataclass
class Progress:
    """What a job remembers."""

    began_at: datetime
    inner: Inner | None = None
    sent_at: datetime | None = None
    reasons: list[str] = field(default_factory=list)
    is_sent: bool = False


@pytest.mark.parametrize(
    "progress", [Progress(NOW), Progress(NOW, Inner(NOW), NOW, ["late"], True)]
)
def test_a_memory_is_the_same_after_it_has_travelled_through_the_document(progress):
    document = json.loads(json.dumps(serialize(progress)))
    assert deserialize(Progress, document) == progress


# The pauses between two looks


@pytest.mark.parametrize("elapsed, seconds", [(0, 1), (100, 1), (500, 5), (1200, 12), (90_000, 12)])
def test_a_job_of_unknown_duration_is_looked_at_in_pauses_of_a_hundredth_of_its_age(
    elapsed, seconds
):
    assert choose_poll_pause([], elapsed) == seconds


@pytest.mark.parametrize(
    "elapsed, seconds", [(0, 400), (399.5, 1), (400, 4), (1000, 10), (5000, 12)]
)
def test_a_job_is_left_alone_for_two_fifths_of_its_usual_duration(elapsed, seconds):
    assert choose_poll_pause([1000] * 5, elapsed) == seconds


def test_the_usual_duration_is_the_median():
    assert choose_poll_pause([100, 5000, 1000], 0) == 400
