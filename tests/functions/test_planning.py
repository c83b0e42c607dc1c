"""What a run does, from its settings, its request and the state of the world."""

import pytest

from functions.errors import RunRefused
from functions.planning.decide import datasets_of
from functions.planning.planned_jobs import planned_import
from tests.functions.deciding import (
    WITHOUT_IMPORT,
    decided,
    planned_solution,
    two_datasets,
    two_of_each,
)
from tests.functions.samples import (
    ARN,
    CAMPAIGN,
    DATASET,
    ITEMS,
    JOB_NAME,
    NOW,
    OLD_VERSION,
    OTHER_SOLUTION,
    ROLE,
    RULES,
    RUN_ID,
    SOLUTION,
    TAGS,
    VERSION_NAME,
    ago,
    campaign,
    campaign_update,
    dataset_settings,
    import_summary,
    iso,
    run,
    settings,
    solution_resource,
    solution_settings,
    version_summary,
    world,
)


def test_a_run_imports_trains_and_updates_what_is_configured():
    assert decided() == {
        "imports": [
            {
                "type": "interactions",
                "jobName": JOB_NAME,
                "datasetArn": DATASET,
                "dataLocation": "s3://exports/interactions.csv",
                "importMode": "FULL",
                "roleArn": ROLE,
                "tags": TAGS,
                "durations": [1800],
                "maxHours": 6,
            }
        ],
        "solutions": [
            {
                "solutionArn": SOLUTION,
                "versionName": VERSION_NAME,
                "trainingMode": "FULL",
                "existingVersionArn": None,
                "existingVersionIsForeign": False,
                "dataAsOf": iso(47.5),
                "tags": TAGS,
                "qualityGate": RULES,
                "durations": [7200],
                "maxHours": 24,
                "campaigns": [
                    {
                        "campaignArn": CAMPAIGN,
                        "probe": None,
                        "durations": [1440000],
                        "maxHours": 3,
                    }
                ],
            }
        ],
        "skipped": None,
        "warnings": [],
    }


def test_a_request_may_choose_datasets_and_solutions():
    plan = decided({"datasets": ["items"], "solutions": [OTHER_SOLUTION]}, **two_of_each())
    assert [each["type"] for each in plan["imports"]] == ["items"]
    assert [each["solutionArn"] for each in plan["solutions"]] == [OTHER_SOLUTION]


def test_everything_is_imported_and_trained_where_nothing_is_chosen():
    plan = decided(**two_of_each())
    assert [each["type"] for each in plan["imports"]] == ["interactions", "items"]
    assert [each["solutionArn"] for each in plan["solutions"]] == [SOLUTION, OTHER_SOLUTION]


def test_a_run_may_skip_the_import():
    assert decided({"skipImport": True, "datasets": ["interactions"]})["imports"] == []
    assert len(decided({"skipImport": False})["imports"]) == 1


def test_a_dry_run_plans_everything_and_does_nothing():
    plan = decided({"dryRun": True})
    assert plan == {**decided(), "skipped": "this is a dry run"}
    assert decided({"dryRun": False})["skipped"] is None


SCHEDULED = {"trigger": "schedule", "scheduledTime": NOW.isoformat()}


def test_an_event_of_the_deployment_is_skipped_even_with_problems():
    settings_ = settings(datasets=[dataset_settings(importMode="INCREMENTAL")])
    changes = {"import_jobs": {DATASET: []}, "schedule_changed_at": NOW}
    plan = decided(SCHEDULED, settings_=settings_, **changes)
    assert plan["skipped"].startswith("the schedule was created or changed at 2026-11-29T03:00:00")


def test_a_run_is_refused_with_every_problem():
    settings_ = settings(
        datasets=[dataset_settings(importMode="INCREMENTAL")],
        solutions=[solution_settings(trainingMode="UPDATE", fullEveryDays=7)],
    )
    changes = {
        "import_jobs": {DATASET: []},
        "solutions": {SOLUTION: solution_resource(recipeArn=f"{ARN}:::recipe/aws-sims")},
        "versions": {SOLUTION: []},
    }
    with pytest.raises(RunRefused) as raised:
        decided({"trainingMode": "UPDATE"}, settings_=settings_, **changes)
    assert str(raised.value) == (
        "4 problems with this run:\n"
        f"  datasets.interactions: importMode INCREMENTAL needs an ACTIVE FULL import of {DATASET} "
        "before; import it once with importMode FULL\n"
        f"  {SOLUTION}: trainingMode UPDATE needs one of the recipes aws-user-personalization, "
        "aws-hrnn-coldstart, and this solution's is aws-sims; train it with FULL\n"
        f"  {SOLUTION}: trainingMode UPDATE needs an ACTIVE version that was trained with FULL, "
        "and there is none; start with trainingMode FULL\n"
        "  datasets.interactions: s3://exports/interactions.csv has 1 interactions; an INCREMENTAL "
        "import takes at least 1000 new ones: import less often, or use importMode FULL"
    )


def test_a_single_problem_is_no_problems():
    assert str(RunRefused(["a: b"])) == "1 problem with this run:\n  a: b"


def test_what_the_run_leaves_out_cannot_refuse_it():
    settings_ = settings(datasets=[dataset_settings(importMode="INCREMENTAL")])
    plan = decided({"skipImport": True}, settings_=settings_, import_jobs={DATASET: []})
    assert plan["imports"] == []


# how long jobs take


