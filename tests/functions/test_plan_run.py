"""Tests of the plan of a run: what it covers, and what each verdict of a guard does to it."""

import pytest

from functions.errors import RunRefused
from functions.planning.plan_run import plan_run
from functions.planning.situation import datasets_to_import
from tests.functions.samples import (
    ARN,
    CAMPAIGN,
    DATASET,
    FIELDS,
    ITEMS,
    NOW,
    OTHER_SOLUTION,
    ROW,
    SOLUTION,
    VERSION,
    ago,
    campaign,
    dataset_of_run,
    dataset_resource,
    dataset_settings,
    export,
    held_import,
    import_summary,
    imported,
    items_settings,
    limits,
    planned_campaign,
    planned_import,
    planned_solution,
    probed_settings,
    run,
    s3_object,
    sample,
    settings,
    situation,
    solution_resource,
    solution_settings,
    trained_version,
    world,
)

MONDAY = import_summary()["datasetImportJobArn"]


def plan(request=None, *, settings_=None, **changes):
    """Return the plan in the standard world with these changes."""
    return plan_run(settings_ or settings(), run(request), world(**changes))


def refusal(request=None, **changes):
    """Return the text with which a run is refused."""
    with pytest.raises(RunRefused) as error:
        plan(request, **changes)
    return str(error.value)


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
    "versions": {SOLUTION: [], OTHER_SOLUTION: []},
}
"""A world with two datasets and two solutions."""


# What a run covers


def test_a_run_imports_trains_and_updates_what_is_configured():
    created_in = planned_campaign(durations=[1500])
    assert plan() == {
        "imports": [planned_import()],
        "solutions": [planned_solution(campaigns=[created_in])],
        "todo": "WORK",
        "seconds": 0,
        "reason": None,
        "warnings": [],
    }


def test_the_plan_repeats_no_setting():
    """A new option of a dataset or solution then needs no change of the plan."""
    (planned,) = plan()["imports"]
    assert set(planned) == {
        "type",
        "dataLocation",
        "fingerprint",
        "bytes",
        "newestObjectAt",
        "isRequested",
        "durations",
    }
    (planned,) = plan()["solutions"]
    assert set(planned) & set(solution_settings()) == {"solutionArn", "trainingMode", "campaigns"}
    (planned,) = planned["campaigns"]
    assert set(planned) == {"campaignArn", "isProbed", "isWaiting", "durations"}


def test_a_request_may_choose_datasets_and_solutions():
    chosen = plan({"datasets": ["items"], "solutions": [OTHER_SOLUTION]}, **TWO_OF_EACH)
    assert [planned["type"] for planned in chosen["imports"]] == ["items"]
    assert [planned["solutionArn"] for planned in chosen["solutions"]] == [OTHER_SOLUTION]


def test_a_request_without_a_choice_covers_everything():
    everything = plan(**TWO_OF_EACH)
    assert [planned["type"] for planned in everything["imports"]] == ["interactions", "items"]
    assert [planned["solutionArn"] for planned in everything["solutions"]] == [
        SOLUTION,
        OTHER_SOLUTION,
    ]


def test_a_run_may_skip_the_import():
    assert plan({"skipImport": True, "datasets": ["interactions"]})["imports"] == []
    assert len(plan({"skipImport": False})["imports"]) == 1


# The date in a location

DATED = dataset_settings(
    dataLocation="s3://exports/{date}/{date}.csv", readyMarker="s3://exports/{date}/_SUCCESS"
)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "20261128T233000Z"},
        {"id": "20261128-0a1b2c3d"},
        {"id": "20261128T233000Z", "startedAt": "2026-12-01T00:00:00Z"},
    ],
    ids=["scheduled", "started by hand", "begun late"],
)
def test_a_date_in_a_location_is_the_day_of_the_run(changes):
    assert datasets_to_import(settings(datasets=[DATED]), run(**changes)) == [
        {
            **DATED,
            "dataLocation": "s3://exports/2026-11-28/2026-11-28.csv",
            "readyMarker": "s3://exports/2026-11-28/_SUCCESS",
            "day": "2026-11-28",
        }
    ]


def test_a_location_without_a_date_stays_as_it_is():
    assert datasets_to_import(settings(), run()) == [dataset_of_run(day=None)]


# Guards that refuse


