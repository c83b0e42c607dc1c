"""Tests of polling a job until it ends, with a clock that the tests move."""

from functions.clock import now, sleep
from functions.personalize.pacing import whole_seconds
from functions.personalize.watch import age_seconds, watch
from tests.functions.samples import NOW, ago, ended_job, iso, job


class PolledJob:
    """A job that succeeds some seconds after its creation. It counts the polls."""

    def __init__(self, clock, *, ends_after, created=NOW):
        self.clock = clock
        self.ends_after = ends_after
        self.created = created
        self.polls = 0

    def describe(self):
        """Return the document of the job."""
        self.polls += 1
        age = (self.clock.now() - self.created).total_seconds()
        document = job if age < self.ends_after else ended_job
        return document(createdAt=self.created.isoformat())


def test_a_job_that_has_ended_is_returned_at_once(clock):
    ended = ended_job()
    assert watch(lambda: ended, durations=[7200], max_hours=24) == ended
    assert clock.slept == []


def test_a_job_far_from_its_end_is_left_to_a_wait_state(clock):
    polled = watch(lambda: job(createdAt=iso(0.5)), durations=[7200], max_hours=24)
    assert polled == job(createdAt=iso(0.5), seconds=900)
    assert clock.slept == []


def test_a_job_near_its_end_is_polled_every_ten_seconds(clock):
    polled = PolledJob(clock, ends_after=7225, created=ago(2))
    assert watch(polled.describe, durations=[7200], max_hours=24) == ended_job(createdAt=iso(2))
    assert (clock.slept, polled.polls) == ([10, 10, 10], 4)


def test_an_invocation_polls_for_five_minutes(clock):
    polled = PolledJob(clock, ends_after=99999, created=ago(2))
    near = job(createdAt=iso(2), phase="NEAR")
    assert watch(polled.describe, durations=[7200], max_hours=24) == near
    assert clock.slept == [10] * 30, "the last pause ends with the five minutes"


def test_a_function_sleeps_for_a_pause_of_up_to_45_seconds(clock):
    clock.advance(450)
    polled = PolledJob(clock, ends_after=460)
    assert watch(polled.describe, durations=[], max_hours=24) == ended_job(createdAt=iso())
    assert clock.slept == [45]


def test_a_longer_pause_is_left_to_a_wait_state(clock):
    clock.advance(451)
    polled = watch(lambda: job(createdAt=iso()), durations=[], max_hours=24)
    assert (polled["seconds"], clock.slept) == (46, [])


def test_a_job_past_its_deadline_is_overdue():
    polled = watch(lambda: job(createdAt=iso(3)), durations=[7200], max_hours=3)
    failure = "still CREATE IN_PROGRESS after 3 hours"
    assert polled == job(createdAt=iso(3), phase="OVERDUE", failure=failure)


def test_a_job_that_ended_after_its_deadline_has_ended():
    ended = ended_job(createdAt=iso(50))
    assert watch(lambda: ended, durations=[7200], max_hours=3) == ended


def test_the_next_poll_is_not_later_than_the_deadline():
    polled = watch(lambda: job(createdAt=iso(minutes=59)), durations=[72000], max_hours=1)
    assert polled["seconds"] == 60


def test_the_pause_before_the_deadline_takes_at_least_a_second(clock):
    created = iso(seconds=3959.5)
    polled = watch(lambda: job(createdAt=created), durations=[], max_hours=1.1)
    assert (polled["phase"], clock.slept) == ("OVERDUE", [1])
    assert polled["failure"] == "still CREATE IN_PROGRESS after 1.1 hours"


def test_the_job_keeps_the_warnings_of_every_poll():
    polls = iter([job(createdAt=iso(2), warnings=["b"]), ended_job(createdAt=iso(2))])
    polled = watch(lambda: next(polls), durations=[7200], max_hours=24, warnings=["c", "a", "b"])
    assert polled == ended_job(createdAt=iso(2), warnings=["a", "b", "c"])


def test_the_age_of_a_job_counts_from_its_creation():
    assert age_seconds(job(createdAt="2026-11-29T04:58:20+02:00")) == 100


def test_the_seconds_of_a_wait_state_are_rounded_up():
    rounded = {0: 1, 0.2: 1, 1: 1, 1.0001: 2, 59.9: 60, 60: 60}
    assert {seconds: whole_seconds(seconds) for seconds in rounded} == rounded


def test_the_real_clock_has_a_zone_and_moves():
    before = now()
    sleep(0.001)
    assert (now() - before).total_seconds() >= 0.001
    assert before.utcoffset().total_seconds() == 0
