"""Tests of the planned jobs: names, tags, durations, modes, and versions that are used again."""

import pytest

from functions.personalize.verdicts import verdict_tags
from functions.planning import planned_jobs
from tests.functions.samples import (
    CAMPAIGN,
    DATASET,
    FOREIGN_VERSION,
    JOB_NAME,
    NOW,
    OLD_VERSION,
    OTHER_SOLUTION,
    PREFIX,
    PROBE,
    RUN_ID,
    SOLUTION,
    VERSION,
    VERSION_NAME,
    ago,
    campaign,
    campaign_settings,
    campaign_update,
    dataset_settings,
    import_summary,
    iso,
    settings,
    situation,
    solution_settings,
    version,
    version_summary,
)

RESUME = {"resume": RUN_ID}
WITHOUT_IMPORT = {"skipImport": True}
SECOND_JOB_NAME = f"{JOB_NAME[:-1]}2"
SECOND_VERSION_NAME = f"{VERSION_NAME[:-1]}2"
UPDATE = solution_settings(trainingMode="UPDATE", fullEveryDays=7)


def planned_import(request=None, *, dataset=None, **changes):
    """Return the import of a dataset in the standard world with these changes."""
    of_dataset = situation(request, **changes).with_dataset(dataset or dataset_settings())
    return planned_jobs.planned_import(of_dataset)


def planned_solution(request=None, *, solution=None, **changes):
    """Return the training of a solution in the standard world with these changes."""
    of_solution = situation(request, **changes).with_solution(solution or solution_settings())
    return planned_jobs.planned_solution(of_solution)


def by_name(*versions):
    return {each["name"]: each for each in versions}


# Names and tags


def test_an_import_has_a_name_tags_and_a_location():
    assert planned_import(import_jobs={DATASET: []}) == {
        "type": "interactions",
        "jobName": JOB_NAME,
        "dataLocation": "s3://exports/interactions.csv",
        "tags": {
            "retraining-run": RUN_ID,
            "retraining-bytes": "1000",
            "retraining-bytes-counted": "first level",
            "retraining-fingerprint": "e4f62bba75eba9fa267af92b48fb83dc",
        },
        "durations": [],
    }


def test_a_training_has_a_name_tags_and_campaigns():
    planned = planned_solution()
    assert (planned["versionName"], planned["tags"]) == (VERSION_NAME, {"retraining-run": RUN_ID})
    assert [campaign["campaignArn"] for campaign in planned["campaigns"]] == [CAMPAIGN]


@pytest.mark.parametrize(("probe", "is_probed"), [(None, False), (PROBE, True)])
def test_a_campaign_with_a_probe_is_probed(probe, is_probed):
    solution = solution_settings(campaigns=[campaign_settings(probe=probe)])
    (planned,) = planned_solution(solution=solution)["campaigns"]
    assert planned["isProbed"] is is_probed


# Durations


def test_durations_are_those_of_the_last_five_successful_imports_with_this_mode():
    def lasted(minutes, **changes):
        times = {"creationDateTime": ago(minutes=minutes), "lastUpdatedDateTime": NOW}
        return import_summary(**times, **changes)

    without_mode = lasted(3)
    del without_mode["importMode"]
    jobs = [
        lasted(1, status="CREATE FAILED"),
        lasted(2, importMode="INCREMENTAL"),
        without_mode,
        *(lasted(minutes) for minutes in (4, 5, 6, 7, 8)),
    ]
    assert planned_import(import_jobs={DATASET: jobs})["durations"] == [180, 240, 300, 360, 420]


def test_durations_are_those_of_versions_trained_with_this_mode():
    update = version_summary(trainingMode="UPDATE", lastUpdatedDateTime=ago(71.5))
    without_mode = version_summary(lastUpdatedDateTime=ago(71))
    del without_mode["trainingMode"]
    versions = {SOLUTION: [update, without_mode, version_summary()]}
    assert planned_solution(versions=versions)["durations"] == [3600, 7200]
    assert planned_solution({"trainingMode": "UPDATE"}, versions=versions)["durations"] == [1800]


@pytest.mark.parametrize(
    ("latest", "durations"),
    [
        ({"latestCampaignUpdate": campaign_update(status="ACTIVE")}, [60]),
        ({"latestCampaignUpdate": campaign_update(status="UPDATE FAILED")}, []),
        ({}, [1440000]),
    ],
    ids=["updated", "failed", "never updated"],
)
def test_the_duration_of_an_update_is_that_of_the_last_update_or_of_the_creation(latest, durations):
    (planned,) = planned_solution(campaigns={CAMPAIGN: campaign(**latest)})["campaigns"]
    assert planned["durations"] == durations


def test_without_any_import_the_data_are_of_no_time():
    assert planned_solution(import_jobs={DATASET: []})["dataAsOf"] is None
    assert planned_solution()["dataAsOf"] == iso(47.5)


