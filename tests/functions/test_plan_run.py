"""Tests of the plan of a run: what it covers, why it is refused or skipped, what it finds."""

from datetime import timedelta

import pytest

from functions.common.errors import RunRefused
from functions.common.hashes import compute_short_hash
from functions.plan_retraining import (
    find_open_trials,
    find_up_to_date_arns,
    tag_up_to_date_resources,
)
from functions.planning.plan_run import plan_run
from functions.rules.batch_jobs import HASHED_SETTINGS
from functions.run.admission import explain_start_by_schedule_change
from functions.s3.exports import (
    BatchInput,
    hash_location,
)
from tests.functions import samples as s
from tests.functions.samples import (
    CAMPAIGN,
    DATASET,
    FIELDS,
    ITEMS,
    NOW,
    OLD_VERSION,
    OTHER_CAMPAIGN,
    OTHER_SOLUTION,
    SCHEDULE,
    SOLUTION,
    VERSION,
    ago,
    campaign,
    campaign_settings,
    dataset_resource,
    dataset_settings,
    export,
    held_import,
    imported,
    iso,
    items_settings,
    limits,
    planned_solution,
    run,
    s3_object,
    settings,
    solution_resource,
    solution_settings,
    trained_version,
    view,
)
from tests.printed import all_printed, printed


def plan(request=None, **changes):
    """Return the plan in the standard world with these changes."""
    return plan_run(view(request, **changes))


def refusal(request=None, **changes):
    """Return the problems for which a run is refused."""
    with pytest.raises(RunRefused) as error:
        plan(request, **changes)
    return all_printed(error.value.problems)


TWO_OF_EACH = {
    "settings_": settings(
        datasets=[dataset_settings(), items_settings()],
        solutions=[
            solution_settings(),
            solution_settings(solutionArn=OTHER_SOLUTION, campaigns=[]),
        ],
    ),
    "datasets": {DATASET: dataset_resource(), ITEMS: dataset_resource(datasetArn=ITEMS)},
    "schemas": {DATASET: FIELDS, ITEMS: [{"name": "ITEM_ID", "type": "string"}]},
    "exports": {DATASET: export(), ITEMS: export()},
    "imports": {DATASET: [], ITEMS: []},
    "solutions": {arn: solution_resource(solutionArn=arn) for arn in (SOLUTION, OTHER_SOLUTION)},
}
"""A world with two datasets and two solutions."""


# What a run covers


def test_a_run_imports_trains_and_updates_what_is_configured():
    assert plan() == s.plan(solutions=[planned_solution(durations=[])])


@pytest.mark.parametrize(
    "request_, types, solutions",
    [
        ({}, ["interactions", "items"], [SOLUTION, OTHER_SOLUTION]),
        ({"datasets": ["items"], "solutions": [OTHER_SOLUTION]}, ["items"], [OTHER_SOLUTION]),
        ({"skipImport": True, "datasets": ["items"]}, [], [SOLUTION, OTHER_SOLUTION]),
        ({"skipImport": False}, ["interactions", "items"], [SOLUTION, OTHER_SOLUTION]),
    ],
)
def test_a_request_may_choose_datasets_and_solutions(request_, types, solutions):
    chosen = plan(request_, **TWO_OF_EACH)
    assert [planned["type"] for planned in chosen["imports"]] == types
    assert [planned["solutionArn"] for planned in chosen["solutions"]] == solutions


# Runs that are refused


def test_no_resource_has_to_exist_for_a_refusal():
    keys = ("datasets", "dataset_groups", "schemas", "imports", "solutions", "campaigns")
    assert len(refusal({}, **{key: {} for key in keys})) == 3


BAD_EXPORT = {"exports": export(objects=[], samples=[])}


def planned_bad_import(**changes):
    """Return an import of the bad export."""
    (dataset,) = view(**BAD_EXPORT).datasets
    return held_import(fingerprint=dataset.dataset_state.export.fingerprint, **changes)


@pytest.mark.parametrize(
    "job, is_checked",
    [
        (planned_bad_import(), False),
        (planned_bad_import(is_running=True, is_active=False), False),
        (imported(is_active=False), True),
        (imported(), True),
    ],
    ids=["held", "running", "failed", "foreign"],
)
def test_an_export_is_checked_unless_it_is_held_or_being_imported(job, is_checked):
    """The objects of a held export may have been deleted by now."""
    known = {"imports": [job], **BAD_EXPORT}
    if is_checked:
        (problem,) = refusal(**known)
        assert "check dataLocation and the job" in problem
    else:
        plan(**known)
    plan({"skipImport": True}, **known)


# Runs that are skipped

SERVED = {
    "campaigns": campaign(solutionVersionArn=VERSION),
    "campaign_tags": {"retraining-good": VERSION},
}
UNCHANGED = {
    "imports": [held_import()],
    "trainings": [trained_version()],
    **SERVED,
}
HELD = "interactions: the export has not changed since 2026-11-29 01:10 UTC"
LEARNED = "it was trained on the present data"
ON_EXPORT = settings(
    datasets=[dataset_settings(readyMarker="s3://exports/_SUCCESS")], triggerOnExport=True
)
DATED = settings(datasets=[dataset_settings(dataLocation="s3://exports/{date}.csv")])


