"""Tests of the planned trainings: names, tags, durations, modes, and existing versions."""

import pytest

from functions.planning import planned_jobs
from functions.rules.deployments import Version
from tests.functions.samples import (
    CAMPAIGN,
    FOREIGN_VERSION,
    NDCG,
    OLD_VERSION,
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
    iso,
    limits,
    settings,
    situation,
    solution_settings,
    trained_version,
    version_summary,
)

WITHOUT_IMPORT = {"skipImport": True}
UPDATE = solution_settings(trainingMode="UPDATE")
FULL = version_summary()
LEARNED = trained_version()


def planned_solution(request=None, *, solution=None, **changes):
    """Return the training of a solution in the standard world with these changes."""
    of_solution = situation(request, **changes).with_solution(solution or solution_settings())
    return planned_jobs.planned_solution(of_solution)


# Names and tags


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


def test_only_versions_trained_with_this_mode_count_for_the_durations():
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
        ({"latestCampaignUpdate": campaign_update(status="UPDATE FAILED")}, [1500]),
        ({}, [1500]),
        ({"lastUpdatedDateTime": ago(499)}, [1500]),
        ({"lastUpdatedDateTime": ago(500, seconds=-700)}, [700]),
    ],
    ids=["updated", "failed", "never updated", "created late", "created in time"],
)
def test_an_update_is_expected_to_take_as_long_as_the_last_one_but_at_most_25_minutes(
    latest, durations
):
    (planned,) = planned_solution(campaigns={CAMPAIGN: campaign(**latest)})["campaigns"]
    assert planned["durations"] == durations


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


@pytest.mark.parametrize("mode", ["UPDATE", "FULL"])
def test_after_a_bad_version_the_next_training_is_full(mode):
    versions = {SOLUTION: [version_summary(solutionVersionArn=VERSION, trainingMode=mode), FULL]}
    known = {"solution": UPDATE, "versions": versions, "trainings": [LEARNED]}
    assert planned_solution(**known)["trainingMode"] == "UPDATE"
    worse = {OLD_VERSION: Version(ago(72), {NDCG: 0.9}), VERSION: Version(ago(47), {NDCG: 0.1})}
    assert planned_solution(version_facts=worse, **known)["trainingMode"] == "FULL"
    tags = {CAMPAIGN: {"retraining-bad": VERSION}}
    assert planned_solution(campaign_tags=tags, **known)["trainingMode"] == "FULL"


# What is new to a solution


def planned(request=WITHOUT_IMPORT, *versions, **changes):
    """Return what is planned with these versions, by default in a run without imports."""
    known = {"trainings": versions, **changes}
    return planned_solution(request, **known)


def is_trained(plan):
    return plan is not None and plan["existingVersionArn"] is None


def test_a_solution_is_trained_if_no_version_has_learned_the_present_data():
    assert is_trained(planned(WITHOUT_IMPORT, trained_version(digest="other")))
    assert planned(WITHOUT_IMPORT, LEARNED)["existingVersionArn"] == VERSION


def test_a_training_that_was_stopped_is_not_repeated():
    stopped = trained_version(is_active=False, was_stopped=True)
    assert planned(WITHOUT_IMPORT, stopped) is None


def test_a_training_of_the_present_data_is_waited_for():
    running = trained_version(is_active=False, is_running=True)
    assert is_trained(planned(WITHOUT_IMPORT, running)), "the function waits for it"


@pytest.mark.parametrize(
    ("request_", "settings_", "asked"),
    [
        ({"force": True}, settings(), "force"),
        ({"trainingMode": "FULL"}, settings(), "trainingMode"),
        ({}, settings(skipWhenUnchanged=False), "skipWhenUnchanged"),
    ],
    ids=["force", "mode", "setting"],
)
def test_a_training_may_be_asked_for(request_, settings_, asked):
    plan = planned({**WITHOUT_IMPORT, **request_}, LEARNED, settings_=settings_)
    assert is_trained(plan)
    assert (plan["requestedSince"], plan["tags"]["retraining-requested-by"]) == (iso(), asked)
    again = trained_version(created_at=ago(0))
    plan = planned({**WITHOUT_IMPORT, **request_}, again, settings_=settings_)
    assert plan["existingVersionArn"] == VERSION, "it is asked for once"


HALF_A_WEEK = 3.5 * 24


@pytest.mark.parametrize(
    ("hours", "trained"), [(HALF_A_WEEK, False), (HALF_A_WEEK + 1, True)], ids=["young", "old"]
)
@pytest.mark.parametrize("source", ["event tracker", "streamed"])
def test_events_are_new_after_half_the_time_between_two_runs(source, hours, trained):
    version = trained_version(created_at=ago(hours))
    changes = {"event_trackers": ["tracker"]}
    if source == "streamed":
        changes = {"settings_": settings(datasets=[dataset_settings(streamed=True)])}
    plan = planned(WITHOUT_IMPORT, version, **changes)
    assert is_trained(plan) == trained
    if trained:
        assert plan["requestedSince"] == iso(HALF_A_WEEK)
        assert plan["tags"]["retraining-requested-by"] == "events"