# The training mode


@pytest.mark.parametrize(
    ("hours", "mode"), [(6.5 * 24 - 0.01, "UPDATE"), (6.5 * 24, "FULL"), (7 * 24 + 1, "FULL")]
)
def test_an_update_becomes_full_if_the_last_full_version_is_too_old(hours, mode):
    versions = {SOLUTION: [version_summary(creationDateTime=ago(hours))]}
    assert planned_solution(solution=UPDATE, versions=versions)["trainingMode"] == mode, (
        "a version may be created half a day after its run began"
    )


def test_the_first_training_of_an_updated_solution_is_full():
    assert planned_solution(solution=UPDATE, versions={SOLUTION: []})["trainingMode"] == "FULL"


@pytest.mark.parametrize("mode", ["FULL", "UPDATE"])
@pytest.mark.parametrize("solution", [UPDATE, solution_settings()])
def test_the_mode_of_the_request_counts_first(mode, solution):
    assert planned_solution({"trainingMode": mode}, solution=solution)["trainingMode"] == mode


def test_the_newest_full_version_is_the_first_that_succeeded():
    without_mode = version_summary()
    del without_mode["trainingMode"]
    versions = [
        version_summary(solutionVersionArn=f"{SOLUTION}/3", status="CREATE FAILED"),
        version_summary(solutionVersionArn=f"{SOLUTION}/2", trainingMode="UPDATE"),
        without_mode,
        version_summary(solutionVersionArn=f"{SOLUTION}/0"),
    ]
    of_solution = situation(versions={SOLUTION: versions}).with_solution(UPDATE)
    assert planned_jobs.newest_full_version(of_solution)["solutionVersionArn"] == OLD_VERSION


# A resumed run


def test_a_resumed_run_starts_the_next_attempt_of_a_job_that_failed():
    jobs = [import_summary(jobName=JOB_NAME, status="CREATE FAILED")]
    assert planned_import(RESUME, import_jobs={DATASET: jobs})["jobName"] == SECOND_JOB_NAME
    planned = planned_solution(RESUME, versions_by_name=by_name(version(status="CREATE STOPPED")))
    assert planned["versionName"] == SECOND_VERSION_NAME
    assert planned["existingVersionArn"] is None


def test_the_third_attempt_follows_the_second():
    jobs = [
        import_summary(jobName=name, status="CREATE FAILED") for name in (SECOND_JOB_NAME, JOB_NAME)
    ]
    third_job = planned_import(RESUME, import_jobs={DATASET: jobs})
    versions = by_name(
        version(status="CREATE FAILED"),
        version(status="CREATE FAILED", name=SECOND_VERSION_NAME),
    )
    third_version = planned_solution(RESUME, versions_by_name=versions)
    assert third_job["jobName"] == f"{JOB_NAME[:-1]}3"
    assert third_version["versionName"] == f"{VERSION_NAME[:-1]}3"


@pytest.mark.parametrize("status", ["ACTIVE", "CREATE IN_PROGRESS", "CREATE PENDING"])
def test_a_resumed_run_keeps_a_job_that_did_not_fail(status):
    jobs = {DATASET: [import_summary(jobName=JOB_NAME, status=status)]}
    assert planned_import(RESUME, import_jobs=jobs)["jobName"] == JOB_NAME
    planned = planned_solution(RESUME, versions_by_name=by_name(version(status=status)))
    assert (planned["versionName"], planned["existingVersionArn"]) == (VERSION_NAME, VERSION)


def test_a_run_that_is_not_resumed_starts_the_first_attempt():
    jobs = {DATASET: [import_summary(jobName=JOB_NAME, status="CREATE FAILED")]}
    assert planned_import(import_jobs=jobs)["jobName"] == JOB_NAME
    failed = by_name(version(status="CREATE FAILED"))
    planned = planned_solution(WITHOUT_IMPORT, versions_by_name=failed)
    assert planned["versionName"] == VERSION_NAME


def test_a_resumed_run_keeps_a_version_in_its_mode():
    update = by_name(version(trainingMode="UPDATE"))
    assert planned_solution(RESUME, versions_by_name=update)["trainingMode"] == "UPDATE"
    without_mode = version()
    del without_mode["trainingMode"]
    planned = planned_solution(RESUME, solution=UPDATE, versions_by_name=by_name(without_mode))
    assert planned["trainingMode"] == "FULL", "an existing version is compared with the plan"
    full = {**RESUME, "trainingMode": "FULL"}
    assert planned_solution(full, versions_by_name=update)["trainingMode"] == "FULL"


def test_a_resumed_run_updates_all_its_campaigns():
    """A campaign that serves the version already may still have to be probed."""
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=VERSION)}
    planned = planned_solution(RESUME, campaigns=campaigns, versions_by_name=by_name(version()))
    assert [campaign["campaignArn"] for campaign in planned["campaigns"]] == [CAMPAIGN]


