"""Tests of trainings: how one is polled, judged and stopped, and which versions a run has.

How a training is created, and which version is used instead, is tested with whole runs
(`tests/workflow/test_only_what_is_new.py`).
"""

import pytest
from botocore.exceptions import ClientError

from functions.personalize.tags import api_tags
from functions.personalize.trainings import stop_solution_version, watch_solution_version
from functions.personalize.versions import version_created_at, versions_of_run
from tests.functions.samples import (
    FOREIGN_VERSION,
    NOW,
    OTHER_SOLUTION,
    RUN_ID,
    SOLUTION,
    VERSION,
    ago,
    ended_job,
    iso,
    job,
    limits,
    planned_solution,
    run,
    settings,
    solution_settings,
    version,
    version_summary,
)

FOREIGN_JOB = job(FOREIGN_VERSION, foreign=True)
DIGEST = f"{'0' * 24}-{'0' * 8}"
RECORDED = {"retraining-digest": DIGEST, "retraining-mixed": "false"}


def expect_list(personalize, *summaries, solution=SOLUTION):
    personalize.expect(
        "list_solution_versions",
        {"solutionVersions": list(summaries)},
        solutionArn=solution,
        maxResults=100,
    )


def expect_description(personalize, **changes):
    described = version(**changes)
    personalize.expect(
        "describe_solution_version",
        {"solutionVersion": described},
        solutionVersionArn=described["solutionVersionArn"],
    )


def expect_tags(personalize, tags, arn=VERSION):
    personalize.expect("list_tags_for_resource", {"tags": api_tags(tags)}, resourceArn=arn)


# A training is polled


def watch(personalize, version_job, **changes):
    """Poll the version once, with a deadline of three hours."""
    expect_description(personalize, solutionVersionArn=version_job["arn"], **changes)
    if changes.get("status") == "ACTIVE":
        expect_tags(personalize, RECORDED, version_job["arn"])
    planned, settings_ = planned_solution(durations=[7200]), limits(maxTrainingHours=3)
    return watch_solution_version(
        personalize.client, settings_, run(), planned, known_imports={}, training=version_job
    )


def test_a_running_training_has_the_seconds_until_the_next_poll(personalize):
    assert watch(personalize, job()) == job(seconds=900)


def test_a_foreign_training_stays_foreign(personalize):
    polled = watch(personalize, FOREIGN_JOB, status="ACTIVE")
    assert polled == ended_job(FOREIGN_VERSION, foreign=True)


UNKNOWN_STATUS = "the status 'CREATE PAUSED' is unknown and counts as running"
OTHER_WARNING = "x is in training too"


def test_a_training_keeps_its_warnings_once_each(personalize):
    before = job(warnings=[OTHER_WARNING, UNKNOWN_STATUS])
    polled = watch(personalize, before, status="CREATE PAUSED")
    assert polled["warnings"] == [UNKNOWN_STATUS, OTHER_WARNING]


def test_a_training_past_its_deadline_is_overdue(personalize):
    polled = watch(personalize, job(), creationDateTime=ago(3))
    failure = "still CREATE IN_PROGRESS after 3 hours"
    assert polled == job(phase="OVERDUE", failure=failure, createdAt=iso(3))


# A training is stopped

LATE = "still CREATE IN_PROGRESS after 24 hours"
OVERDUE = job(phase="OVERDUE", failure=LATE, createdAt=iso(24), warnings=[OTHER_WARNING])
STOPPING = {**OVERDUE, "phase": "UNDER_WAY", "seconds": 30, "stopRequestedAt": NOW.isoformat()}


def test_an_overdue_training_is_stopped(personalize):
    expect_description(personalize)
    personalize.expect("stop_solution_version_creation", {}, solutionVersionArn=VERSION)
    assert stop_solution_version(personalize.client, OVERDUE) == STOPPING


def test_a_training_that_is_stopping_is_not_stopped_again(personalize):
    expect_description(personalize, status="CREATE STOPPING")
    assert stop_solution_version(personalize.client, OVERDUE) == STOPPING


def test_a_foreign_training_is_never_stopped(personalize):
    expect_description(personalize, solutionVersionArn=FOREIGN_VERSION)
    overdue = {**OVERDUE, "arn": FOREIGN_VERSION, "foreign": True}
    assert stop_solution_version(personalize.client, overdue) == {**overdue, "phase": "ENDED"}


@pytest.mark.parametrize("foreign", [True, False])
def test_a_training_that_succeeded_before_the_stop_is_used(personalize, foreign):
    expect_description(personalize, status="ACTIVE")
    stopped = stop_solution_version(personalize.client, {**OVERDUE, "foreign": foreign})
    assert stopped == ended_job(phase="NEAR", foreign=foreign, warnings=[OTHER_WARNING]), (
        "so that it is judged"
    )


