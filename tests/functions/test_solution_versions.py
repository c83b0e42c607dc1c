"""Solution versions: trained, adopted, watched, stopped."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from functions.errors import NameTaken, ServiceUnavailable, Throttled
from functions.personalize import versions
from functions.personalize.versions import (
    create_solution_version,
    stop_solution_version,
    versions_of_execution,
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
STARTED = {
    "arn": VERSION,
    "phase": "UNDER_WAY",
    "seconds": 900,
    "status": "CREATE PENDING",
    "failure": None,
    "warnings": [],
    "foreign": False,
    "createdAt": NOW.isoformat(),
}
FOUND = job(createdAt=iso(1))


def lists(personalize, *summaries, solution=SOLUTION):
    personalize.says(
        "list_solution_versions", {"solutionVersions": list(summaries)}, solutionArn=solution
    )


def describes(personalize, **changes):
    described = version(**changes)
    arn = described["solutionVersionArn"]
    personalize.says(
        "describe_solution_version", {"solutionVersion": described}, solutionVersionArn=arn
    )


def creates(personalize, **changes):
    personalize.says(
        "create_solution_version", {"solutionVersionArn": VERSION}, **{**CREATE, **changes}
    )


@pytest.fixture(autouse=True)
def older(monkeypatch):
    """Whether an older run is under way is asked of the list of executions, tried elsewhere."""
    asked, found = [], []

    def older_run(client, run_):
        asked.append((client, run_))
        return found[0] if found else None

    monkeypatch.setattr(versions, "older_run", older_run)
    monkeypatch.setattr(versions.aws, "stepfunctions", lambda: "executions")
    return SimpleNamespace(asked=asked, found=found)


def create(personalize, imports=(), **changes):
    """Create in a run that began five hours ago and whose plan saw an import end then."""
    planned = planned_solution(**{"dataAsOf": iso(50), **changes})
    return create_solution_version(
        personalize.client, settings(), run(startedAt=iso(5)), planned, imports
    )


def imported(**changes):
    return dataset_result(job=ended_job(IMPORT_JOB, **changes))


# create


@pytest.mark.parametrize("mode", ["FULL", "UPDATE"])
def test_a_training_is_started_as_planned(personalize, mode):
    lists(personalize, version_summary())
    creates(personalize, trainingMode=mode)
    assert create(personalize, trainingMode=mode) == STARTED


def test_the_version_of_a_try_before_is_adopted_by_its_name(personalize):
    summary = version_summary(
        solutionVersionArn=VERSION, status="CREATE IN_PROGRESS", creationDateTime=ago(1)
    )
    lists(personalize, version_summary(), summary)
    describes(personalize)
    assert create(personalize) == FOUND


def test_a_version_of_this_run_that_has_ended_is_adopted_too(personalize):
    """A create may have been answered late, and the training may have failed at once."""
    summary = version_summary(
        solutionVersionArn=VERSION, status="CREATE FAILED", creationDateTime=ago(5)
    )
    lists(personalize, summary)
    describes(personalize, status="CREATE FAILED", failureReason="too few users")
    assert create(personalize) == ended_job(
        phase="ENDED", status="CREATE FAILED", failure="too few users"
    )


def test_versions_that_ended_before_the_run_are_not_even_described(personalize):
    lists(personalize, version_summary(creationDateTime=ago(5, seconds=1)))
    creates(personalize)
    assert create(personalize) == STARTED


@pytest.mark.parametrize(
    "difference", [{"solutionArn": OTHER_SOLUTION}, {"trainingMode": "UPDATE"}], ids=str
)
def test_another_version_of_this_name_is_an_error_that_names_both(personalize, difference):
    lists(personalize, version_summary(solutionVersionArn=VERSION, creationDateTime=ago(1)))
    describes(personalize, **difference)
    other = version(**difference)
    with pytest.raises(NameTaken) as raised:
        create(personalize)
    assert str(raised.value) == (
        f"{VERSION} is named {VERSION_NAME} and is "
        f"{(other['solutionArn'], other['trainingMode'])}; this run wants ('{SOLUTION}', 'FULL')"
    )


def test_a_version_that_trained_automatically_counts_as_full(personalize):
    lists(personalize, version_summary(solutionVersionArn=VERSION, creationDateTime=ago(1)))
    describes(personalize, trainingMode="AUTOTRAIN")
    assert create(personalize) == FOUND


def test_a_version_without_a_training_mode_counts_as_full(personalize):
    old = version()
    del old["trainingMode"]
    lists(personalize, version_summary(solutionVersionArn=VERSION, creationDateTime=ago(1)))
    personalize.says(
        "describe_solution_version", {"solutionVersion": old}, solutionVersionArn=VERSION
    )
    assert create(personalize) == FOUND


def foreign_training(personalize, **changes):
    """Somebody else's version, without our name, in training since an hour."""
    summary = version_summary(
        solutionVersionArn=FOREIGN_VERSION, status="CREATE IN_PROGRESS", creationDateTime=ago(1)
    )
    lists(personalize, {**summary, **changes})
    foreign = version(solutionVersionArn=FOREIGN_VERSION, **changes)
    del foreign["name"]
    personalize.says(
        "describe_solution_version",
        {"solutionVersion": foreign},
        solutionVersionArn=FOREIGN_VERSION,
    )


