"""The rules of a training, one row for each situation. tests/model plays them in random order."""

from dataclasses import replace
from datetime import timedelta

import pytest
from import_jobs import HOUR, MINUTE, NOW, job

from functions.common.messages import Message
from functions.rules.pacing import choose_poll_pause
from functions.rules.steps import Step, fail
from functions.rules.training_data import compute_digest
from functions.rules.trainings import (
    Deletion,
    SolutionState,
    StartTraining,
    StopTraining,
    TrainingProgress,
    TrainingSpec,
    decide,
    find_candidate,
)
from functions.rules.versions import SolutionVersion

MONTH_OLD = NOW - timedelta(days=30)

IMPORTED = job()


def present(*jobs, config="c"):
    """Return the digest of these imports, by default of the one import."""
    return compute_digest(jobs or (IMPORTED,), config)


def version(number=1, **fields):
    """Return a version of an earlier run that was trained on the present imports."""
    standard = {
        "arn": f"version-{number}",
        "is_running": False,
        "is_active": True,
        "created_at": NOW - 50 * HOUR + number * HOUR,
        "ended_at": NOW - 48 * HOUR + number * HOUR,
        "run_id": "earlier",
        "digest": present(),
    }

    return SolutionVersion(**{**standard, **fields})


def own(**fields):
    """Return the version of this run, which is in training for an hour."""
    standard = {"run_id": "this", "is_running": True, "is_active": False, "created_at": NOW - HOUR}
    return version(**{**standard, **fields})


DELETED = Deletion("forget", False, True, created_at=NOW - 2 * HOUR, ended_at=NOW - HOUR)
UPDATED = version(training_mode="UPDATE", created_at=NOW - MINUTE)


def decided(*versions, imports=(IMPORTED,), progress=None, updated=False, deletions=(), **fields):
    """Return the step of the rules for a solution with these versions."""
    state = SolutionState(
        config_hash="c",
        is_being_updated=updated,
        imports=imports,
        deletions=deletions,
        versions=versions,
    )
    standard = {"run_id": "this", "is_full_by_dataset_arn": {"items": True}, "max_hours": 24}
    spec = TrainingSpec(**{**standard, **fields})
    progress = progress or TrainingProgress(NOW - 3 * MINUTE)
    before = replace(progress)
    found = decide(state, spec, progress, NOW)
    assert progress == before, "rules only return steps"

    return found


def step(*versions, **fields):
    """Return the same step without what it remembers."""
    return decided(*versions, **fields)._replace(progress_changes={})


CREATE = Step("TRAINING", StartTraining(present()))
TRAINED = Step("TRAINED", outcome="TRAINED")
STOP = Step("STOPPING", StopTraining("version-1"), pause=15)
OTHER = version(digest="other")
STOPPED = {"is_running": False, "was_stopped": True}
FORCE = "retrain start --skip-import --force"
STOPPED_BEFORE = Message(
    text="version-1, which an earlier run has trained on the same data, was stopped; train again",
    command=FORCE,
)
STOPPED_NOW = Message(text="version-1 was stopped; train again", command=FORCE)
STOPPED_LATE = Message(
    text="version-1 was stopped after more than 1 hour; train again", command=FORCE
)
NO_REASON = "version-1 has failed, and Personalize gives no reason"
IN_TIME = {"ended_at": NOW - MINUTE, **STOPPED}