def test_a_run_that_imports_trains():
    assert is_trained(planned({}, LEARNED))


# The limit of the month

LIMITED = limits(maxTrainingsPerMonth=1)


@pytest.mark.parametrize("request_", [{}, WITHOUT_IMPORT], ids=["with imports", "without"])
def test_at_the_limit_a_campaign_still_gets_the_version_that_it_waits_for(request_):
    older = trained_version(digest="other")
    plan = planned(request_, older, settings_=LIMITED)
    assert plan["existingVersionArn"] == VERSION
    served = {
        "campaigns": {CAMPAIGN: campaign(solutionVersionArn=VERSION)},
        "campaign_tags": {CAMPAIGN: {"retraining-good": VERSION}},
    }
    assert planned(request_, older, settings_=LIMITED, **served) is None


def test_at_the_limit_a_training_that_is_running_is_waited_for():
    running = trained_version(is_active=False, is_running=True)
    assert is_trained(planned(WITHOUT_IMPORT, running, settings_=LIMITED))


def test_a_person_may_force_a_training_beyond_the_limit():
    request = {**WITHOUT_IMPORT, "force": True}
    assert is_trained(planned(request, trained_version(digest="other"), settings_=LIMITED))


# A version that waits for a campaign


def existing(*versions, **changes):
    """Return the version that a plan without imports uses."""
    plan = planned(WITHOUT_IMPORT, *(versions or (LEARNED,)), **changes)
    return plan and plan["existingVersionArn"]


def test_a_waiting_version_is_deployed_without_a_training():
    assert existing() == VERSION
    assert existing(LEARNED, trained_version(arn=FOREIGN_VERSION, created_at=ago(1), run=None)) == (
        VERSION
    ), "no foreign version waits"


def test_a_waiting_version_is_planned_in_its_mode():
    plan = planned(WITHOUT_IMPORT, trained_version(mode="UPDATE"))
    assert plan["trainingMode"] == "UPDATE"


def test_a_version_that_every_campaign_serves_does_not_wait():
    served = {CAMPAIGN: campaign(solutionVersionArn=VERSION)}
    good = {CAMPAIGN: {"retraining-good": VERSION}}
    assert existing(campaigns=served, campaign_tags=good) is None
    assert existing(campaigns=served) == VERSION, "it was not probed here"


def test_an_older_version_does_not_wait_although_it_has_learned_the_present_data():
    older = trained_version(arn=OLD_VERSION, created_at=ago(48))
    newer = trained_version(digest="other")
    good = {CAMPAIGN: {"retraining-good": OLD_VERSION}}
    assert existing(newer, older, campaign_tags=good) == VERSION


def test_a_campaign_whose_trial_could_not_be_ended_is_left_out():
    trial = {CAMPAIGN: {"retraining-trial": f"{OLD_VERSION} {iso(30)}"}}
    assert existing(campaign_tags=trial) is None
    assert planned_solution(campaign_tags=trial)["campaigns"] == []


def test_no_version_waits_for_a_solution_without_campaigns():
    assert existing(solution=solution_settings(campaigns=[])) is None


def test_only_the_campaigns_that_lack_the_version_are_updated():
    second = f"{CAMPAIGN}2"
    campaigns = [campaign_settings(), campaign_settings(campaignArn=second)]
    plan = planned(
        WITHOUT_IMPORT,
        LEARNED,
        solution=solution_settings(campaigns=campaigns),
        campaigns={CAMPAIGN: campaign(solutionVersionArn=VERSION), second: campaign()},
        campaign_tags={CAMPAIGN: {"retraining-good": VERSION}},
    )
    assert [campaign["campaignArn"] for campaign in plan["campaigns"]] == [second]


NEWER = version_summary(solutionVersionArn=FOREIGN_VERSION, creationDateTime=ago(1))


@pytest.mark.parametrize(
    ("status", "expected"),
    [("ACTIVE", None), ("CREATE FAILED", VERSION)],
    ids=["served", "only named"],
)
def test_a_campaign_that_serves_a_newer_version_does_not_wait(status, expected):
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=FOREIGN_VERSION, status=status)}
    assert existing(campaigns=campaigns, versions={SOLUTION: [NEWER]}) == expected


def test_a_campaign_that_somebody_has_moved_since_the_training_does_not_wait():
    good = {CAMPAIGN: {"retraining-good": f"{SOLUTION}/earlier"}}
    for hours, waits in ((1, False), (48, True)):
        moved = campaign_update(
            solutionVersionArn=OLD_VERSION, status="ACTIVE", creationDateTime=ago(hours)
        )
        campaigns = {CAMPAIGN: campaign(latestCampaignUpdate=moved)}
        assert existing(campaigns=campaigns, campaign_tags=good) == (VERSION if waits else None)


def test_a_version_that_was_taken_back_or_is_worse_does_not_wait():
    assert existing(campaign_tags={CAMPAIGN: {"retraining-bad": VERSION}}) is None
    worse = {OLD_VERSION: Version(ago(72), {NDCG: 0.9}), VERSION: Version(ago(47), {NDCG: 0.1})}
    assert existing(version_facts=worse) is None