LATER = f"{hash_location('s3://exports/2026-11-30.csv')}-x"


IMPORT_AND_TRAIN = (
    "nothing is new; wait for new exports, or force a run that imports and trains on the same "
    "data: `retrain start --force`"
)
IMPORT = (
    "nothing is new; wait for new exports, or force a run that imports the same data: "
    "`retrain start --force`"
)
TRAIN = "nothing is new; force a training on the same data: `retrain start --skip-import --force`"
REPEAT = (
    "no run repeats a training that was stopped; force one on the same data: "
    "`retrain start --skip-import --force`"
)


@pytest.mark.parametrize(
    "changes, reasons",
    [
        ({}, [IMPORT_AND_TRAIN, HELD, f"taste: {LEARNED}"]),
        ({"settings_": settings(solutions=[])}, [IMPORT, HELD]),
        ({"request": {"skipImport": True}}, [TRAIN, f"taste: {LEARNED}"]),
        (
            {"settings_": ON_EXPORT},
            [
                TRAIN,
                "interactions: its ready marker is missing, and will start a run",
                f"taste: {LEARNED}",
            ],
        ),
        (
            {"settings_": DATED, "imports": [held_import(fingerprint=LATER)]},
            [
                IMPORT_AND_TRAIN,
                "interactions: the export of a later day was imported",
                f"taste: {LEARNED}",
            ],
        ),
        (
            {"trainings": [trained_version(is_active=False, was_stopped=True)]},
            [REPEAT, HELD, "taste: the training on its data was stopped"],
        ),
        (
            {"event_tracker_arns": ["tracker"]},
            [IMPORT_AND_TRAIN, HELD, "taste: it was trained recently enough for the events"],
        ),
    ],
)
def test_a_run_with_nothing_to_do_says_why_and_which_run_does_something(changes, reasons):
    planned = plan(**{**UNCHANGED, **changes})
    assert (planned["imports"], planned["solutions"]) == ([], [])
    assert all_printed(planned["reasons"]) == reasons


def test_a_campaign_that_does_not_exist_refuses_a_run_that_trains_nothing():
    """Before the guards can say so, a run asks what waits for each campaign and batch job."""
    locations = {"input": "in", "output": "out"}
    job = {**dict.fromkeys(HASHED_SETTINGS), **locations, "onRejected": "live", "maxHours": 1}
    known = {
        **UNCHANGED,
        "settings_": settings(solutions=[solution_settings(batchJobs=[job])]),
        "campaigns": {},
        "batch_inputs": {"in": BatchInput(location="in/", objects=[s3_object()])},
        "batch_jobs": {compute_short_hash("out", 8): []},
    }
    message = (
        f"{CAMPAIGN}: was deleted or never created, so its users get errors now; create it with "
        "the command that `doctor` prints, or take it out of the stack's config"
    )

    assert refusal(**known) == [message]


# The limit of the month

ONCE = limits(maxTrainingsPerMonth=1)
OFTEN = {"settings_": ONCE, "trainings": [trained_version(digest="other")]}
HELD_BACK = "trainings of this pipeline within 30 days: 1"


def test_a_run_that_may_train_nothing_and_imports_nothing_is_skipped():
    two = {**TWO_OF_EACH, **OFTEN, **SERVED}
    two["settings_"] = {**TWO_OF_EACH["settings_"], "limits": ONCE["limits"]}
    planned = plan({"skipImport": True}, **two)
    way_out, reason = all_printed(planned["reasons"])
    assert way_out == (
        "the monthly limit is reached; force a training beyond it: "
        "`retrain start --skip-import --force`"
    )
    assert reason.startswith(f"taste and taste-similar: {HELD_BACK}, and limits.")
    first, second, *_ = all_printed(plan({}, **two)["warnings"])

    assert first.startswith(f"{SOLUTION}: {HELD_BACK}")
    assert second.startswith(f"{OTHER_SOLUTION}: {HELD_BACK}")
    assert planned["warnings"] == [], "the reason says it"


def test_a_skipped_run_warns_too():
    automatic = {SOLUTION: solution_resource(performAutoTraining=True)}
    (warning,) = plan(solutions=automatic, **UNCHANGED)["warnings"]
    assert warning["text"].startswith(f"{SOLUTION}: also trains automatically")


# Trials of earlier runs


def test_each_trial_is_tried_once_in_a_run(personalize):
    tags = [{"tagKey": "retraining-trial", "tagValue": f"{VERSION} {iso(1)}"}]
    personalize.expect("list_tags_for_resource", {"tags": tags}, resourceArn=OTHER_CAMPAIGN)
    campaigns = [campaign_settings(campaignArn=arn) for arn in (CAMPAIGN, OTHER_CAMPAIGN)]
    known = settings(solutions=[solution_settings(campaigns=campaigns)])
    (found,) = find_open_trials(personalize.client, known, tried_arns=[CAMPAIGN])

    assert found["campaigns"] == [{"campaignArn": OTHER_CAMPAIGN}]


