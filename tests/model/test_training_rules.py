"""The rules of a training, one row for each situation. tests/model plays them in random order."""

from datetime import timedelta

import pytest
from import_jobs import HOUR, MINUTE, NOW, job
from rules.trainings import (
    Create,
    Memory,
    SeenSolution,
    Stop,
    Training,
    WantedTraining,
    decide,
    digest,
    trainings_of_month,
)

from functions.rules.steps import Step

DAY = timedelta(days=1)


IMPORTED = job()


def present(*jobs, config="c"):
    """Return the digest of these imports, by default of the one import."""
    return digest(SeenSolution(config=config, imports=jobs or (IMPORTED,), trainings=[]), NOW)


def version(number=1, **fields):
    """Return a version of an earlier run that has learned the present imports."""
    standard = {
        "arn": f"version-{number}",
        "is_running": False,
        "is_active": True,
        "created_at": NOW - 50 * HOUR + number * HOUR,
        "ended_at": NOW - 48 * HOUR + number * HOUR,
        "run": "earlier",
        "digest": present(),
        "is_of_pipeline": True,
    }
    return Training(**{**standard, **fields})


def own(**fields):
    """Return the version of this run, which is in training for an hour."""
    standard = {"run": "this", "is_running": True, "is_active": False, "created_at": NOW - HOUR}
    return version(**{**standard, **fields})


def step(*versions, imports=(IMPORTED,), memory=None, updated=False, **fields):
    """Return the step of the rules for a solution with these versions."""
    seen = SeenSolution(config="c", is_being_updated=updated, imports=imports, trainings=versions)
    standard = {"run": "this", "datasets": {"items": True}, "max_hours": 24}
    return decide(seen, WantedTraining(**{**standard, **fields}), memory or Memory(NOW), NOW)


CREATE = Step("TRAINING", Create(present()))


def trained(arn="version-1"):
    """Return the step of a solution that goes on with a version."""
    return Step("TRAINED", outcome="TRAINED", reasons=(arn,))


def failed(reason, phase="TRAINING"):
    """Return the step of a solution that fails."""
    return Step(phase, outcome="FAILED", reasons=(reason,))


STOPPED = "version-1 learned the same data and was stopped; `--force` trains again"


@pytest.mark.parametrize(
    ("versions", "fields", "expected"),
    [
        ([], {}, CREATE),
        ([version()], {}, trained()),
        ([version(), version(2)], {}, trained("version-2")),
        ([version(digest="other")], {}, CREATE),
        ([version(run=None)], {}, CREATE),
        ([version(is_active=False)], {}, CREATE),
        ([version(is_active=False, was_stopped=True)], {}, failed(STOPPED)),
        (
            [version(is_active=False, is_running=True, created_at=NOW - HOUR)],
            {"durations": [6000]},
            Step("TRAINING", pause=6000 * (1 - 0.2 * 2**0.5) - 3600),
        ),
        ([version()], {"requested_since": NOW}, CREATE),
        ([version()], {"requested_since": NOW - 49 * HOUR}, trained()),
        ([own(is_running=False, is_active=True, digest="other")], {}, trained()),
        ([own(is_running=False, failure="no")], {}, failed("no")),
        ([own(is_running=False)], {}, failed("version-1 has failed without a reason")),
        ([own(is_running=False, was_stopped=True)], {}, failed("version-1 was stopped")),
        ([own()], {"max_hours": 1}, Step("STOPPING", Stop("version-1"))),
        ([own(is_stopping=True)], {}, Step("STOPPING", pause=15)),
        (
            [version(digest="other")] * 2,
            {"max_per_month": 2},
            Step(
                "LIMITED", outcome="SKIPPED", reasons=("limits.maxTrainingsPerMonth 2 is reached",)
            ),
        ),
        ([version(digest="other")], {"max_per_month": 2}, CREATE),
        ([version()], {"max_per_month": 1}, trained()),
    ],
)
def test_the_present_data_are_learned_once(versions, fields, expected):
    assert step(*versions, **fields) == expected