# A version that waits for a campaign

WAITING = version(
    name=f"{PREFIX}-20261122T030000Z-0b519087-1", status="ACTIVE", creationDateTime=ago(47)
)


def existing(request=WITHOUT_IMPORT, *versions, **changes):
    """Return the version that a plan uses. Runs have trained all these versions."""
    versions = versions or (WAITING,)
    arns = {each["solutionVersionArn"] for each in versions}
    known = {"versions_by_name": by_name(*versions), "trained_by_runs": arns, **changes}
    return planned_solution(request, **known)["existingVersionArn"]


def test_a_waiting_version_that_knows_all_data_is_deployed_without_a_training():
    assert existing() == VERSION


@pytest.mark.parametrize(
    "version_",
    [
        {**WAITING, "creationDateTime": ago(47.5)},
        {**WAITING, "creationDateTime": ago(48)},
        {**WAITING, "status": "CREATE IN_PROGRESS"},
        {**WAITING, "status": "CREATE FAILED"},
        {**WAITING, "solutionArn": OTHER_SOLUTION},
    ],
    ids=["same time as the import", "older", "in training", "failed", "of another solution"],
)
def test_no_other_version_waits(version_):
    assert existing(WITHOUT_IMPORT, version_) is None


def test_a_version_that_no_run_trained_does_not_wait_whatever_its_name_is():
    assert existing(trained_by_runs=()) is None


@pytest.mark.parametrize("name", [f"ffffffff{WAITING['name'][8:]}", "renamed"])
def test_a_version_that_a_run_of_an_earlier_stack_trained_waits(name):
    renamed = by_name({**WAITING, "name": name})
    planned = planned_solution(WITHOUT_IMPORT, versions_by_name=renamed, trained_by_runs=[VERSION])
    assert (planned["existingVersionArn"], planned["existingVersionIsForeign"]) == (VERSION, False)


def test_only_the_newest_version_can_wait():
    by_hand = {**WAITING, "name": "by-hand", "solutionVersionArn": f"{SOLUTION}/by-hand"}
    own = {"trained_by_runs": [VERSION]}
    assert existing(WITHOUT_IMPORT, by_hand, WAITING, **own) is None, "the newest one is foreign"
    failed = {**by_hand, "status": "CREATE FAILED"}
    assert existing(WITHOUT_IMPORT, failed, WAITING, **own) == VERSION


def test_a_version_that_every_campaign_serves_does_not_wait():
    assert existing(campaigns={CAMPAIGN: campaign(solutionVersionArn=VERSION)}) is None


def test_only_the_campaigns_that_lack_the_version_are_updated():
    second = f"{CAMPAIGN}2"
    campaigns = [campaign_settings(), campaign_settings(campaignArn=second)]
    planned = planned_solution(
        WITHOUT_IMPORT,
        solution=solution_settings(campaigns=campaigns),
        campaigns={CAMPAIGN: campaign(solutionVersionArn=VERSION), second: campaign()},
        versions_by_name=by_name(WAITING),
        trained_by_runs=[VERSION],
    )
    assert planned["existingVersionArn"] == VERSION
    assert [campaign["campaignArn"] for campaign in planned["campaigns"]] == [second]


NEWER = version_summary(solutionVersionArn=FOREIGN_VERSION, creationDateTime=ago(1))


@pytest.mark.parametrize(
    ("status", "expected"),
    [("ACTIVE", None), ("CREATE FAILED", VERSION)],
    ids=["served", "only named"],
)
def test_a_campaign_that_serves_a_newer_version_does_not_wait(status, expected):
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=FOREIGN_VERSION, status=status)}
    assert existing(campaigns=campaigns, versions={SOLUTION: [NEWER]}) == expected


@pytest.mark.parametrize(
    ("update", "waits"),
    [
        ({"status": "ACTIVE", "creationDateTime": ago(1)}, False),
        ({"status": "UPDATE IN_PROGRESS", "creationDateTime": ago(1)}, False),
        ({"status": "ACTIVE", "creationDateTime": WAITING["creationDateTime"]}, True),
        ({"status": "CREATE FAILED", "creationDateTime": ago(1)}, False),
        (
            {
                "status": "CREATE FAILED",
                "creationDateTime": ago(1),
                "solutionVersionArn": VERSION,
            },
            True,
        ),
        (
            {
                "status": "UPDATE IN_PROGRESS",
                "creationDateTime": ago(1),
                "solutionVersionArn": VERSION,
            },
            True,
        ),
    ],
    ids=[
        "moved back by a person",
        "being moved back by a person",
        "moved before the training",
        "update of a person failed",
        "update failed",
        "update is late",
    ],
)
def test_a_campaign_that_was_moved_since_the_training_does_not_wait(update, waits):
    latest = {"solutionVersionArn": OLD_VERSION, "lastUpdatedDateTime": ago(1), **update}
    campaigns = {CAMPAIGN: campaign(latestCampaignUpdate=latest)}
    assert existing(campaigns=campaigns) == (VERSION if waits else None)