# What is up to date

WITHOUT_CAMPAIGNS = settings(solutions=[solution_settings(campaigns=[])])


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, [DATASET, CAMPAIGN]),
        ({"settings_": WITHOUT_CAMPAIGNS}, [DATASET, SOLUTION]),
        ({"imports": [held_import(fingerprint="other")]}, []),
        ({"trainings": []}, [DATASET]),
        ({"request": {"force": True}, "trainings": []}, [DATASET]),
        ({"campaigns": campaign(solutionVersionArn=OLD_VERSION)}, [DATASET]),
        (
            {"campaigns": campaign(solutionVersionArn=VERSION, status="CREATE FAILED")},
            [DATASET],
        ),
        *(
            (
                {
                    "settings_": WITHOUT_CAMPAIGNS,
                    "trainings": [trained_version(is_active=False, **{state: True})],
                },
                [DATASET],
            )
            for state in ("is_running", "was_stopped")
        ),
        ({"request": {"skipImport": True}}, []),
        ({"request": {"datasets": ["interactions"]}}, [DATASET]),
        ({"request": {"exportDate": "2026-11-28"}}, [DATASET]),  # no {date} in its location
        ({"settings_": DATED, "request": {"exportDate": "2026-11-28"}}, []),
        ({"request": {"only": "deployments"}}, []),
        ({"request": {"solutions": [SOLUTION]}}, [DATASET, CAMPAIGN]),
    ],
)
def test_a_run_finds_up_to_date_what_has_the_present_data(changes, expected):
    assert list(find_up_to_date_arns(view(**{**UNCHANGED, **changes}))) == expected


def expect_tag(personalize, arn, error=None, **details):
    tag = {"tagKey": "retraining-checked", "tagValue": iso()}
    request = {"resourceArn": arn, "tags": [tag]}
    if error:
        personalize.expect_error("tag_resource", error, "no", **details, **request)
    else:
        personalize.expect("tag_resource", {}, **request)


def test_the_time_of_the_plan_is_written(personalize):
    expect_tag(personalize, DATASET)
    expect_tag(personalize, CAMPAIGN)
    assert tag_up_to_date_resources(personalize.client, view(**UNCHANGED)) == []


@pytest.mark.parametrize(
    "error, status, reason",
    [
        (
            "TooManyTagsException",
            400,
            "An error occurred (TooManyTagsException) when calling the TagResource operation: no",
        ),
        ("ThrottlingException", 400, "TagResource: ThrottlingException: no"),
        ("InternalServerError", 500, "TagResource: InternalServerError: no"),
    ],
)
def test_a_tag_that_cannot_be_written_is_a_warning(personalize, error, status, reason):
    expect_tag(personalize, DATASET, error, status=status)
    if error == "TooManyTagsException":
        expect_tag(personalize, CAMPAIGN)  # A service that does not answer is asked no more.

    assert all_printed(tag_up_to_date_resources(personalize.client, view(**UNCHANGED))) == [
        (
            f"{DATASET}: was found up to date, but the tag retraining-checked cannot be written: "
            f"{reason}; until a run writes it, the alarm about the age may go off"
        )
    ]


# The event of a deployment

SCHEDULED = {"scheduledTime": NOW.isoformat(), "scheduleArn": SCHEDULE}


def reason_to_skip(scheduler, *, after, expression="rate(7 days)", request=SCHEDULED):
    """Return why an event is skipped if it comes so long after its schedule was changed."""
    changed = NOW - after
    response = {
        "CreationDate": ago(100),
        "LastModificationDate": changed,
        "ScheduleExpression": expression,
    }
    if request == SCHEDULED:
        scheduler.expect("get_schedule", response, GroupName="group", Name="weekly")

    return explain_start_by_schedule_change(run(request))


@pytest.mark.parametrize("after", [timedelta(0), timedelta(minutes=10), timedelta(minutes=-2)])
def test_an_event_of_a_rate_right_after_a_deployment_is_skipped(scheduler, after):
    assert printed(reason_to_skip(scheduler, after=after)) == (
        f"the schedule was created or changed at {(NOW - after).isoformat()}, and a deployment "
        "starts no training; to retrain now, start a run: `retrain start`"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"after": timedelta(minutes=10, seconds=1)},
        {"after": timedelta(minutes=-2, seconds=-1)},
        {"expression": "cron(0 3 * * ? *)"},
        {"request": {}},
        {"request": {"scheduledTime": NOW.isoformat()}},
    ],
    ids=["long after", "due before and late", "a cron's slot", "a person", "schedule unknown"],
)
def test_any_other_event_starts_a_run(scheduler, changes):
    assert reason_to_skip(scheduler, **{"after": timedelta(minutes=1), **changes}) is None
