"""What a run does, from its settings, its request and the state of the world."""

import pytest

from functions.errors import RunRefused
from functions.planning import decide
from tests.functions.samples import (
    ARN,
    CAMPAIGN,
    DATASET,
    ITEMS,
    JOB_NAME,
    NOW,
    OLD_VERSION,
    OTHER_SOLUTION,
    PREFIX,
    ROLE,
    RUN_ID,
    SOLUTION,
    TAGS,
    VERSION,
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
    version,
    version_summary,
    world,
)

ATTEMPT_2 = {"jobName": f"{JOB_NAME[:-1]}2", "versionName": f"{VERSION_NAME[:-1]}2"}


def decided(request=None, *, settings_=None, **changes):
    return decide(settings_ or settings(), run(request), world(**changes))


def planned_solution(request=None, *, solution=None, **changes):
    settings_ = settings(solutions=[solution or solution_settings()])
    (planned,) = decided(request, settings_=settings_, **changes)["solutions"]
    return planned


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
                "dataAsOf": iso(47.5),
                "tags": TAGS,
                "durations": [7200],
                "maxHours": 24,
                "campaigns": [{"campaignArn": CAMPAIGN, "durations": [1440000], "maxHours": 3}],
            }
        ],
        "skipped": None,
        "warnings": [],
    }


def two_of_each():
    return {
        "settings_": settings(
            datasets=[dataset_settings(), dataset_settings(type="items", datasetArn=ITEMS)],
            solutions=[solution_settings(), solution_settings(solutionArn=OTHER_SOLUTION)],
        ),
        "import_jobs": {DATASET: [], ITEMS: []},
        "solutions": {arn: solution_resource() for arn in (SOLUTION, OTHER_SOLUTION)},
        "versions": {SOLUTION: [], OTHER_SOLUTION: []},
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
        "3 problems with this run:\n"
        f"  datasets.interactions: importMode INCREMENTAL needs an ACTIVE FULL import of {DATASET} "
        "before; import it once with importMode FULL\n"
        f"  {SOLUTION}: trainingMode UPDATE needs one of the recipes aws-user-personalization, "
        "aws-hrnn-coldstart, and this solution's is aws-sims; train it with FULL\n"
        f"  {SOLUTION}: trainingMode UPDATE needs an ACTIVE version that was trained with FULL, "
        "and there is none; start with trainingMode FULL"
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


# resume


def named(*versions):
    return {each["name"]: each for each in versions}


RESUME = {"resume": RUN_ID}


def test_a_run_that_is_resumed_takes_the_next_attempt_for_what_failed():
    jobs = [import_summary(jobName=JOB_NAME, status="CREATE FAILED")]
    plan = decided(
        RESUME,
        import_jobs={DATASET: jobs},
        named_versions=named(version(status="CREATE STOPPED")),
    )
    assert plan["imports"][0]["jobName"] == ATTEMPT_2["jobName"]
    assert plan["solutions"][0]["versionName"] == ATTEMPT_2["versionName"]
    assert plan["solutions"][0]["existingVersionArn"] is None


@pytest.mark.parametrize("status", ["ACTIVE", "CREATE IN_PROGRESS", "CREATE PENDING"])
def test_a_run_that_is_resumed_keeps_what_did_not_fail(status):
    plan = decided(
        RESUME,
        import_jobs={DATASET: [import_summary(jobName=JOB_NAME, status=status)]},
        named_versions=named(version(status=status)),
    )
    assert plan["imports"][0]["jobName"] == JOB_NAME
    assert plan["solutions"][0]["versionName"] == VERSION_NAME
    assert plan["solutions"][0]["existingVersionArn"] == VERSION


def test_the_third_attempt_follows_the_second():
    versions = named(
        version(status="CREATE FAILED"),
        version(status="CREATE FAILED", name=ATTEMPT_2["versionName"]),
    )
    jobs = [
        import_summary(jobName=name, status="CREATE FAILED")
        for name in (ATTEMPT_2["jobName"], JOB_NAME)
    ]
    plan = decided(RESUME, named_versions=versions, import_jobs={DATASET: jobs})
    assert plan["solutions"][0]["versionName"] == f"{VERSION_NAME[:-1]}3"
    assert plan["imports"][0]["jobName"] == f"{JOB_NAME[:-1]}3"


@pytest.mark.parametrize(
    "job",
    [
        {"import_jobs": {DATASET: [import_summary(jobName=JOB_NAME, status="CREATE FAILED")]}},
        {"named_versions": named(version(status="CREATE FAILED"))},
    ],
    ids=["import", "version"],
)
def test_a_run_that_left_a_job_is_resumed_without_a_warning(job):
    assert decided(RESUME, **job)["warnings"] == []


def test_to_resume_a_run_that_left_no_job_is_warned_of():
    assert decided(RESUME)["warnings"] == [
        f"resume: run {RUN_ID} has made no job, so that everything starts anew"
    ]


def test_a_version_that_was_updated_is_kept_in_its_mode():
    earlier = named(version(trainingMode="UPDATE"))
    assert planned_solution(RESUME, named_versions=earlier)["trainingMode"] == "UPDATE"
    modeless = version()
    del modeless["trainingMode"]
    plan = planned_solution(RESUME, solution=UPDATE, named_versions=named(modeless))
    assert plan["trainingMode"] == "FULL", "what exists is compared with what is planned"
    asked = {**RESUME, "trainingMode": "FULL"}
    assert planned_solution(asked, named_versions=earlier)["trainingMode"] == "FULL"


def test_a_run_that_is_not_resumed_is_the_first_attempt_whatever_there_is():
    plan = decided(
        {"skipImport": True},
        import_jobs={DATASET: [import_summary(jobName=JOB_NAME, status="CREATE FAILED")]},
        named_versions=named(version(status="CREATE FAILED")),
    )
    assert plan["solutions"][0]["versionName"] == VERSION_NAME
    again = decided(
        import_jobs={DATASET: [import_summary(jobName=JOB_NAME, status="CREATE FAILED")]}
    )
    assert again["imports"][0]["jobName"] == JOB_NAME


# a version that waits

WITHOUT_IMPORT = {"skipImport": True}
WAITING = version(
    name=f"{PREFIX}-20261122T030000Z-0b519087-1", status="ACTIVE", creationDateTime=ago(47)
)


def existing(request=WITHOUT_IMPORT, *versions, **changes):
    versions = versions or (WAITING,)
    return planned_solution(request, named_versions=named(*versions), **changes)[
        "existingVersionArn"
    ]


def test_a_waiting_version_that_knows_all_data_is_deployed_rather_than_trained_again():
    assert existing() == VERSION


@pytest.mark.parametrize(
    "version_",
    [
        {**WAITING, "creationDateTime": ago(47.5)},
        {**WAITING, "creationDateTime": ago(48)},
        {**WAITING, "status": "CREATE IN_PROGRESS"},
        {**WAITING, "status": "CREATE FAILED"},
        {**WAITING, "solutionArn": OTHER_SOLUTION},
        {**WAITING, "name": "by-hand"},
        {**WAITING, "name": f"ffffffff{WAITING['name'][8:]}"},
        {**WAITING, "name": f"{PREFIX}x"},
    ],
    ids=[
        "same time",
        "older",
        "training",
        "failed",
        "other solution",
        "by hand",
        "stack",
        "prefix",
    ],
)
def test_another_version_does_not_wait(version_):
    assert existing(WITHOUT_IMPORT, version_) is None


def test_the_newest_version_of_all_decides():
    by_hand = {**WAITING, "name": "by-hand", "solutionVersionArn": f"{SOLUTION}/by-hand"}
    assert existing(WITHOUT_IMPORT, by_hand, WAITING) is None, "ours is not the newest"
    failed = {**by_hand, "status": "CREATE FAILED"}
    assert existing(WITHOUT_IMPORT, failed, WAITING) == VERSION


def test_a_version_that_every_campaign_serves_does_not_wait():
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=VERSION)}
    assert existing(campaigns=campaigns) is None