@pytest.mark.parametrize(
    "versions, fields, expected",
    [
        ([], {}, CREATE),
        ([version()], {}, TRAINED),
        ([OTHER], {}, CREATE),
        ([version(run_id=None)], {"existing_version_arn": "version-1"}, TRAINED),
        ([version(is_active=False)], {}, CREATE),
        ([version(is_active=False, was_stopped=True)], {}, fail("TRAINING", STOPPED_BEFORE)),
        ([version()], {"created_since": NOW}, CREATE),
        ([version()], {"created_since": version().created_at}, TRAINED),
        (
            [own(run_id="earlier")],
            {"durations": [6000]},
            Step("TRAINING", pause=choose_poll_pause([6000], 3600)),
        ),
        ([own()], {"durations": [90000], "max_hours": 2}, Step("TRAINING", pause=3600)),
        ([own()], {"max_hours": 1}, STOP),
        ([own(run_id="earlier")], {"max_hours": 1}, STOP),
        ([own(is_running=False, is_active=True, digest="other")], {}, TRAINED),
        ([own(is_running=False, failure="no")], {}, fail("TRAINING", "no")),
        ([own(is_running=False)], {}, fail("TRAINING", NO_REASON)),
        ([own(**IN_TIME)], {"max_hours": 1}, fail("TRAINING", STOPPED_NOW)),
        (
            [own(ended_at=NOW, **STOPPED)],
            {"max_hours": 1},
            fail("TRAINING", STOPPED_LATE),
        ),
        ([own(is_stopping=True)], {}, Step("STOPPING", pause=15)),
    ],
)
def test_the_present_data_are_learned_once(versions, fields, expected):
    assert step(*versions, **fields) == expected
    followed = None if expected == CREATE else "version-1"
    assert decided(*versions, **fields).progress_changes.get("version_arn") == followed


def test_the_newest_version_is_used():
    assert decided(version(2), version()) == TRAINED.with_progress(version_arn="version-2")


def test_runs_deploy_the_newest_version_of_a_run_unless_personalize_trains():
    foreign = version(3, run_id=None)
    versions = [own(), foreign, version(2), version()]
    assert find_candidate(versions, "pipeline") == version(2)
    assert find_candidate(versions, "personalize") == foreign


LIMITED = Message(
    text=(
        "trainings of this pipeline within 30 days: 1, and limits.maxTrainingsPerMonth is 1; wait "
        "some days, raise the limit, or train beyond it"
    ),
    command=FORCE,
)


@pytest.mark.parametrize(
    "versions, is_limited",
    [
        ([OTHER], True),
        ([OTHER._replace(is_active=False, was_stopped=True)], True),
        ([OTHER._replace(created_at=MONTH_OLD + MINUTE)], True),
        ([OTHER._replace(created_at=MONTH_OLD)], False),
        ([OTHER._replace(is_active=False)], False),
        ([OTHER._replace(run_id=None)], False),
    ],
)
def test_the_limit_of_the_month_counts_the_trainings_that_are_paid_for(versions, is_limited):
    limited = Step("LIMITED", outcome="SKIPPED", reasons=(LIMITED,))
    assert step(*versions, max_trainings_per_month=1) == (limited if is_limited else CREATE)
    assert step(*versions, max_trainings_per_month=2) == CREATE
    assert step(version(), *versions, max_trainings_per_month=1) == TRAINED, (
        "it is trained on the present data"
    )
    assert step(own(), *versions, max_trainings_per_month=1).phase == "TRAINING", "it has begun"


FOREIGN = job(9, run_id=None, is_confirmed=False)
REPLACED = fail(
    "CHECKING",
    Message(
        text=(
            "job-9, which this pipeline did not start, is the newest FULL import of its dataset; "
            "let the next run import the export, or train on this data"
        ),
        command="retrain start --skip-import",
    ),
)
PARTIAL_MESSAGE = Message(
    text=(
        "job-2 may have imported only a part of its export, because no run has found the export "
        "unchanged after the import; let another run compare them"
    ),
    command="retrain start",
)
PARTIAL = fail("CHECKING", PARTIAL_MESSAGE)
PARTIAL_OF_DAY = fail(
    "CHECKING",
    Message(
        text=PARTIAL_MESSAGE["text"],
        command=f"retrain start --dataset items --export-date {IMPORTED.created_day}",
    ),
)
ADDED = {"is_full_by_dataset_arn": {"items": False}}
APPENDED = job(2, is_full=False, is_confirmed=False)
UNCONFIRMED = PARTIAL
FULL_NEEDED = fail(
    "CHECKING",
    "job-2 may have imported other rows than its export has; to replace them, import a complete "
    'export with importMode FULL ("Replace bad data" in docs/emergencies.md)',
)
TAINTED = APPENDED._replace(is_tainted=True)


