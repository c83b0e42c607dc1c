"""What a run takes over from earlier ones: its own jobs, versions that wait, adopted ones."""

import pytest

from tests.functions.deciding import (
    ATTEMPT_2,
    RESUME,
    WAITING,
    WITHOUT_IMPORT,
    decided,
    named,
    planned_solution,
)
from tests.functions.samples import (
    CAMPAIGN,
    DATASET,
    FOREIGN_VERSION,
    JOB_NAME,
    OLD_VERSION,
    OTHER_SOLUTION,
    RUN_ID,
    SOLUTION,
    VERSION,
    VERSION_NAME,
    ago,
    campaign,
    import_summary,
    solution_settings,
    version,
    version_summary,
)

# resume


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
    plan = planned_solution(
        RESUME,
        solution=solution_settings(trainingMode="UPDATE", fullEveryDays=7),
        named_versions=named(modeless),
    )
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


def existing(request=WITHOUT_IMPORT, *versions, **changes):
    """Return the version that a plan uses; of those given, runs have trained all."""
    versions = versions or (WAITING,)
    arns = {each["solutionVersionArn"] for each in versions}
    known = {"named_versions": named(*versions), "trained_by_runs": arns, **changes}
    return planned_solution(request, **known)["existingVersionArn"]


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
    ],
    ids=["same time", "older", "training", "failed", "other solution"],
)
def test_another_version_does_not_wait(version_):
    assert existing(WITHOUT_IMPORT, version_) is None


def test_a_version_that_no_run_trained_does_not_wait_whatever_its_name():
    assert existing(trained_by_runs=()) is None


@pytest.mark.parametrize("name", [f"ffffffff{WAITING['name'][8:]}", "renamed"])
def test_a_version_that_a_run_of_an_earlier_stack_trained_waits(name):
    plan = planned_solution(
        WITHOUT_IMPORT, named_versions=named({**WAITING, "name": name}), trained_by_runs=[VERSION]
    )
    assert (plan["existingVersionArn"], plan["existingVersionIsForeign"]) == (VERSION, False)


def test_the_newest_version_of_all_decides():
    by_hand = {**WAITING, "name": "by-hand", "solutionVersionArn": f"{SOLUTION}/by-hand"}
    ours = {"trained_by_runs": [VERSION]}
    assert existing(WITHOUT_IMPORT, by_hand, WAITING, **ours) is None, "ours is not the newest"
    failed = {**by_hand, "status": "CREATE FAILED"}
    assert existing(WITHOUT_IMPORT, failed, WAITING, **ours) == VERSION


def test_a_version_that_every_campaign_serves_does_not_wait():
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=VERSION)}
    assert existing(campaigns=campaigns) is None


def test_a_version_that_one_campaign_lacks_waits():
    two = [{"campaignArn": CAMPAIGN, "probe": None}, {"campaignArn": f"{CAMPAIGN}2", "probe": None}]
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=VERSION), f"{CAMPAIGN}2": campaign()}
    plan = planned_solution(
        WITHOUT_IMPORT,
        solution=solution_settings(campaigns=two),
        campaigns=campaigns,
        named_versions=named(WAITING),
        trained_by_runs=[VERSION],
    )
    assert plan["existingVersionArn"] == VERSION
    assert [each["campaignArn"] for each in plan["campaigns"]] == [f"{CAMPAIGN}2"], (
        "the others are left as they are"
    )


def test_a_resumed_run_moves_all_its_campaigns():
    """One that serves the version already may still have to be probed."""
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=VERSION)}
    plan = planned_solution(RESUME, campaigns=campaigns, named_versions=named(version()))
    assert [each["campaignArn"] for each in plan["campaigns"]] == [CAMPAIGN]


NEWER = version_summary(solutionVersionArn=FOREIGN_VERSION, creationDateTime=ago(1))


@pytest.mark.parametrize(
    ("status", "found"),
    [("ACTIVE", None), ("CREATE FAILED", VERSION)],
    ids=["served", "named only"],
)
def test_a_campaign_that_serves_a_newer_version_waits_for_nothing(status, found):
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=FOREIGN_VERSION, status=status)}
    assert existing(campaigns=campaigns, versions={SOLUTION: [NEWER]}) == found