def test_a_run_is_refused_with_the_messages_of_all_guards():
    settings_ = settings(
        datasets=[dataset_settings(importMode="INCREMENTAL")],
        solutions=[solution_settings(trainingMode="UPDATE")],
    )
    changes = {
        "imports": {DATASET: []},
        "solutions": {SOLUTION: solution_resource(recipeArn=f"{ARN}:::recipe/aws-sims")},
        "versions": {SOLUTION: []},
        "exports": {DATASET: export(samples=[sample(ROW)])},
    }
    assert refusal({"trainingMode": "UPDATE"}, settings_=settings_, **changes) == (
        "4 problems with this run:\n"
        f"  datasets.interactions: importMode INCREMENTAL needs an ACTIVE FULL import of {DATASET} "
        "before; import a complete export once with importMode FULL, which replaces all bulk data\n"
        f"  {SOLUTION}: trainingMode UPDATE needs one of the recipes aws-user-personalization, "
        "aws-hrnn-coldstart, but this solution has the recipe aws-sims; change trainingMode to "
        "FULL\n"
        f"  {SOLUTION}: trainingMode UPDATE needs an ACTIVE version that was trained with FULL, "
        "but there is none; use retrain start --training-mode FULL\n"
        "  datasets.interactions: s3://exports/interactions.csv has 1 interactions, but an "
        "import takes at least 1000; import less often, or use importMode FULL with a complete "
        "export, because it replaces all bulk data"
    )


def test_a_single_problem_is_not_called_problems():
    assert str(RunRefused(["a: b"])) == "1 problem with this run:\n  a: b"


def test_no_resource_has_to_exist_for_a_refusal():
    keys = (
        "datasets",
        "dataset_groups",
        "schemas",
        "imports",
        "solutions",
        "versions",
        "campaigns",
    )
    nothing = {key: {} for key in keys}
    assert refusal({"trainingMode": "UPDATE"}, **nothing).startswith("4 problems with this run:")