FOREIGN = job(9, run=None, is_held=False)
REPLACED = failed("job-9, which this pipeline did not start, has replaced the data", "CHECKING")
PARTIAL = failed("the export of job-2 changed while it was imported", "CHECKING")
ADDED = {"datasets": {"items": False}}


@pytest.mark.parametrize(
    ("imports", "fields", "expected"),
    [
        ([job(), FOREIGN], {}, REPLACED),
        ([job(), FOREIGN], {"accepts_foreign": True}, None),
        ([job(), FOREIGN], ADDED, REPLACED),
        ([FOREIGN], ADDED, None),
        ([job(), FOREIGN, job(10, is_full=False)], ADDED, None),
        ([job(), FOREIGN._replace(is_full=False)], {}, None),
        ([FOREIGN._replace(dataset="users")], {}, None),
        ([job(), job(2, is_held=False)], {}, PARTIAL),
        ([job(), job(2, is_held=False)], {"accepts_foreign": True}, PARTIAL),
        ([job(2, is_held=False, planned="a-0"), job(3, is_full=False)], ADDED, None),
    ],
)
def test_only_data_that_a_run_has_checked_are_learned(imports, fields, expected):
    assert step(imports=imports, **fields) == (
        expected or Step("TRAINING", Create(present(*imports)))
    )


def test_a_training_waits_until_nothing_moves():
    running = job(2, is_running=True, is_active=False)
    waiting = Step("WAITING", pause=60)
    assert step(imports=[IMPORTED, running]) == waiting
    assert step(updated=True) == waiting
    late = Memory(NOW - 24 * HOUR)
    gave_up = "gave up after 24 hours: "
    assert step(imports=[running], memory=late) == failed(f"{gave_up}job-2 is running", "WAITING")
    updating = f"{gave_up}the solution is being updated"
    assert step(updated=True, memory=late) == failed(updating, "WAITING")
    late.refusal = "the quota is used up"
    assert step(memory=late) == failed(f"{gave_up}the quota is used up", "WAITING")


def test_a_training_of_this_run_goes_on_whatever_is_imported():
    running = job(2, is_running=True, is_active=False)
    assert step(own(), imports=[running, FOREIGN]).phase == "TRAINING"


def test_a_create_without_an_answer_is_not_repeated_at_once():
    assert step(memory=Memory(NOW, sent_at=NOW - 2 * MINUTE)) == Step("WAITING", pause=60)
    assert step(memory=Memory(NOW, sent_at=NOW - 3 * MINUTE)) == CREATE


def test_a_late_training_is_stopped_once_and_watched_for_an_hour():
    memory = Memory(NOW, stopping_since=NOW - 59 * MINUTE)
    assert step(own(), max_hours=1, memory=memory) == Step("STOPPING", pause=15)
    memory.stopping_since = NOW - HOUR
    reason = "version-1 did not stop within an hour"
    assert step(own(), max_hours=1, memory=memory) == failed(reason, "STOPPING")
    ended = own(is_running=False, was_stopped=True)
    reason = "it took more than 1 hours, so it was stopped"
    assert step(ended, max_hours=1, memory=memory) == failed(reason)


def test_the_digest_changes_with_each_import_and_with_the_configuration():
    digests = [
        present(),
        present(job(2)),
        present(IMPORTED, job(2, is_full=False)),
        present(IMPORTED, job(3, dataset="users")),
        present(config="d"),
    ]
    assert len(set(digests)) == len(digests)
    assert present(job(2), IMPORTED) == present(job(2)), "the older FULL import is replaced"
    assert present(IMPORTED, job(2, is_running=True, is_active=False)) == present()


def test_only_versions_of_this_pipeline_and_month_are_counted():
    month_old = version(created_at=NOW - 30 * DAY)
    younger = version(created_at=NOW - 30 * DAY + MINUTE)
    versions = [month_old, younger, version(is_of_pipeline=False)]
    assert trainings_of_month(versions, NOW) == 1