ADOPTED_AS = [{"tagKey": "retraining-adopted-as", "tagValue": VERSION_NAME}]


def adopts(personalize, arn=FOREIGN_VERSION):
    """It gets a tag, by which a resumed run finds it."""
    personalize.says("tag_resource", {}, resourceArn=arn, tags=ADOPTED_AS)


def test_a_foreign_training_that_began_after_the_last_import_is_adopted(personalize):
    foreign_training(personalize)
    adopts(personalize)
    imports = [imported(endedAt=iso(3)), imported(endedAt=iso(1, seconds=1))]
    assert create(personalize, imports) == job(FOREIGN_VERSION, foreign=True)


@pytest.mark.parametrize("refusal", ["ResourceInUseException", "TooManyTagsException"])
def test_a_foreign_training_that_takes_no_tag_is_adopted_all_the_same(personalize, refusal):
    foreign_training(personalize)
    personalize.refuses("tag_resource", refusal, resourceArn=FOREIGN_VERSION, tags=ADOPTED_AS)
    assert create(personalize, [imported(endedAt=iso(3))]) == job(FOREIGN_VERSION, foreign=True)


@pytest.mark.parametrize("ended", [iso(1), iso(0.5)])
def test_beside_a_foreign_training_that_misses_data_ours_is_started(personalize, ended):
    foreign_training(personalize)
    creates(personalize)
    made = create(personalize, [imported(endedAt=ended), imported(endedAt=iso(3))])
    assert made == {**STARTED, "warnings": [f"{FOREIGN_VERSION} is in training too"]}


def test_an_import_that_was_not_started_does_not_complete_the_data(personalize):
    foreign_training(personalize)
    adopts(personalize)
    imports = [dataset_result(job=None), imported(endedAt=iso(2))]
    assert create(personalize, imports) == job(FOREIGN_VERSION, foreign=True)


@pytest.mark.parametrize(
    ("data_as_of", "adopted"), [(iso(2), True), (iso(0.5), False), (None, True)], ids=str
)
def test_without_imports_the_data_is_as_of_the_newest_one_or_the_runs_start(
    personalize, data_as_of, adopted
):
    foreign_training(personalize)
    if adopted:
        adopts(personalize)
    else:
        creates(personalize)
    assert create(personalize, dataAsOf=data_as_of)["foreign"] == adopted


def test_a_foreign_training_from_before_the_run_is_not_adopted_without_any_import(personalize):
    foreign_training(personalize, creationDateTime=ago(6))
    creates(personalize)
    assert create(personalize, dataAsOf=None)["foreign"] is False, "the run began five hours ago"


@pytest.mark.parametrize(
    ("theirs", "planned", "adopted"),
    [
        ("UPDATE", "FULL", False),
        ("UPDATE", "UPDATE", True),
        ("FULL", "UPDATE", True),
        ("FULL", "FULL", True),
    ],
)
def test_a_foreign_update_is_not_adopted_in_the_place_of_a_full_training(
    personalize, theirs, planned, adopted
):
    foreign_training(personalize, trainingMode=theirs)
    if adopted:
        adopts(personalize)
    else:
        creates(personalize, trainingMode=planned)
    made = create(personalize, trainingMode=planned)
    assert (made["arn"], made["foreign"]) == (FOREIGN_VERSION if adopted else VERSION, adopted)


def test_a_foreign_training_without_a_mode_counts_as_full(personalize):
    summary = version_summary(status="CREATE IN_PROGRESS", creationDateTime=ago(1))
    lists(personalize, summary)
    modeless = version(solutionVersionArn=OLD_VERSION)
    del modeless["name"], modeless["trainingMode"]
    answer = {"solutionVersion": modeless}
    personalize.says("describe_solution_version", answer, solutionVersionArn=OLD_VERSION)
    adopts(personalize, OLD_VERSION)
    assert create(personalize) == job(OLD_VERSION, foreign=True)


