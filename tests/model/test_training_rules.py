"""The rules of a training, one row for each situation. tests/model plays them in random order."""

from datetime import timedelta

import pytest
from import_jobs import HOUR, MINUTE, NOW, job

from functions.rules.pacing import pause
from functions.rules.steps import Step
from functions.rules.trainings import (
    Create,
    Memory,
    SeenSolution,
    Stop,
    Training,
    WantedTraining,
    decide,
    digest,
    newest_active,
)

MONTH_OLD = NOW - timedelta(days=30)

IMPORTED = job()


def present(*jobs, config="c"):
    """Return the digest of these imports, by default of the one import."""
    return digest(SeenSolution(config=config, imports=jobs or (IMPORTED,), trainings=[]))


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
    }
    return Training(**{**standard, **fields})


def own(**fields):
    """Return the version of this run, which is in training for an hour."""
    standard = {"run": "this", "is_running": True, "is_active": False, "created_at": NOW - HOUR}
    return version(**{**standard, **fields})


def earlier(**fields):
    """Return the version of an earlier run that is in training for an hour."""
    return own(run="earlier", **fields)


def step(*versions, imports=(IMPORTED,), memory=None, updated=False, **fields):
    """Return the step of the rules for a solution with these versions."""
    seen = SeenSolution(config="c", is_being_updated=updated, imports=imports, trainings=versions)
    standard = {"run": "this", "datasets": {"items": True}, "max_hours": 24}
    memory = memory or Memory(NOW)
    return decide(seen, WantedTraining(**{**standard, **fields}), memory, NOW)


CREATE = Step("TRAINING", Create(present()))
TRAINED = Step("TRAINED", outcome="TRAINED")


def failed(reason, phase="TRAINING"):
    """Return the step of a solution that fails."""
    return Step(phase, outcome="FAILED", reasons=(reason,))


def limited(limit):
    """Return the step of a solution that was trained as often as the limit allows."""
    reason = (
        f"trainings of this pipeline within 30 days: {limit}, and limits.maxTrainingsPerMonth is "
        f"{limit}; wait some days, raise the limit, or use retrain start --force"
    )
    return Step("LIMITED", outcome="SKIPPED", reasons=(reason,))


STOPPED = (
    "version-1, which an earlier run has trained on the same data, was stopped; use retrain start "
    "--force to train again"
)
NO_REASON = "version-1 has failed, and Personalize gives no reason"


@pytest.mark.parametrize(
    ("versions", "fields", "expected", "used"),
    [
        ([], {}, CREATE, None),
        ([version()], {}, TRAINED, "version-1"),
        ([version(2), version()], {}, TRAINED, "version-2"),
        ([version(digest="other")], {}, CREATE, None),
        ([version(run=None)], {}, CREATE, None),
        ([version(is_active=False)], {}, CREATE, None),
        ([version(is_active=False, was_stopped=True)], {}, failed(STOPPED), "version-1"),
        (
            [earlier()],
            {"durations": [6000]},
            Step("TRAINING", pause=pause([6000], 3600)),
            "version-1",
        ),
        (
            [own()],
            {"durations": [90000], "max_hours": 2},
            Step("TRAINING", pause=3600),
            "version-1",
        ),
        ([earlier()], {"max_hours": 1}, Step("STOPPING", Stop("version-1"), pause=15), "version-1"),
        ([version()], {"requested_since": NOW}, CREATE, None),
        ([version()], {"requested_since": NOW - 49 * HOUR}, TRAINED, "version-1"),
        ([own(is_running=False, is_active=True, digest="other")], {}, TRAINED, "version-1"),
        ([own(is_running=False, failure="no")], {}, failed("no"), "version-1"),
        ([own(is_running=False)], {}, failed(NO_REASON), "version-1"),
        (
            [own(is_running=False, was_stopped=True)],
            {},
            failed("version-1 was stopped"),
            "version-1",
        ),
        ([own()], {"max_hours": 1}, Step("STOPPING", Stop("version-1"), pause=15), "version-1"),
        ([own(is_stopping=True)], {}, Step("STOPPING", pause=15), "version-1"),
        ([version(digest="other")] * 2, {"max_per_month": 2}, limited(2), None),
        ([version(digest="other")], {"max_per_month": 2}, CREATE, None),
        ([version(digest="other"), version(run=None)], {"max_per_month": 2}, CREATE, None),
        ([version(digest="other"), version(is_active=False)], {"max_per_month": 2}, CREATE, None),
        ([version(digest="other", created_at=MONTH_OLD)], {"max_per_month": 1}, CREATE, None),
        (
            [version(digest="other", created_at=MONTH_OLD + MINUTE)],
            {"max_per_month": 1},
            limited(1),
            None,
        ),
        ([version()], {"max_per_month": 1}, TRAINED, "version-1"),
        (
            [own(digest="other")],
            {"max_per_month": 1},
            Step("TRAINING", pause=pause((), 3600)),
            "version-1",
        ),
        ([version(run=None)], {"version": "version-1"}, TRAINED, "version-1"),
    ],
)
def test_the_present_data_are_learned_once(versions, fields, expected, used):
    memory = Memory(NOW)
    assert step(*versions, memory=memory, **fields) == expected
    assert memory.version == used