def test_a_dataset_that_the_run_does_not_import_cannot_refuse_it():
    settings_ = settings(datasets=[dataset_settings(importMode="INCREMENTAL")])
    planned = plan({"skipImport": True}, settings_=settings_, imports={DATASET: []})
    assert planned["imports"] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": {}}, "does not exist"),
        ({"solutions": {}}, "does not exist"),
        (
            {
                "campaigns": {
                    CAMPAIGN: campaign(campaignConfig={"syncWithLatestSolutionVersion": True})
                }
            },
            "syncWithLatestSolutionVersion",
        ),
        (
            {"settings_": probed_settings(itemId="i1", minResults=1, minutes=1)},
            "the probe has itemId",
        ),
        ({"exports": {DATASET: export(objects=[], samples=[])}}, "check dataLocation and the job"),
        (
            {"imports": {DATASET: [held_import(is_held=False, size=9999)]}},
            "less than minRelativeSize",
        ),
        (
            {"settings_": settings(datasets=[dataset_settings(readyMarker="s3://exports/x")])},
            "the ready marker",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_each_of_these_guards_refuses_the_run(changes, message):
    assert message in refusal(**changes)


# Guards of exports that are being imported

BAD_EXPORT = {"exports": {DATASET: export(objects=[], samples=[])}}


@pytest.mark.parametrize("is_running", [False, True], ids=["held", "running"])
def test_an_export_that_a_run_has_begun_to_import_is_not_checked_again(is_running):
    """Its objects are older than the import by now, and may have been deleted."""
    planned = situation(**BAD_EXPORT).with_dataset(dataset_of_run()).seen.export.fingerprint
    job = held_import(planned=planned, is_running=is_running, is_active=not is_running)
    plan(imports={DATASET: [job]}, **BAD_EXPORT)


@pytest.mark.parametrize("is_active", [False, True])
def test_any_other_export_is_checked(is_active):
    imports = {DATASET: [imported(is_active=is_active)]}
    assert "check dataLocation and the job" in refusal(imports=imports, **BAD_EXPORT)


def test_an_incremental_export_is_not_added_to_foreign_data_unless_somebody_asks_for_it():
    foreign = imported(ended_at=ago(1))
    changes = {
        "settings_": settings(datasets=[dataset_settings(importMode="INCREMENTAL")]),
        "imports": {DATASET: [foreign, held_import(is_full=False)]},
        "exports": {DATASET: export(objects=[s3_object(modified_at=ago(0.5))])},
    }
    assert refusal(**changes) == (
        f"1 problem with this run:\n  datasets.interactions: {foreign.arn}, which this pipeline "
        "did not start, has replaced the data; `--force` adds the export to it"
    )
    assert len(plan({"force": True}, **changes)["imports"]) == 1


# Guards that skip

SCHEDULED = {"trigger": "schedule", "scheduledTime": NOW.isoformat()}


def test_an_event_of_the_deployment_is_skipped_even_if_other_guards_would_refuse():
    planned = plan(SCHEDULED, datasets={}, schedule_changed_at=NOW)
    assert planned["reason"].startswith("the schedule was created or changed at 2026-11-29T03:00")


SERVED = {
    "campaigns": {CAMPAIGN: campaign(solutionVersionArn=VERSION)},
    "campaign_tags": {CAMPAIGN: {"retraining-good": VERSION}},
}
UNCHANGED = {
    "imports": {DATASET: [held_import()]},
    "trainings": [trained_version()],
    **SERVED,
}
NOTHING_NEW = "nothing is new: the exports were imported before"
WAITING = {**UNCHANGED, "campaigns": {CAMPAIGN: campaign()}}
"""The version that was trained after the last import is not served by the campaign."""


def test_a_run_with_nothing_new_is_skipped():
    planned = plan(**UNCHANGED)
    assert planned["reason"].startswith(NOTHING_NEW)
    assert (planned["imports"], planned["solutions"]) == ([], [])


def test_a_version_that_waits_is_deployed_although_nothing_is_new():
    planned = plan(**WAITING)
    assert (planned["imports"], planned["reason"]) == ([], None)
    assert [solution["existingVersionArn"] for solution in planned["solutions"]] == [VERSION]


def test_an_export_that_is_not_new_is_not_checked():
    """Its marker and its objects are older than the import."""
    marked = dataset_settings(readyMarker="s3://exports/_SUCCESS")
    old = {"exports": {DATASET: export(objects=[s3_object(modified_at=ago(100))])}, **UNCHANGED}
    planned = plan(settings_=settings(datasets=[marked]), **old)
    assert planned["reason"].startswith(NOTHING_NEW)


def test_a_forced_run_goes_on_although_nothing_is_new():
    planned = plan({"force": True}, **UNCHANGED)
    assert (planned["reason"], len(planned["imports"])) == (None, 1)


def test_a_run_is_refused_although_nothing_is_new():
    broken = {DATASET: dataset_resource(status="CREATE FAILED")}
    assert "CREATE FAILED" in refusal(**UNCHANGED, datasets=broken)


ONCE = limits(maxTrainingsPerMonth=1)
OFTEN = {"settings_": ONCE, "trainings": [trained_version(digest="other")]}
"""The version that a run has trained this month is served, or there are no campaigns."""
HELD_BACK = "trainings of this pipeline within 30 days: 1"


def test_a_solution_that_was_trained_too_often_is_left_out_with_a_warning():
    planned = plan(**OFTEN, **SERVED)
    assert (len(planned["imports"]), planned["solutions"], planned["reason"]) == (1, [], None)
    (warning,) = planned["warnings"]
    assert warning.startswith(f"{SOLUTION}: {HELD_BACK}")


def test_a_run_that_may_train_nothing_and_imports_nothing_is_skipped():
    two = {**TWO_OF_EACH, **OFTEN, **SERVED}
    two["settings_"] = {**TWO_OF_EACH["settings_"], "limits": ONCE["limits"]}
    planned = plan({"skipImport": True}, **two)
    reasons = planned["reason"].split("; ")
    assert [reason.partition(": ")[0] for reason in reasons if HELD_BACK in reason] == [
        SOLUTION,
        OTHER_SOLUTION,
    ]
    assert planned["warnings"] == [], "the reason says it"


def test_a_version_that_exists_is_used_however_often_the_solution_was_trained():
    planned = plan({"skipImport": True}, **{**WAITING, **OFTEN})
    assert [solution["existingVersionArn"] for solution in planned["solutions"]] == [VERSION]


# Guards that warn

AUTOMATIC = {"solutions": {SOLUTION: solution_resource(performAutoTraining=True)}}


def test_automatic_training_is_a_warning_or_a_refusal_as_configured():
    (warning,) = plan(**AUTOMATIC)["warnings"]
    assert warning.startswith(f"{SOLUTION}: also trains automatically")
    refused = refusal(settings_=settings(autoTraining="refuse"), **AUTOMATIC)
    assert refused == f"1 problem with this run:\n  {warning}"


def test_a_skipped_run_warns_too():
    assert len(plan(**UNCHANGED, **AUTOMATIC)["warnings"]) == 1