def test_a_foreign_training_that_is_being_stopped_is_neither_adopted_nor_mentioned(personalize):
    foreign_training(personalize, status="CREATE STOPPING")
    creates(personalize)
    assert create(personalize) == STARTED


@pytest.mark.parametrize(
    ("started", "slot", "found"), [(1, 5, True), (5, 1, True), (1, None, False)], ids=str
)
def test_an_execution_before_this_one_may_have_had_the_same_slot(personalize, started, slot, found):
    summary = version_summary(
        solutionVersionArn=VERSION, status="CREATE FAILED", creationDateTime=ago(3)
    )
    lists(personalize, summary)
    if found:
        describes(personalize, status="CREATE FAILED", creationDateTime=ago(3))
    else:
        creates(personalize)
    request = {"scheduledTime": iso(slot)} if slot else {}
    made = create_solution_version(
        personalize.client, settings(), run(request, startedAt=iso(started)), planned_solution(), ()
    )
    assert made["phase"] == ("ENDED" if found else "UNDER_WAY")


def test_a_foreign_version_that_ended_during_the_run_is_no_obstacle(personalize):
    lists(personalize, version_summary(solutionVersionArn=FOREIGN_VERSION, creationDateTime=ago(1)))
    describes(personalize, solutionVersionArn=FOREIGN_VERSION, name="by-hand", status="ACTIVE")
    creates(personalize)
    assert create(personalize) == STARTED, "only what trains now is mentioned"


def test_our_own_version_counts_before_a_newer_foreign_one(personalize):
    under_way = {"status": "CREATE IN_PROGRESS"}
    lists(
        personalize,
        version_summary(solutionVersionArn=VERSION, creationDateTime=ago(2), **under_way),
        version_summary(solutionVersionArn=FOREIGN_VERSION, creationDateTime=ago(1), **under_way),
    )
    describes(personalize, solutionVersionArn=FOREIGN_VERSION, name="by-hand")
    describes(personalize, creationDateTime=ago(2))
    assert create(personalize) == job(createdAt=iso(2))


def test_where_names_are_unique_the_version_that_has_ours_is_looked_for_again(personalize):
    lists(personalize)
    personalize.refuses("create_solution_version", "ResourceAlreadyExistsException", **CREATE)
    lists(personalize, version_summary(solutionVersionArn=VERSION, creationDateTime=ago(1)))
    describes(personalize)
    assert create(personalize) == FOUND


def test_a_taken_name_is_looked_for_among_the_versions_from_before_the_run_too(personalize):
    lists(personalize)
    personalize.refuses("create_solution_version", "ResourceAlreadyExistsException", **CREATE)
    lists(personalize, version_summary(solutionVersionArn=VERSION, creationDateTime=ago(500)))
    describes(personalize, status="ACTIVE")
    assert create(personalize) == ended_job()


def test_a_taken_name_that_no_listed_version_has_is_looked_for_again(personalize):
    lists(personalize)
    personalize.refuses(
        "create_solution_version", "ResourceAlreadyExistsException", "it exists", **CREATE
    )
    lists(personalize)
    with pytest.raises(ServiceUnavailable, match=f"^{VERSION_NAME} is not listed yet$"):
        create(personalize)


def test_an_existing_version_is_used_as_planned(personalize):
    describes(personalize, solutionVersionArn=OLD_VERSION, status="ACTIVE")
    made = create(personalize, existingVersionArn=OLD_VERSION)
    assert made == ended_job(OLD_VERSION), "nothing is listed and nothing created"


def test_an_existing_version_of_an_earlier_stack_is_the_pipelines_own(personalize):
    name = f"ffffffff{VERSION_NAME[8:]}"
    describes(personalize, solutionVersionArn=OLD_VERSION, name=name, status="ACTIVE")
    assert create(personalize, existingVersionArn=OLD_VERSION)["foreign"] is False


@pytest.mark.parametrize("name", ["by-hand", VERSION_NAME])
def test_an_existing_version_that_was_adopted_stays_somebody_elses(personalize, name):
    describes(personalize, solutionVersionArn=FOREIGN_VERSION, name=name)
    made = create(personalize, existingVersionArn=FOREIGN_VERSION, existingVersionIsForeign=True)
    assert made == job(FOREIGN_VERSION, foreign=True), "it is never stopped"


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ThrottlingException", Throttled), ("LimitExceededException", ClientError)],
)
def test_other_errors_of_the_create_are_let_through(personalize, code, expected):
    lists(personalize)
    personalize.refuses("create_solution_version", code, "no", **CREATE)
    with pytest.raises(expected, match="no"):
        create(personalize)