@pytest.mark.parametrize(
    "imports, fields, expected",
    [
        ([job(), FOREIGN], {}, REPLACED),
        ([job(), FOREIGN], {"accepts_foreign_data": True}, None),
        ([job(), FOREIGN], ADDED, REPLACED),
        ([FOREIGN], ADDED, None),
        ([job(), FOREIGN, job(10, is_full=False)], ADDED, None),
        ([job(), FOREIGN._replace(is_full=False)], {}, None),
        ([FOREIGN._replace(dataset_arn="users", is_full=False)], {}, None),
        ([job(), job(2, is_confirmed=False)], {}, PARTIAL),
        ([job(), job(2, is_confirmed=False)], {"accepts_foreign_data": True}, PARTIAL),
        ([job(), job(2, is_confirmed=False)], {"daily_types": {"items": "items"}}, PARTIAL_OF_DAY),
        ([job(), APPENDED], {}, PARTIAL),
        ([job(), APPENDED], ADDED, UNCONFIRMED),
        ([job(), APPENDED, job(3, is_full=False)], ADDED, UNCONFIRMED),
        ([job(), APPENDED, FOREIGN], {**ADDED, "accepts_foreign_data": True}, None),
        ([job(2, is_confirmed=False), job(3, is_full=False)], ADDED, FULL_NEEDED),
        ([job(), TAINTED, job(3, is_full=False)], ADDED, FULL_NEEDED),
        ([job(), TAINTED, FOREIGN], {**ADDED, "accepts_foreign_data": True}, FULL_NEEDED),
        ([job(), TAINTED], {}, PARTIAL),
        ([job(), TAINTED, job(3)], ADDED, None),
    ],
)
def test_only_data_that_a_run_has_checked_are_learned(imports, fields, expected):
    create = Step("TRAINING", StartTraining(present(*imports)))
    assert step(imports=imports, **fields) == (expected or create)


def test_foreign_data_that_a_person_has_accepted_are_named():
    create = decided(imports=[job(), FOREIGN], accepts_foreign_data=True)
    assert isinstance(create.action, StartTraining)
    (warning,) = create.progress_changes["warnings"]

    assert warning.startswith("job-9, an import that this pipeline did not start, has changed")


def test_what_is_foreign_is_named_and_neither_used_nor_stopped():
    foreign = own(run_id=None, arn="foreign")
    imports = [
        job(),
        FOREIGN._replace(is_full=False),
        FOREIGN._replace(dataset_arn="users", is_full=False),
    ]
    versions = [foreign, foreign._replace(is_stopping=True), version(run_id=None)]
    create = decided(*versions, imports=imports, max_hours=1)
    assert isinstance(create.action, StartTraining)
    training, addition = create.progress_changes["warnings"]

    assert training == (
        "foreign is in training too, but this pipeline did not start it; stop it if nobody needs it"
    )
    assert addition == (
        "job-9, an import that this pipeline did not start, has changed the data that the version "
        "is trained on; find out who started it"
    )


RUNNING = job(2, is_running=True, is_active=False)