@pytest.mark.parametrize(
    ("update", "waits"),
    [
        ({"status": "ACTIVE", "creationDateTime": ago(1)}, False),
        ({"status": "UPDATE IN_PROGRESS", "creationDateTime": ago(1)}, False),
        ({"status": "ACTIVE", "creationDateTime": WAITING["creationDateTime"]}, True),
        ({"status": "CREATE FAILED", "creationDateTime": ago(1)}, True),
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
        "moved back by hand",
        "on its way back by hand",
        "moved before",
        "our update failed",
        "our update is late",
    ],
)
def test_a_campaign_that_was_moved_since_waits_for_nothing(update, waits):
    latest = {"solutionVersionArn": OLD_VERSION, "lastUpdatedDateTime": ago(1), **update}
    campaigns = {CAMPAIGN: campaign(latestCampaignUpdate=latest)}
    assert existing(campaigns=campaigns) == (VERSION if waits else None)


def test_a_solution_without_campaigns_has_nothing_waiting():
    assert existing(solution=solution_settings(campaigns=[])) is None


@pytest.mark.parametrize("verdict", ["REJECTED", "ROLLED_BACK"])
def test_a_version_that_must_not_be_deployed_again_is_neither_resumed_nor_waiting(verdict):
    known = {"verdicts": {VERSION: verdict}}
    own = version(status="ACTIVE")
    resumed = planned_solution(RESUME, named_versions=named(own), **known)
    assert (resumed["versionName"], resumed["existingVersionArn"]) == (
        ATTEMPT_2["versionName"],
        None,
    )
    assert existing(WITHOUT_IMPORT, WAITING, **known) is None


# a version of somebody else's that was adopted

ADOPTED = version(solutionVersionArn=FOREIGN_VERSION, name="by-hand", creationDateTime=ago(1))


@pytest.mark.parametrize("status", ["ACTIVE", "CREATE IN_PROGRESS"])
def test_a_run_that_is_resumed_goes_on_with_the_version_that_it_adopted(status):
    adopted = {SOLUTION: {**ADOPTED, "status": status}}
    plan = planned_solution(RESUME, adopted=adopted)
    assert plan["existingVersionArn"] == FOREIGN_VERSION
    assert plan["existingVersionIsForeign"] is True, "so that it is never stopped"
    assert plan["versionName"] == VERSION_NAME, "of its own it has none"


def test_a_version_that_trained_automatically_is_planned_as_full():
    adopted = {SOLUTION: {**ADOPTED, "status": "ACTIVE", "trainingMode": "AUTOTRAIN"}}
    assert planned_solution(RESUME, adopted=adopted)["trainingMode"] == "FULL"


@pytest.mark.parametrize(
    ("request_", "changes"),
    [
        (RESUME, {"adopted": {SOLUTION: {**ADOPTED, "status": "CREATE FAILED"}}}),
        (RESUME, {"adopted": {OTHER_SOLUTION: ADOPTED}}),
        (RESUME, {"adopted": {SOLUTION: ADOPTED}, "verdicts": {FOREIGN_VERSION: "REJECTED"}}),
        ({}, {"adopted": {SOLUTION: ADOPTED}}),
    ],
    ids=["failed", "of another solution", "rejected", "imports anew"],
)
def test_else_it_trains_one(request_, changes):
    assert planned_solution(request_, **changes)["existingVersionArn"] is None


def test_an_adopted_version_waits_like_one_of_our_own():
    assert (
        planned_solution(
            WITHOUT_IMPORT,
            adopted={SOLUTION: {**ADOPTED, "status": "ACTIVE"}},
            named_versions=named(WAITING),
            trained_by_runs=[VERSION],
        )["existingVersionArn"]
        == FOREIGN_VERSION
    ), "it is the newer of the two"


def test_a_run_that_is_resumed_keeps_its_own_version_before_any_that_waits():
    own = version(solutionVersionArn=f"{SOLUTION}/own")
    assert existing({**WITHOUT_IMPORT, **RESUME}, own, WAITING) == f"{SOLUTION}/own"


def test_who_asks_for_a_training_mode_gets_a_training():
    assert existing({"skipImport": True, "trainingMode": "FULL"}) is None


def test_a_run_that_imports_trains():
    assert existing({}) is None


def test_without_any_import_a_version_knows_all_data():
    assert existing(import_jobs={DATASET: []}) == VERSION
