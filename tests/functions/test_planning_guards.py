"""Where each guard has its say when a run is planned."""

import pytest

from functions.errors import RunRefused
from tests.functions.deciding import (
    RESUME,
    WAITING,
    WITHOUT_IMPORT,
    decided,
    named,
)
from tests.functions.samples import (
    CAMPAIGN,
    DATASET,
    EXECUTION,
    FINGERPRINT,
    JOB_NAME,
    RUN_ID,
    SOLUTION,
    VERSION,
    ago,
    campaign,
    dataset_resource,
    dataset_settings,
    export,
    import_summary,
    s3_object,
    settings,
    solution_resource,
    solution_settings,
    version,
    version_summary,
)

# the guards: where each of them has its say


def test_a_run_beside_an_older_one_is_skipped_even_with_problems():
    plan = decided(older_run=EXECUTION, datasets={})
    assert plan == {
        "imports": [],
        "solutions": [],
        "skipped": f"{EXECUTION} is under way",
        "warnings": [],
    }


def test_problems_of_the_service_and_of_the_exports_are_given_at_once():
    with pytest.raises(RunRefused) as raised:
        decided(datasets={}, import_jobs={}, exports={DATASET: export(objects=[], beginnings=[])})
    assert str(raised.value) == (
        "2 problems with this run:\n"
        f"  {DATASET}: does not exist; create it, or correct the stack's config\n"
        "  datasets.interactions: nothing lies at s3://exports/interactions.csv; was the export "
        "written?"
    )


@pytest.mark.parametrize(
    ("location", "refused"),
    [("s3://exports/{date}.csv", True), ("s3://exports/interactions.csv", False)],
)
def test_only_a_location_with_a_date_is_of_an_older_day(location, refused):
    settings_ = settings(datasets=[dataset_settings(dataLocation=location)])
    later = {"last_import": {DATASET: {"retraining-run": "20261206T030000Z"}}}
    if not refused:
        assert len(decided(RESUME, settings_=settings_, **later)["imports"]) == 1
        return
    with pytest.raises(RunRefused, match="is of 2026-11-29, and run"):
        decided(RESUME, settings_=settings_, **later)


def test_a_probe_that_the_recipe_never_answers_refuses_the_run():
    probe = {"itemId": "i1", "minResults": 1, "minutes": 1}
    asked = solution_settings(campaigns=[{"campaignArn": CAMPAIGN, "probe": probe}])
    with pytest.raises(RunRefused, match="its probe asks with itemId"):
        decided(settings_=settings(solutions=[asked]))


def test_nothing_needs_to_exist_for_all_problems_to_be_told():
    with pytest.raises(RunRefused, match="4 problems with this run"):
        decided(
            {"trainingMode": "UPDATE"},
            datasets={},
            groups={},
            schemas={},
            import_jobs={},
            solutions={},
            versions={},
            campaigns={},
        )


def test_a_campaign_past_the_gate_refuses_the_run():
    following = campaign(campaignConfig={"syncWithLatestSolutionVersion": True})
    with pytest.raises(RunRefused, match="past the quality gate"):
        decided(campaigns={CAMPAIGN: following})


AUTOMATIC = {"solutions": {SOLUTION: solution_resource(performAutoTraining=True)}}
ALSO_TRAINS = (
    f"{SOLUTION}: also trains automatically; turn that off with 'aws personalize update-solution "
    f"--solution-arn {SOLUTION} --no-perform-auto-training'"
)


def test_automatic_training_is_warned_of_or_refused_as_configured():
    assert decided(**AUTOMATIC)["warnings"] == [ALSO_TRAINS]
    assert decided(settings_=settings(autoTraining="refuse"))["warnings"] == [], "none does"
    with pytest.raises(RunRefused) as raised:
        decided(settings_=settings(autoTraining="refuse"), **AUTOMATIC)
    assert str(raised.value) == f"1 problem with this run:\n  {ALSO_TRAINS}"


def test_crowded_imports_are_warned_of():
    assert decided(import_slots_used=4)["warnings"] == [
        "5 imports for 5 slots: 4 under way and 1 of this run; some will wait"
    ]


def test_an_import_that_is_resumed_takes_no_slot_of_its_own():
    jobs = {DATASET: [import_summary(jobName=JOB_NAME, status="CREATE IN_PROGRESS")]}
    assert decided(RESUME, import_jobs=jobs, import_slots_used=4)["warnings"] == []


# nothing new