@pytest.mark.parametrize("code", ["InvalidInputException", "ResourceInUseException"])
def test_a_training_that_ended_right_before_the_stop_is_polled_again(personalize, code):
    expect_description(personalize)
    request = {"solutionVersionArn": VERSION}
    personalize.expect_error("stop_solution_version_creation", code, **request)
    assert stop_solution_version(personalize.client, OVERDUE) == STOPPING


def test_any_other_error_of_the_stop_is_raised(personalize):
    expect_description(personalize)
    operation, request = "stop_solution_version_creation", {"solutionVersionArn": VERSION}
    personalize.expect_error(operation, "AccessDeniedException", "no", **request)
    with pytest.raises(ClientError, match="no"):
        stop_solution_version(personalize.client, OVERDUE)


def after_stop(personalize, hours=0, **changes):
    """Poll a training that was asked to stop these hours ago."""
    stopping = {**STOPPING, "stopRequestedAt": iso(hours)}
    return watch(personalize, stopping, creationDateTime=ago(24), **changes)


def test_a_training_that_was_stopped_has_ended_with_the_reason(personalize):
    assert after_stop(personalize, status="CREATE STOPPED") == {
        **OVERDUE,
        "phase": "ENDED",
        "status": "CREATE STOPPED",
        "failure": f"{LATE}, so it was stopped",
        "stopRequestedAt": NOW.isoformat(),
        "endedAt": iso(0.5),
    }


def test_a_training_that_succeeded_in_spite_of_the_stop_is_used(personalize):
    polled = after_stop(personalize, status="ACTIVE")
    assert (polled["phase"], polled["failure"]) == ("ACTIVE", None)


def test_a_training_that_is_stopping_keeps_its_warnings(personalize):
    polled = after_stop(personalize, status="CREATE PAUSED")
    assert polled["warnings"] == [UNKNOWN_STATUS, OTHER_WARNING]


def test_a_training_has_an_hour_to_stop(personalize):
    polled = after_stop(personalize, hours=1, status="CREATE STOPPING")
    assert polled == {**STOPPING, "status": "CREATE STOPPING", "stopRequestedAt": iso(1)}, (
        "the deadline of the training has passed already and does not count again"
    )


def test_a_training_that_does_not_stop_is_given_up(personalize):
    hours = 1 + 1 / 3600
    assert after_stop(personalize, hours=hours, status="CREATE STOPPING") == {
        **OVERDUE,
        "phase": "ENDED",
        "status": "CREATE STOPPING",
        "failure": f"{LATE}, and did not stop within an hour",
        "stopRequestedAt": iso(hours),
    }


# The versions of an execution


def test_only_the_versions_of_the_execution_are_found(personalize):
    running = {"status": "CREATE IN_PROGRESS"}
    tags = {
        f"{SOLUTION}/own": {"retraining-run": RUN_ID},
        f"{SOLUTION}/adopted": {"retraining-run": RUN_ID, "retraining-adopted-as": "x"},
        f"{SOLUTION}/other-run": {"retraining-run": "20261122T030000Z"},
        f"{SOLUTION}/ended": {"retraining-run": RUN_ID},
        f"{OTHER_SOLUTION}/second": {"retraining-run": RUN_ID},
    }
    expect_list(
        personalize,
        *(
            version_summary(solutionVersionArn=arn, creationDateTime=ago(hours), **running)
            for hours, arn in enumerate(list(tags)[:3], start=1)
        ),
        version_summary(solutionVersionArn=f"{SOLUTION}/ended", creationDateTime=ago(5)),
        version_summary(creationDateTime=ago(5, seconds=1)),
        version_summary(solutionVersionArn=f"{SOLUTION}/later", creationDateTime=NOW, **running),
    )
    second = {"solutionVersionArn": f"{OTHER_SOLUTION}/second", "status": "CREATE STOPPING"}
    expect_list(
        personalize,
        version_summary(creationDateTime=ago(1), **second),
        solution=OTHER_SOLUTION,
    )
    for arn, tags_of_version in tags.items():
        expect_tags(personalize, tags_of_version, arn)
        if tags_of_version == {"retraining-run": RUN_ID}:
            expect_description(personalize, solutionVersionArn=arn)
    both = [solution_settings(), solution_settings(solutionArn=OTHER_SOLUTION)]
    found = versions_of_run(
        personalize.client, settings(solutions=both), run(startedAt=iso(5)), NOW
    )
    assert [each["solutionVersionArn"] for each in found] == [
        f"{SOLUTION}/own",
        f"{SOLUTION}/ended",
        f"{OTHER_SOLUTION}/second",
    ], "running or created in this execution, in every attempt"


# Single versions


def test_the_creation_time_of_a_version_is_read(personalize):
    expect_description(personalize)
    assert version_created_at(personalize.client, VERSION) == ago(1)