def test_durations_are_of_the_last_five_imports_that_succeeded_in_this_mode():
    def lasted(minutes, **changes):
        times = {"creationDateTime": ago(minutes=minutes), "lastUpdatedDateTime": NOW}
        return import_summary(**times, **changes)

    old = lasted(3)
    del old["importMode"]
    jobs = [
        lasted(1, status="CREATE FAILED"),
        lasted(2, importMode="INCREMENTAL"),
        old,
        *(lasted(minutes) for minutes in (4, 5, 6, 7, 8)),
    ]
    (planned,) = decided(import_jobs={DATASET: jobs})["imports"]
    assert planned["durations"] == [180, 240, 300, 360, 420]


def test_durations_are_of_versions_trained_in_this_mode():
    other = version_summary(trainingMode="UPDATE", lastUpdatedDateTime=ago(71.5))
    nameless = version_summary(lastUpdatedDateTime=ago(71))
    del nameless["trainingMode"]
    versions = {SOLUTION: [other, nameless, version_summary()]}
    assert planned_solution(versions=versions)["durations"] == [3600, 7200]
    assert planned_solution({"trainingMode": "UPDATE"}, versions=versions)["durations"] == [1800]


@pytest.mark.parametrize(("status", "durations"), [("ACTIVE", [60]), ("UPDATE FAILED", [])])
def test_a_campaign_updates_as_fast_as_the_last_time(status, durations):
    latest = campaign_update(status=status)
    campaigns = {CAMPAIGN: campaign(latestCampaignUpdate=latest)}
    (planned,) = planned_solution(campaigns=campaigns)["campaigns"]
    assert planned["durations"] == durations


# the training mode

UPDATE = solution_settings(trainingMode="UPDATE", fullEveryDays=7)


@pytest.mark.parametrize(
    ("hours", "mode"), [(6.5 * 24 - 0.01, "UPDATE"), (6.5 * 24, "FULL"), (7 * 24 + 1, "FULL")]
)
def test_an_update_becomes_full_when_the_last_full_one_is_too_old(hours, mode):
    versions = {SOLUTION: [version_summary(creationDateTime=ago(hours))]}
    assert planned_solution(solution=UPDATE, versions=versions)["trainingMode"] == mode, (
        "a version may have been created half a day after its run began"
    )


def test_the_first_training_of_an_updated_solution_is_full():
    assert planned_solution(solution=UPDATE, versions={SOLUTION: []})["trainingMode"] == "FULL"


@pytest.mark.parametrize("mode", ["FULL", "UPDATE"])
@pytest.mark.parametrize("solution", [UPDATE, solution_settings()])
def test_the_request_decides_about_the_mode(mode, solution):
    assert planned_solution({"trainingMode": mode}, solution=solution)["trainingMode"] == mode


# what is remembered


def test_a_version_remembers_all_exports_together():
    plan = decided(**two_of_each())
    assert [each["tags"]["retraining-bytes"] for each in plan["imports"]] == ["1000", "1000"]
    assert plan["solutions"][0]["tags"] == {
        "team": "recommendations",
        "retraining-run": RUN_ID,
        "retraining-bytes": "2000",
        "retraining-objects": "2",
        "retraining-fingerprint": "05eccbb24ea50472c333e10d7e0a29b4",
    }


def test_a_version_without_imports_remembers_the_run():
    tags = planned_solution(WITHOUT_IMPORT, exports={})["tags"]
    assert tags == {"team": "recommendations", "retraining-run": RUN_ID}


def test_our_own_facts_are_not_the_stacks_to_change():
    planned = planned_import(
        settings(tags={"retraining-run": "x"}), run(), world(), dataset_settings()
    )
    assert planned["tags"]["retraining-run"] == RUN_ID


# what the data is of


def test_the_data_is_as_of_the_newest_import_of_any_dataset_that_succeeded():
    jobs = {
        DATASET: [
            import_summary(status="CREATE FAILED", lastUpdatedDateTime=ago(1)),
            import_summary(lastUpdatedDateTime=ago(30)),
        ],
        ITEMS: [import_summary(lastUpdatedDateTime=ago(20))],
    }
    settings_ = settings(
        datasets=[dataset_settings(), dataset_settings(type="items", datasetArn=ITEMS)]
    )
    known = {**two_datasets(), "import_jobs": jobs}
    plan = decided({"skipImport": True}, settings_=settings_, **known)
    assert plan["solutions"][0]["dataAsOf"] == iso(20)


def test_the_data_is_of_no_time_where_nothing_was_imported():
    assert planned_solution(import_jobs={DATASET: []})["dataAsOf"] is None
    assert OLD_VERSION in str(world().campaigns), "the campaign serves an old version all the same"


# where the data lies

DATED = dataset_settings(
    dataLocation="s3://exports/{date}/{date}.csv", readyMarker="s3://exports/{date}/_SUCCESS"
)


@pytest.mark.parametrize(
    ("changes", "day"),
    [
        ({"id": "20261128T233000Z"}, "2026-11-28"),
        ({"id": "20261128-0a1b2c3d"}, "2026-11-28"),
        ({"id": "20261128T233000Z", "startedAt": "2026-12-01T00:00:00Z"}, "2026-11-28"),
        ({"id": "20261128-0a1b2c3d", "startedAt": "2026-12-01T00:00:00Z"}, "2026-11-28"),
    ],
    ids=["its slot", "its start", "its slot, also when resumed", "its start, when resumed"],
)
def test_a_date_in_a_location_is_the_runs_day(changes, day):
    (dataset,) = datasets_of(settings(datasets=[DATED]), run(**changes))
    assert dataset == {
        **DATED,
        "dataLocation": f"s3://exports/{day}/{day}.csv",
        "readyMarker": f"s3://exports/{day}/_SUCCESS",
    }


def test_what_has_no_date_stays_as_it_is():
    assert datasets_of(settings(), run()) == [dataset_settings()]