def test_a_version_that_one_campaign_lacks_waits():
    two = [{"campaignArn": CAMPAIGN}, {"campaignArn": f"{CAMPAIGN}2"}]
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=VERSION), f"{CAMPAIGN}2": campaign()}
    solution = solution_settings(campaigns=two)
    assert existing(solution=solution, campaigns=campaigns) == VERSION


def test_a_solution_without_campaigns_has_nothing_waiting():
    assert existing(solution=solution_settings(campaigns=[])) is None


def test_a_run_that_is_resumed_keeps_its_own_version_before_any_that_waits():
    own = version(solutionVersionArn=f"{SOLUTION}/own")
    assert existing({**WITHOUT_IMPORT, **RESUME}, own, WAITING) == f"{SOLUTION}/own"


def test_who_asks_for_a_training_mode_gets_a_training():
    assert existing({"skipImport": True, "trainingMode": "FULL"}) is None


def test_a_run_that_imports_trains():
    assert existing({}) is None


def test_without_any_import_a_version_knows_all_data():
    assert existing(import_jobs={DATASET: []}) == VERSION


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
    plan = decided({"skipImport": True}, settings_=settings_, import_jobs=jobs)
    assert plan["solutions"][0]["dataAsOf"] == OLDER_BUT_GOOD


OLDER_BUT_GOOD = iso(20)


def test_the_data_is_of_no_time_where_nothing_was_imported():
    assert planned_solution(import_jobs={DATASET: []})["dataAsOf"] is None
    assert OLD_VERSION in str(world().campaigns), "the campaign serves an old version all the same"