def test_no_version_waits_for_a_solution_without_campaigns():
    assert existing(solution=solution_settings(campaigns=[])) is None


def test_a_campaign_that_was_rolled_back_without_a_verdict_waits():
    latest = campaign_update(
        solutionVersionArn=OLD_VERSION, status="ACTIVE", creationDateTime=ago(1)
    )
    rolled_back = {
        "campaigns": {CAMPAIGN: campaign(latestCampaignUpdate=latest)},
        "campaign_tags": {CAMPAIGN: {"retraining-trial": f"ended {iso(1)}"}},
    }
    assert existing(**rolled_back) == VERSION


@pytest.mark.parametrize("verdict", ["REJECTED", "ROLLED_BACK"])
def test_a_version_with_a_verdict_does_not_wait_until_the_live_version_changes(verdict):
    tags = verdict_tags(settings(), CAMPAIGN, VERSION, verdict, OLD_VERSION)
    known = {"campaign_tags": {CAMPAIGN: tags}}
    assert existing(**known) is None
    moved = {CAMPAIGN: campaign(solutionVersionArn=f"{SOLUTION}/other")}
    assert existing(**known, campaigns=moved) == VERSION


def test_a_version_that_an_earlier_release_rolled_back_is_neither_resumed_nor_waiting():
    known = {"verdicts": {VERSION: "ROLLED_BACK"}}
    own = by_name(version(status="ACTIVE"))
    resumed = planned_solution(RESUME, versions_by_name=own, **known)
    assert resumed["versionName"] == SECOND_VERSION_NAME
    assert resumed["existingVersionArn"] is None
    assert existing(WITHOUT_IMPORT, WAITING, **known) is None


def test_a_request_for_a_training_mode_trains():
    assert existing({"skipImport": True, "trainingMode": "FULL"}) is None


def test_a_run_that_imports_trains():
    assert existing({}) is None


def test_without_any_import_a_version_knows_all_data():
    assert existing(import_jobs={DATASET: []}) == VERSION


def test_a_resumed_run_prefers_its_version_to_a_waiting_one():
    own = version(solutionVersionArn=f"{SOLUTION}/own")
    assert existing({**WITHOUT_IMPORT, **RESUME}, own, WAITING) == f"{SOLUTION}/own"


# A foreign version that was adopted

ADOPTED = version(solutionVersionArn=FOREIGN_VERSION, name="by-hand", creationDateTime=ago(1))


@pytest.mark.parametrize("status", ["ACTIVE", "CREATE IN_PROGRESS"])
def test_a_resumed_run_goes_on_with_the_version_that_it_adopted(status):
    planned = planned_solution(RESUME, adopted_versions={SOLUTION: {**ADOPTED, "status": status}})
    assert planned["existingVersionArn"] == FOREIGN_VERSION
    assert planned["existingVersionIsForeign"] is True, "a foreign version is never stopped"
    assert planned["versionName"] == VERSION_NAME


def test_an_adopted_version_that_trained_automatically_is_planned_as_full():
    adopted = {SOLUTION: {**ADOPTED, "status": "ACTIVE", "trainingMode": "AUTOTRAIN"}}
    assert planned_solution(RESUME, adopted_versions=adopted)["trainingMode"] == "FULL"


@pytest.mark.parametrize(
    ("request_", "changes"),
    [
        (RESUME, {"adopted_versions": {SOLUTION: {**ADOPTED, "status": "CREATE FAILED"}}}),
        (RESUME, {"adopted_versions": {OTHER_SOLUTION: ADOPTED}}),
        (
            RESUME,
            {"adopted_versions": {SOLUTION: ADOPTED}, "verdicts": {FOREIGN_VERSION: "ROLLED_BACK"}},
        ),
        ({}, {"adopted_versions": {SOLUTION: ADOPTED}}),
    ],
    ids=["failed", "of another solution", "rolled back", "not resumed"],
)
def test_any_other_adopted_version_is_not_used(request_, changes):
    assert planned_solution(request_, **changes)["existingVersionArn"] is None


def test_an_adopted_version_can_wait_too():
    planned = planned_solution(
        WITHOUT_IMPORT,
        adopted_versions={SOLUTION: {**ADOPTED, "status": "ACTIVE"}},
        versions_by_name=by_name(WAITING),
        trained_by_runs=[VERSION],
    )
    assert planned["existingVersionArn"] == FOREIGN_VERSION, "it is the newer version"
