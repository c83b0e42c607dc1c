"""Looking at a job until it ends, on a clock moved by hand."""

from functions.clock import now, sleep
from functions.personalize.pacing import whole_seconds
from functions.personalize.watch import age_seconds, watch
from tests.functions.samples import NOW, ago, ended_job, iso, job


def looks(clock, *, ends_after, created=NOW):
    """Give a look at a job that ends so many seconds after its creation, and count the looks."""

    def look():
        look.count += 1
        under_way = (clock.now() - created).total_seconds() < ends_after
        return (job if under_way else ended_job)(createdAt=created.isoformat())

    look.count = 0
    return look


def test_a_job_that_has_ended_is_given_as_it_is(clock):
    seen = ended_job()
    assert watch(lambda: seen, durations=[7200], max_hours=24) == seen
    assert clock.slept == []


def test_far_from_its_end_a_job_is_left_to_a_wait_state(clock):
    seen = watch(lambda: job(createdAt=iso(0.5)), durations=[7200], max_hours=24)
    assert seen == job(createdAt=iso(0.5), seconds=900)
    assert clock.slept == []


def test_near_its_end_the_invocation_holds_and_looks_every_ten_seconds(clock):
    look = looks(clock, ends_after=7225, created=ago(2))
    seen = watch(look, durations=[7200], max_hours=24)
    assert seen == ended_job(createdAt=iso(2))
    assert (clock.slept, look.count) == ([10, 10, 10], 4)


def test_an_invocation_holds_for_five_minutes_and_asks_for_another(clock):
    look = looks(clock, ends_after=99999, created=ago(2))
    seen = watch(look, durations=[7200], max_hours=24)
    assert seen == job(createdAt=iso(2), phase="NEAR")
    assert clock.slept == [10] * 30, "the thirtieth pause ends with the five minutes"


def test_a_pause_of_45_seconds_is_still_held_and_a_longer_one_is_not(clock):
    watch(looks(clock, ends_after=451), durations=[], max_hours=24)
    assert clock.slept[0] == 30
    clock.slept.clear()
    created = clock.now()
    clock.advance(450)
    assert watch(looks(clock, ends_after=460, created=created), durations=[], max_hours=24) == (
        ended_job(createdAt=created.isoformat())
    )
    assert clock.slept == [45]
    clock.slept.clear()
    clock.advance(-44)
    seen = watch(lambda: job(createdAt=created.isoformat()), durations=[], max_hours=24)
    assert (seen["seconds"], clock.slept) == (46, [])


def test_a_job_past_its_deadline_is_overdue():
    seen = watch(lambda: job(createdAt=iso(3)), durations=[7200], max_hours=3)
    late = "still CREATE IN_PROGRESS after 3 hours"
    assert seen == job(createdAt=iso(3), phase="OVERDUE", failure=late)


def test_a_job_that_ended_late_has_still_ended():
    seen = ended_job(createdAt=iso(50))
    assert watch(lambda: seen, durations=[7200], max_hours=3) == seen, "status first, then deadline"


def test_the_next_look_is_not_later_than_the_deadline():
    seen = watch(lambda: job(createdAt=iso(minutes=-1, hours=1)), durations=[72000], max_hours=1)
    assert seen["seconds"] == 60


def test_a_deadline_less_than_a_second_away_still_takes_a_second(clock):
    created = iso(seconds=3959.5)
    seen = watch(lambda: job(createdAt=created), durations=[], max_hours=1.1)
    assert (seen["phase"], clock.slept) == ("OVERDUE", [1])
    assert seen["failure"] == "still CREATE IN_PROGRESS after 1.1 hours"


def test_a_warning_stays_with_the_job():
    seen = iter([job(createdAt=iso(2), warnings=["b"]), ended_job(createdAt=iso(2))])
    made = watch(lambda: next(seen), durations=[7200], max_hours=24, warnings=["c", "a", "b"])
    assert made == ended_job(createdAt=iso(2), warnings=["a", "b", "c"]), "each once"


def test_a_jobs_age_counts_from_its_own_creation():
    assert age_seconds(job(createdAt="2026-11-29T04:58:20+02:00")) == 100


def test_seconds_for_a_wait_state_are_rounded_up():
    given = {0: 1, 0.2: 1, 1: 1, 1.0001: 2, 59.9: 60, 60: 60}
    assert {seconds: whole_seconds(seconds) for seconds in given} == given


def test_the_real_clock_knows_its_zone_and_passes():
    began = now()
    sleep(0.001)
    assert (now() - began).total_seconds() >= 0.001
    assert began.utcoffset().total_seconds() == 0