UNCHANGED = {
    "last_import": {DATASET: {"retraining-fingerprint": FINGERPRINT}},
    "versions": {SOLUTION: [version_summary(creationDateTime=ago(47))]},
}
NOTHING_NEW = "nothing is new: the exports are those imported last"


@pytest.mark.parametrize(
    ("request_", "skipped"), [({}, None), ({"dryRun": True}, "this is a dry run")]
)
def test_where_nothing_is_new_a_version_that_waits_is_deployed_without_an_import(request_, skipped):
    plan = decided(request_, **UNCHANGED, named_versions=named(WAITING), trained_by_runs=[VERSION])
    assert (plan["imports"], plan["skipped"]) == ([], skipped)
    assert [each["existingVersionArn"] for each in plan["solutions"]] == [VERSION]


def test_a_run_with_nothing_new_is_skipped():
    plan = decided(**UNCHANGED)
    assert plan["skipped"].startswith(NOTHING_NEW)
    assert (plan["imports"], plan["solutions"]) == ([], [])


def test_an_export_that_is_not_new_is_no_problem():
    """Its marker and its objects are older than the import that took them."""
    marked = dataset_settings(readyMarker="s3://exports/_SUCCESS", importMode="INCREMENTAL")
    old = {"exports": {DATASET: export(objects=[s3_object(modified=ago(100))])}, **UNCHANGED}
    assert decided(settings_=settings(datasets=[marked]), **old)["skipped"].startswith(NOTHING_NEW)


@pytest.mark.parametrize(
    ("request_", "settings_"),
    [
        ({"force": True}, settings()),
        ({"resume": RUN_ID}, settings()),
        ({}, settings(skipWhenUnchanged=False)),
    ],
    ids=["force", "resume", "configured"],
)
def test_a_run_with_nothing_new_goes_on_where_that_was_asked_for(request_, settings_):
    plan = decided(request_, settings_=settings_, **UNCHANGED)
    assert (plan["skipped"], len(plan["imports"])) == (None, 1)


def test_force_may_be_false():
    assert decided({"force": False}, **UNCHANGED)["skipped"].startswith(NOTHING_NEW)


def test_problems_are_told_although_nothing_is_new():
    with pytest.raises(RunRefused, match="CREATE FAILED"):
        decided(**UNCHANGED, datasets={DATASET: dataset_resource(status="CREATE FAILED")})


# the exports

BAD_EXPORT = {"exports": {DATASET: export(objects=[], beginnings=[])}}


@pytest.mark.parametrize("status", ["ACTIVE", "CREATE IN_PROGRESS"])
def test_what_a_resumed_run_has_imported_is_not_judged_again(status):
    """Its objects are older than its own import by now, and may be gone."""
    jobs = {DATASET: [import_summary(jobName=JOB_NAME, status=status)]}
    assert len(decided(RESUME, import_jobs=jobs, **BAD_EXPORT)["imports"]) == 1


@pytest.mark.parametrize("request_", [{}, {"resume": RUN_ID}])
def test_what_will_be_imported_is_judged(request_):
    jobs = {DATASET: [import_summary(jobName=JOB_NAME, status="CREATE FAILED")]}
    with pytest.raises(RunRefused, match="was the export written"):
        decided(request_, import_jobs=jobs, **BAD_EXPORT)


def test_only_a_resumed_run_goes_on_with_an_import_of_its_name():
    jobs = {DATASET: [import_summary(jobName=JOB_NAME)]}
    with pytest.raises(RunRefused, match="was the export written"):
        decided(import_jobs=jobs, **BAD_EXPORT)


# how often

ONCE = settings(
    limits={
        "maxImportHours": 6,
        "maxTrainingHours": 24,
        "maxCampaignHours": 3,
        "maxTrainingsPerMonth": 1,
    }
)
OFTEN = f"{SOLUTION}: versions created within 30 days: 1, and limits.maxTrainingsPerMonth is 1"


def test_a_solution_that_was_trained_often_enough_skips_the_run():
    assert decided(settings_=ONCE) == {**decided(), "skipped": OFTEN}
    assert decided({"dryRun": True}, settings_=ONCE)["skipped"] == OFTEN


def test_a_version_that_exists_is_used_however_often_was_trained():
    assert decided(RESUME, settings_=ONCE, named_versions=named(version()))["skipped"] is None
    assert (
        decided(
            WITHOUT_IMPORT, settings_=ONCE, named_versions=named(WAITING), trained_by_runs=[VERSION]
        )["skipped"]
        is None
    )