@pytest.mark.parametrize(
    "fields, progress, reason",
    [
        ({"imports": [IMPORTED, RUNNING]}, {}, "job-2 is running"),
        ({"updated": True}, {}, "the solution is being updated"),
        ({"deletions": [DELETED, DELETED._replace(is_running=True)]}, {}, "forget is running"),
        ({}, {"delayed_by": "the quota is used up"}, "the quota is used up"),
        ({}, {}, "Personalize did not answer"),
    ],
)
def test_a_training_waits_until_nothing_moves_and_no_longer_than_its_limit(
    fields, progress, reason
):
    late = TrainingProgress(NOW - 24 * HOUR, **progress)
    assert step(progress=late, **fields) == fail("WAITING", f"gave up after 24 hours: {reason}")
    for hours, seconds in ((0, 60), (1, 360), (23, 1800)):
        waits = Step("WAITING", pause=seconds) if fields else CREATE
        assert step(progress=TrainingProgress(NOW - hours * HOUR, **progress), **fields) == waits

    assert step(own(), progress=late, **fields).phase == "TRAINING", "its training has begun"


def test_a_create_without_an_answer_is_not_repeated_at_once():
    assert step(progress=TrainingProgress(NOW, sent_at=NOW - 2 * MINUTE)) == Step(
        "WAITING", pause=60
    )
    assert step(progress=TrainingProgress(NOW, sent_at=NOW - 3 * MINUTE)) == CREATE


@pytest.mark.parametrize("fields", [{}, {"is_stopping": True}])
def test_a_late_training_is_stopped_and_looked_at_for_an_hour(fields):
    first = decided(own(**fields), max_hours=1)
    stopping = STOP._replace(action=None) if fields else STOP
    assert first == stopping.with_progress(stopping_since=NOW, version_arn="version-1")

    progress = TrainingProgress(NOW, stopping_since=NOW - 59 * MINUTE)
    assert step(own(**fields), max_hours=1, progress=progress) == stopping
    progress = TrainingProgress(NOW, stopping_since=NOW - HOUR)
    expected = fail("STOPPING", "version-1 did not stop within an hour")
    assert step(own(**fields), max_hours=1, progress=progress) == expected


def test_the_digest_changes_with_each_import_and_with_the_configuration():
    digests = [
        present(),
        present(job(2)),
        present(IMPORTED, job(2, is_full=False)),
        present(IMPORTED, job(3, dataset_arn="users")),
        present(config="d"),
    ]

    assert len(set(digests)) == len(digests)
    assert present(job(2), IMPORTED) == present(job(2)), "the older FULL import is replaced"
    assert present(IMPORTED, RUNNING) == present()


@pytest.mark.parametrize(
    "deletions, versions, expected",
    [
        ([DELETED], [version()], CREATE),
        ([DELETED], [version(created_at=NOW - 1.5 * HOUR)], CREATE),
        ([DELETED], [version(created_at=NOW - HOUR)], TRAINED),
        ([DELETED, DELETED._replace(ended_at=NOW)], [version(created_at=NOW - HOUR)], CREATE),
        ([DELETED._replace(ended_at=NOW), DELETED], [version(created_at=NOW - HOUR)], CREATE),
        ([DELETED._replace(has_completed=False)], [version()], TRAINED),
        ([DELETED], [version(is_active=False, was_stopped=True)], CREATE),
        ([DELETED], [own(is_running=False, is_active=True)], TRAINED),
        ([DELETED], [own(run_id="earlier", created_at=NOW - 2 * HOUR)], CREATE),
        ([DELETED], [UPDATED, version()], CREATE),
        ([DELETED], [UPDATED, version(created_at=NOW - HOUR), version()], TRAINED),
        ([DELETED], [UPDATED, version(created_at=NOW - HOUR, is_active=False), version()], CREATE),
        ([DELETED], [version(created_at=NOW, digest="other"), UPDATED, version()], CREATE),
    ],
    ids=[
        "trained before",
        "trained meanwhile",
        "trained afterwards",
        "a second job",
        "unsorted",
        "the job has failed",
        "stopped before",
        "of this run",
        "in training since before",
        "updates an older version",
        "updates a younger version",
        "updates an older version than a failed one",
        "is older than a FULL version",
    ],
)
def test_a_version_that_may_have_learned_deleted_users_is_trained_again(
    deletions, versions, expected
):
    assert step(*versions, deletions=deletions) == expected