def test_a_foreign_training_is_named_and_neither_used_nor_stopped():
    memory = Memory(NOW)
    foreign = own(run=None, arn="foreign")
    assert step(foreign, memory=memory, max_hours=1) == CREATE
    assert memory.warnings == [
        "foreign is in training too, but this pipeline did not start it; stop it if nobody needs it"
    ]
    assert newest_active([version(2, run=None), version()]) == version()


FOREIGN = job(9, run=None, is_held=False)
REPLACED = failed(
    "job-9, which this pipeline did not start, is the newest FULL import of its dataset; import "
    "the export with retrain start, or train on these data with retrain start --skip-import",
    "CHECKING",
)
PARTIAL = failed(
    "job-2 may have brought only a part of its export, because no run has found the export "
    "unchanged after the import; import the export again with retrain start",
    "CHECKING",
)
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


def test_foreign_data_that_were_added_are_named():
    memory = Memory(NOW)
    step(imports=[job(), FOREIGN._replace(is_full=False)], memory=memory)
    (warning,) = memory.warnings
    assert warning == (
        "job-9, an import that this pipeline did not start, has added data, and the version learns "
        "them too; find out who started it"
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


@pytest.mark.parametrize("fields", [{}, {"is_stopping": True}])
def test_a_late_training_is_stopped_and_looked_at_for_an_hour(fields):
    memory = Memory(NOW)
    pause = Step("STOPPING", None if fields else Stop("version-1"), pause=15)
    assert step(own(**fields), max_hours=1, memory=memory) == pause
    assert memory.stopping_since == NOW
    memory.stopping_since = NOW - 59 * MINUTE
    assert step(own(**fields), max_hours=1, memory=memory) == pause
    memory.stopping_since = NOW - HOUR
    reason = "version-1 did not stop within an hour"
    assert step(own(**fields), max_hours=1, memory=memory) == failed(reason, "STOPPING")


@pytest.mark.parametrize(
    ("ended_at", "reason"),
    [
        (NOW, "version-1 was stopped after more than 1 hours"),
        (NOW - MINUTE, "version-1 was stopped"),
    ],
)
def test_a_training_that_a_person_has_stopped_was_not_too_long(ended_at, reason):
    ended = own(is_running=False, was_stopped=True, ended_at=ended_at)
    assert step(ended, max_hours=1) == failed(reason)


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


def test_the_digest_of_an_earlier_time_has_the_imports_that_had_ended_by_then():
    jobs = [IMPORTED, job(2)]
    seen = SeenSolution(config="c", imports=jobs, trainings=[])
    assert digest(seen, jobs[1].ended_at - MINUTE) == present(IMPORTED)
    assert digest(seen, jobs[1].ended_at) == present(*jobs)
