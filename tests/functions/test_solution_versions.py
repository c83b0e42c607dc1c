"""Tests of solution versions: when one is trained or adopted, and how a training is stopped."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from functions.errors import NameTaken, ServiceUnavailable, Throttled
from functions.personalize import versions
from functions.personalize.jobs import created_job
from functions.personalize.versions import (
    create_solution_version,
    is_latest,
    stop_solution_version,
    version_created_at,
    versions_of_run,
    watch_solution_version,
)
from tests.functions.samples import (
    EXECUTION,
    FOREIGN_VERSION,
    IMPORT_JOB,
    NOW,
    OLD_VERSION,
    OTHER_SOLUTION,
    PREFIX,
    RUN_ID,
    SOLUTION,
    VERSION,
    VERSION_NAME,
    VERSION_TAGS,
    ago,
    dataset_result,
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

CREATE = {
    "name": VERSION_NAME,
    "solutionArn": SOLUTION,
    "trainingMode": "FULL",
    "tags": VERSION_TAGS,
}
ADOPTED = job(createdAt=iso(1))
"""The job of the version with the planned name, which has been in training for an hour."""
OWN = version_summary(solutionVersionArn=VERSION, creationDateTime=ago(1))


def expect_list(personalize, *summaries, solution=SOLUTION):
    personalize.expect(
        "list_solution_versions", {"solutionVersions": list(summaries)}, solutionArn=solution
    )


def expect_description(personalize, *, without=(), **changes):
    """Expect a version to be described. `without` names fields that the response lacks."""
    described = version(**changes)
    for field in without:
        del described[field]
    arn = described["solutionVersionArn"]
    personalize.expect(
        "describe_solution_version", {"solutionVersion": described}, solutionVersionArn=arn
    )


def expect_create(personalize, **changes):
    personalize.expect(
        "create_solution_version", {"solutionVersionArn": VERSION}, **{**CREATE, **changes}
    )


@pytest.fixture(autouse=True)
def older(monkeypatch):
    """Replace the search for an older run. It has tests of its own."""
    arguments, found = [], []

    def older_run(client, run_):
        arguments.append((client, run_))
        return found[0] if found else None

    monkeypatch.setattr(versions, "older_run", older_run)
    monkeypatch.setattr(versions.aws, "stepfunctions", lambda: "executions")
    return SimpleNamespace(arguments=arguments, found=found)


@pytest.fixture
def started(clock):
    """Return the job of a training that was started now."""
    del clock
    return created_job(VERSION, [7200])


def create(personalize, imports=(), **changes):
    """Create a version in a run that started five hours ago, long after the last import."""
    planned = planned_solution(**{"dataAsOf": iso(50), **changes})
    return create_solution_version(
        personalize.client, settings(), run(startedAt=iso(5)), planned, imports
    )


def imported(**changes):
    """Return the result of an import that succeeded."""
    return dataset_result(job=ended_job(IMPORT_JOB, **changes))


# A training is started


@pytest.mark.parametrize("mode", ["FULL", "UPDATE"])
def test_a_training_is_started_as_planned(personalize, started, mode):
    expect_list(personalize, version_summary())
    expect_create(personalize, trainingMode=mode)
    assert create(personalize, trainingMode=mode) == started


def test_a_tag_of_the_stack_does_not_replace_the_tag_of_the_run(personalize):
    expect_list(personalize)
    tags = [{"tagKey": "retraining-run", "tagValue": RUN_ID}]
    expect_create(personalize, tags=tags)
    settings_ = settings(tags={"retraining-run": "x"})
    create_solution_version(personalize.client, settings_, run(), planned_solution(), ())


def test_versions_that_ended_before_the_run_are_not_described(personalize, started):
    expect_list(personalize, version_summary(creationDateTime=ago(5, seconds=1)))
    expect_create(personalize)
    assert create(personalize) == started


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ThrottlingException", Throttled), ("LimitExceededException", ClientError)],
)
def test_any_other_error_of_the_create_is_raised(personalize, code, expected):
    expect_list(personalize)
    personalize.expect_error("create_solution_version", code, "no", **CREATE)
    with pytest.raises(expected, match="no"):
        create(personalize)


# The version with the planned name


def test_the_version_of_a_previous_try_is_adopted_by_its_name(personalize):
    expect_list(personalize, version_summary(), {**OWN, "status": "CREATE IN_PROGRESS"})
    expect_description(personalize)
    assert create(personalize) == ADOPTED


def test_a_version_of_this_run_that_has_failed_is_adopted_too(personalize):
    """The response to the create may have come late, and the training may have failed at once."""
    expect_list(personalize, {**OWN, "status": "CREATE FAILED", "creationDateTime": ago(5)})
    expect_description(personalize, status="CREATE FAILED", failureReason="too few users")
    assert create(personalize) == ended_job(
        phase="ENDED", status="CREATE FAILED", failure="too few users"
    )


@pytest.mark.parametrize(
    ("difference", "message"),
    [
        ({"solutionArn": OTHER_SOLUTION}, f"solutionArn {OTHER_SOLUTION} instead of {SOLUTION}"),
        ({"trainingMode": "UPDATE"}, "trainingMode UPDATE instead of FULL"),
    ],
    ids=str,
)
def test_another_version_with_the_planned_name_is_an_error(personalize, difference, message):
    expect_list(personalize, OWN)
    expect_description(personalize, **difference)
    with pytest.raises(NameTaken) as error:
        create(personalize)
    assert str(error.value) == (
        f"{VERSION} cannot be used as {VERSION_NAME}, because it has {message}; start a new run, "
        "or set the config back and resume this run"
    )


@pytest.mark.parametrize(
    "described", [{"trainingMode": "AUTOTRAIN"}, {"without": ["trainingMode"]}], ids=str
)
def test_a_version_with_another_mode_or_none_counts_as_full(personalize, described):
    expect_list(personalize, OWN)
    expect_description(personalize, **described)
    assert create(personalize) == ADOPTED


def test_the_own_version_counts_before_a_newer_foreign_one(personalize):
    running = {"status": "CREATE IN_PROGRESS"}
    expect_list(
        personalize,
        {**OWN, **running, "creationDateTime": ago(2)},
        version_summary(solutionVersionArn=FOREIGN_VERSION, creationDateTime=ago(1), **running),
    )
    expect_description(personalize, solutionVersionArn=FOREIGN_VERSION, name="by-hand")
    expect_description(personalize, creationDateTime=ago(2))
    assert create(personalize) == job(createdAt=iso(2))


@pytest.mark.parametrize(
    ("started_hours", "scheduled_hours", "found"),
    [(1, 5, True), (5, 1, True), (1, None, False)],
    ids=str,
)
def test_an_earlier_execution_may_have_run_for_the_same_scheduled_time(
    personalize, started_hours, scheduled_hours, found
):
    expect_list(personalize, {**OWN, "status": "CREATE FAILED", "creationDateTime": ago(3)})
    if found:
        expect_description(personalize, status="CREATE FAILED", creationDateTime=ago(3))
    else:
        expect_create(personalize)
    request = {"scheduledTime": iso(scheduled_hours)} if scheduled_hours else {}
    run_ = run(request, startedAt=iso(started_hours))
    created = create_solution_version(personalize.client, settings(), run_, planned_solution(), ())
    assert created["phase"] == ("ENDED" if found else "UNDER_WAY")


# A name that exists already


def test_if_names_are_unique_the_version_with_the_planned_name_is_searched_again(personalize):
    expect_list(personalize)
    personalize.expect_error("create_solution_version", "ResourceAlreadyExistsException", **CREATE)
    expect_list(personalize, OWN)
    expect_description(personalize)
    assert create(personalize) == ADOPTED


def test_a_version_from_before_the_run_may_have_the_planned_name(personalize):
    expect_list(personalize)
    personalize.expect_error("create_solution_version", "ResourceAlreadyExistsException", **CREATE)
    expect_list(personalize, {**OWN, "creationDateTime": ago(500)})
    expect_description(personalize, status="ACTIVE")
    assert create(personalize) == ended_job()


def test_a_version_that_exists_and_is_not_listed_yet_is_searched_later(personalize):
    expect_list(personalize)
    personalize.expect_error(
        "create_solution_version", "ResourceAlreadyExistsException", "it exists", **CREATE
    )
    expect_list(personalize)
    with pytest.raises(
        ServiceUnavailable, match=f"^Personalize answers that {VERSION_NAME} exists, but"
    ):
        create(personalize)


# A foreign training


def expect_foreign_training(personalize, arn=FOREIGN_VERSION, *, without=(), **changes):
    """Expect a foreign version without a name, which has been in training for an hour."""
    summary = version_summary(
        solutionVersionArn=arn, status="CREATE IN_PROGRESS", creationDateTime=ago(1)
    )
    expect_list(personalize, {**summary, **changes})
    expect_description(personalize, without=["name", *without], solutionVersionArn=arn, **changes)


ADOPTED_AS = [{"tagKey": "retraining-adopted-as", "tagValue": VERSION_NAME}]


def expect_adoption(personalize):
    """Expect the tag by which a resumed run finds the foreign version."""
    personalize.expect("tag_resource", {}, resourceArn=FOREIGN_VERSION, tags=ADOPTED_AS)


FOREIGN_JOB = job(FOREIGN_VERSION, foreign=True)


def test_a_foreign_training_that_started_after_the_last_import_is_adopted(personalize):
    expect_foreign_training(personalize)
    expect_adoption(personalize)
    imports = [imported(endedAt=iso(3)), imported(endedAt=iso(1, seconds=1))]
    assert create(personalize, imports) == FOREIGN_JOB


@pytest.mark.parametrize("code", ["ResourceInUseException", "TooManyTagsException"])
def test_a_foreign_training_that_takes_no_tag_is_adopted_too(personalize, code):
    expect_foreign_training(personalize)
    personalize.expect_error("tag_resource", code, resourceArn=FOREIGN_VERSION, tags=ADOPTED_AS)
    assert create(personalize, [imported(endedAt=iso(3))]) == FOREIGN_JOB


@pytest.mark.parametrize("ended", [iso(1), iso(0.5)])
def test_a_run_trains_its_own_version_if_the_foreign_one_lacks_data(personalize, started, ended):
    expect_foreign_training(personalize)
    expect_create(personalize)
    created = create(personalize, [imported(endedAt=ended), imported(endedAt=iso(3))])
    warning = (
        f"{FOREIGN_VERSION} is in training too, but this pipeline did not start it; stop it if "
        "nobody needs it"
    )
    assert created == {**started, "warnings": [warning]}


def test_an_import_that_was_not_started_does_not_count(personalize):
    expect_foreign_training(personalize)
    expect_adoption(personalize)
    imports = [dataset_result(job=None), imported(endedAt=iso(2))]
    assert create(personalize, imports) == FOREIGN_JOB


@pytest.mark.parametrize(
    ("data_as_of", "created", "adopted"),
    [(iso(2), 1, True), (iso(0.5), 1, False), (None, 1, True), (None, 6, False)],
    ids=str,
)
def test_without_an_import_the_data_are_as_of_the_last_import_or_the_start_of_the_run(
    personalize, data_as_of, created, adopted
):
    expect_foreign_training(personalize, creationDateTime=ago(created))
    if adopted:
        expect_adoption(personalize)
    else:
        expect_create(personalize)
    assert create(personalize, dataAsOf=data_as_of)["foreign"] == adopted


@pytest.mark.parametrize(
    ("foreign_mode", "planned_mode", "adopted"),
    [
        ("UPDATE", "FULL", False),
        ("UPDATE", "UPDATE", True),
        ("FULL", "UPDATE", True),
        ("FULL", "FULL", True),
    ],
)
def test_a_foreign_update_is_not_adopted_instead_of_a_full_training(
    personalize, foreign_mode, planned_mode, adopted
):
    expect_foreign_training(personalize, trainingMode=foreign_mode)
    if adopted:
        expect_adoption(personalize)
    else:
        expect_create(personalize, trainingMode=planned_mode)
    created = create(personalize, trainingMode=planned_mode)
    assert created["arn"] == (FOREIGN_VERSION if adopted else VERSION)
    assert created["foreign"] == adopted


def test_a_foreign_training_without_a_mode_counts_as_full(personalize):
    expect_foreign_training(personalize, without=["trainingMode"])
    expect_adoption(personalize)
    assert create(personalize) == FOREIGN_JOB


def test_a_foreign_training_that_is_stopping_is_ignored(personalize, started):
    expect_foreign_training(personalize, status="CREATE STOPPING")
    expect_create(personalize)
    assert create(personalize) == started


def test_a_foreign_version_that_ended_during_the_run_is_ignored(personalize, started):
    ended = {"solutionVersionArn": FOREIGN_VERSION, "creationDateTime": ago(1)}
    expect_list(personalize, version_summary(**ended))
    expect_description(personalize, name="by-hand", status="ACTIVE", **ended)
    expect_create(personalize)
    assert create(personalize) == started


# An existing version


def test_an_existing_version_is_used_without_a_list(personalize):
    expect_description(personalize, solutionVersionArn=OLD_VERSION, status="ACTIVE")
    assert create(personalize, existingVersionArn=OLD_VERSION) == ended_job(OLD_VERSION)


@pytest.mark.parametrize("foreign", [True, False])
@pytest.mark.parametrize("name", ["by-hand", VERSION_NAME, f"ffffffff{VERSION_NAME[8:]}"])
def test_the_plan_decides_whether_an_existing_version_is_foreign(personalize, name, foreign):
    expect_description(personalize, solutionVersionArn=FOREIGN_VERSION, name=name)
    existing = {
        "existingVersionArn": FOREIGN_VERSION,
        "existingVersionIsForeign": foreign,
    }
    assert create(personalize, **existing) == {**FOREIGN_JOB, "foreign": foreign}


# An older run


def test_nothing_is_trained_while_an_older_run_is_running(personalize, older):
    """The list of executions may not have contained the older run when this run was planned."""
    older.found.append(EXECUTION)
    expect_list(personalize)
    assert create(personalize) == {
        "arn": SOLUTION,
        "phase": "SKIPPED",
        "seconds": 0,
        "status": "SKIPPED",
        "failure": f"{EXECUTION}, an older run, is still running; wait until it has ended, or "
        "stop it",
        "warnings": [],
        "foreign": False,
    }
    assert older.arguments == [("executions", run(startedAt=iso(5)))]


def test_the_own_version_is_adopted_while_an_older_run_is_running(personalize, older):
    older.found.append(EXECUTION)
    expect_list(personalize, OWN)
    expect_description(personalize)
    assert create(personalize) == ADOPTED, "the training has started already"


def test_a_foreign_training_is_adopted_while_an_older_run_is_running(personalize, older):
    older.found.append(EXECUTION)
    expect_foreign_training(personalize)
    expect_adoption(personalize)
    assert create(personalize, [imported(endedAt=iso(2))]) == FOREIGN_JOB, "this costs nothing"


# A training is polled


def watch(personalize, version_job, **changes):
    """Poll the version once, with a deadline of three hours."""
    expect_description(personalize, solutionVersionArn=version_job["arn"], **changes)
    planned, settings_ = planned_solution(durations=[7200]), limits(maxTrainingHours=3)
    return watch_solution_version(personalize.client, settings_, planned, version_job)


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
    assert stopped == ended_job(foreign=foreign, warnings=[OTHER_WARNING])


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
    names = {
        f"{SOLUTION}/own": VERSION_NAME,
        f"{SOLUTION}/foreign": "by-hand",
        f"{SOLUTION}/other-run": f"{PREFIX}-20261122T030000Z-0b519087-1",
        f"{SOLUTION}/other-stack": f"ffffffff-{RUN_ID}-0b519087-1",
    }
    expect_list(
        personalize,
        *(
            version_summary(solutionVersionArn=arn, creationDateTime=ago(hours), **running)
            for hours, arn in enumerate(names, start=1)
        ),
        version_summary(solutionVersionArn=f"{SOLUTION}/ended", creationDateTime=ago(5)),
        version_summary(creationDateTime=ago(5, seconds=1)),
        version_summary(solutionVersionArn=f"{SOLUTION}/later", creationDateTime=NOW, **running),
    )
    for arn, name in names.items():
        expect_description(personalize, solutionVersionArn=arn, name=name)
    expect_description(personalize, solutionVersionArn=f"{SOLUTION}/ended", status="ACTIVE")
    second = {"solutionVersionArn": f"{OTHER_SOLUTION}/second", "status": "CREATE STOPPING"}
    nameless = {"solutionVersionArn": f"{OTHER_SOLUTION}/nameless", **running}
    expect_list(
        personalize,
        version_summary(creationDateTime=ago(1), **second),
        version_summary(creationDateTime=ago(2), **nameless),
        solution=OTHER_SOLUTION,
    )
    expect_description(personalize, name=f"{VERSION_NAME[:-1]}2", **second)
    expect_description(personalize, without=["name"], **nameless)
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


def test_only_the_arn_of_the_newest_version_is_latest():
    assert is_latest(f"{SOLUTION}/$LATEST")
    assert not is_latest(VERSION)