def test_beside_an_older_run_nothing_is_paid_for(personalize, older):
    """When planning asked, the list of executions may not have had it yet."""
    older.found.append(EXECUTION)
    lists(personalize)
    assert create(personalize) == {
        "arn": SOLUTION,
        "phase": "SKIPPED",
        "seconds": 0,
        "status": "SKIPPED",
        "failure": f"{EXECUTION} is under way",
        "warnings": [],
        "foreign": False,
    }
    assert older.asked == [("executions", run(startedAt=iso(5)))]


def test_beside_an_older_run_a_version_of_ours_is_adopted_all_the_same(personalize, older):
    older.found.append(EXECUTION)
    lists(personalize, version_summary(solutionVersionArn=VERSION, creationDateTime=ago(1)))
    describes(personalize)
    assert create(personalize) == FOUND, "it is paid for"


def test_beside_an_older_run_a_foreign_training_is_adopted_all_the_same(personalize, older):
    older.found.append(EXECUTION)
    foreign_training(personalize)
    adopts(personalize)
    imports = [imported(endedAt=iso(2))]
    assert create(personalize, imports) == job(FOREIGN_VERSION, foreign=True), "it costs nothing"


# watch


def watch(personalize, before, **changes):
    describes(personalize, solutionVersionArn=before["arn"], **changes)
    planned, settings_ = planned_solution(durations=[7200]), limits(maxTrainingHours=3)
    return watch_solution_version(personalize.client, settings_, planned, before)


def test_a_watched_training_says_when_to_look_next(personalize):
    assert watch(personalize, job()) == job(seconds=900)


def test_an_adopted_training_stays_somebody_elses(personalize):
    seen = watch(personalize, job(FOREIGN_VERSION, foreign=True), status="ACTIVE")
    assert seen == ended_job(FOREIGN_VERSION, foreign=True)


def test_warnings_are_kept_and_each_is_given_once(personalize):
    unknown = "the status 'CREATE PAUSED' is unknown and counts as running"
    before = job(warnings=["x is in training too", unknown])
    seen = watch(personalize, before, status="CREATE PAUSED")
    assert seen["warnings"] == [unknown, "x is in training too"]


def test_a_training_past_its_deadline_is_overdue(personalize):
    seen = watch(personalize, job(), creationDateTime=ago(3))
    late = "still CREATE IN_PROGRESS after 3 hours"
    assert seen == job(phase="OVERDUE", failure=late, createdAt=iso(3))


# stop

LATE = "still CREATE IN_PROGRESS after 24 hours"
OVERDUE = job(phase="OVERDUE", failure=LATE, createdAt=iso(24), warnings=["x is in training too"])
STOPPING = {**OVERDUE, "phase": "UNDER_WAY", "seconds": 30, "stopRequestedAt": NOW.isoformat()}


def test_an_overdue_training_of_ours_is_stopped(personalize):
    describes(personalize)
    personalize.says("stop_solution_version_creation", {}, solutionVersionArn=VERSION)
    assert stop_solution_version(personalize.client, OVERDUE) == STOPPING


def test_a_training_that_is_stopping_is_not_stopped_again(personalize):
    describes(personalize, status="CREATE STOPPING")
    assert stop_solution_version(personalize.client, OVERDUE) == STOPPING


def test_an_adopted_training_is_never_stopped(personalize):
    describes(personalize, solutionVersionArn=FOREIGN_VERSION)
    overdue = {**OVERDUE, "arn": FOREIGN_VERSION, "foreign": True}
    assert stop_solution_version(personalize.client, overdue) == {**overdue, "phase": "ENDED"}


@pytest.mark.parametrize("foreign", [True, False])
def test_a_training_that_became_active_before_the_stop_is_used(personalize, foreign):
    describes(personalize, status="ACTIVE")
    assert stop_solution_version(personalize.client, {**OVERDUE, "foreign": foreign}) == ended_job(
        foreign=foreign, warnings=["x is in training too"]
    )


def after_stop(personalize, asked=0, **changes):
    before = {**STOPPING, "stopRequestedAt": iso(asked)}
    return watch(personalize, before, creationDateTime=ago(24), **changes)


def test_a_training_that_was_stopped_has_ended_and_says_why(personalize):
    assert after_stop(personalize, status="CREATE STOPPED") == {
        **OVERDUE,
        "phase": "ENDED",
        "status": "CREATE STOPPED",
        "failure": f"{LATE}, so it was stopped",
        "stopRequestedAt": NOW.isoformat(),
        "endedAt": iso(0.5),
    }


def test_a_training_that_became_active_despite_the_stop_is_used(personalize):
    seen = after_stop(personalize, status="ACTIVE")
    assert (seen["phase"], seen["failure"]) == ("ACTIVE", None)


@pytest.mark.parametrize("code", ["InvalidInputException", "ResourceInUseException"])
def test_a_training_that_ended_right_before_the_stop_is_looked_at_again(personalize, code):
    describes(personalize)
    refused = {"solutionVersionArn": VERSION}
    personalize.refuses("stop_solution_version_creation", code, **refused)
    assert stop_solution_version(personalize.client, OVERDUE) == STOPPING


def test_a_stop_that_is_refused_otherwise_is_let_through(personalize):
    describes(personalize)
    refused = {"solutionVersionArn": VERSION}
    personalize.refuses("stop_solution_version_creation", "AccessDeniedException", "no", **refused)
    with pytest.raises(ClientError, match="no"):
        stop_solution_version(personalize.client, OVERDUE)


def test_a_training_that_is_stopping_keeps_its_warnings(personalize):
    unknown = "the status 'CREATE PAUSED' is unknown and counts as running"
    seen = after_stop(personalize, status="CREATE PAUSED")
    assert seen["warnings"] == [unknown, "x is in training too"]


def test_a_training_has_an_hour_to_stop(personalize):
    seen = after_stop(personalize, asked=1, status="CREATE STOPPING")
    assert seen == {**STOPPING, "status": "CREATE STOPPING", "stopRequestedAt": iso(1)}, (
        "the deadline is past already, and is not asked again"
    )


def test_a_training_that_does_not_stop_is_given_up(personalize):
    asked = 1 + 1 / 3600
    assert after_stop(personalize, asked=asked, status="CREATE STOPPING") == {
        **OVERDUE,
        "phase": "ENDED",
        "status": "CREATE STOPPING",
        "failure": f"{LATE}, and does not stop",
        "stopRequestedAt": iso(asked),
    }


# left by a run


def test_a_runs_own_versions_are_found_and_nothing_else(personalize):
    both = [solution_settings(), solution_settings(solutionArn=OTHER_SOLUTION)]
    under_way = {"status": "CREATE IN_PROGRESS"}
    mine = f"{PREFIX}-{RUN_ID}-0b519087-1"
    names = {
        f"{SOLUTION}/ours": mine,
        f"{SOLUTION}/foreign": "by-hand",
        f"{SOLUTION}/other-run": f"{PREFIX}-20261122T030000Z-0b519087-1",
        f"{SOLUTION}/other-stack": f"ffffffff-{RUN_ID}-0b519087-1",
    }
    lists(
        personalize,
        *(
            version_summary(solutionVersionArn=arn, creationDateTime=ago(hours), **under_way)
            for hours, arn in enumerate(names, start=1)
        ),
        version_summary(solutionVersionArn=f"{SOLUTION}/ended", creationDateTime=ago(5)),
        version_summary(creationDateTime=ago(5, seconds=1)),
        version_summary(
            solutionVersionArn=f"{SOLUTION}/later", creationDateTime=ago(0), **under_way
        ),
    )
    for arn, name in names.items():
        describes(personalize, solutionVersionArn=arn, name=name)
    describes(personalize, solutionVersionArn=f"{SOLUTION}/ended", status="ACTIVE")
    unnamed = {"solutionVersionArn": f"{OTHER_SOLUTION}/nameless", **under_way}
    nameless = version(**unnamed)
    del nameless["name"]
    stopping = {"solutionVersionArn": f"{OTHER_SOLUTION}/ours", "status": "CREATE STOPPING"}
    lists(
        personalize,
        version_summary(creationDateTime=ago(1), **stopping),
        version_summary(creationDateTime=ago(2), **unnamed),
        solution=OTHER_SOLUTION,
    )
    describes(personalize, name=mine[:-1] + "2", **stopping)
    personalize.says(
        "describe_solution_version",
        {"solutionVersion": nameless},
        solutionVersionArn=nameless["solutionVersionArn"],
    )
    found = versions_of_execution(
        personalize.client, settings(solutions=both), run(startedAt=iso(5)), NOW
    )
    assert [each["solutionVersionArn"] for each in found] == [
        f"{SOLUTION}/ours",
        f"{SOLUTION}/ended",
        f"{OTHER_SOLUTION}/ours",
    ], "of whatever attempt; what has ended, if it was made in this execution"
