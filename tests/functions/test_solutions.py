"""Tests of the solutions of a run: what is trained, in which mode, and which version waits."""

import pytest

from tests.functions import samples as s
from tests.functions.samples import (
    CAMPAIGN,
    FOREIGN_VERSION,
    NDCG,
    OLD_VERSION,
    OTHER_CAMPAIGN,
    SOLUTION,
    STARTED,
    VERSION,
    VERSION_NAME,
    VERSIONS,
    ago,
    campaign_settings,
    dataset_settings,
    iso,
    limits,
    settings,
    solution_settings,
    solution_view,
    trained_version,
)

WITHOUT_IMPORT = {"skipImport": True}
UPDATE = solution_settings(trainingMode="UPDATE")
LEARNED = trained_version()
SERVED = {
    "campaigns": {CAMPAIGN: s.campaign(solutionVersionArn=VERSION)},
    "campaign_tags": {CAMPAIGN: {"retraining-good": VERSION}},
}
"""The campaign serves the newest version, which has passed there."""
WORSE = {
    **VERSIONS,
    VERSION: VERSIONS[VERSION]._replace(metrics={NDCG: 0.1}),
}


def planned(request=WITHOUT_IMPORT, *versions, **changes):
    """Return what is planned with these versions, by default in a run without imports."""
    return solution_view(request, trainings=versions, **changes).plan_work()


def existing(*versions, **changes):
    """Return the version of an earlier run that a plan without imports uses, or None."""
    plan = planned(WITHOUT_IMPORT, *(versions or (LEARNED,)), **changes)
    return plan and plan["existingVersionArn"]


def is_trained(plan):
    return plan is not None and plan["existingVersionArn"] is None


# Names, tags and durations


def test_a_training_has_a_name_tags_and_campaigns():
    plan = planned()
    assert plan["versionName"] == VERSION_NAME
    assert [campaign["campaignArn"] for campaign in plan["campaigns"]] == [CAMPAIGN]


@pytest.mark.parametrize(
    "status, seconds", [("ACTIVE", 720), ("CREATE FAILED", None), (None, None)]
)
def test_a_campaign_has_the_duration_of_its_last_update(status, seconds):
    update = {"creationDateTime": ago(2), "lastUpdatedDateTime": ago(1.8), "status": status}
    update["solutionVersionArn"] = OLD_VERSION
    updated = s.campaign(**{"latestCampaignUpdate": update} if status else {})
    (campaign,) = planned(campaigns={CAMPAIGN: updated})["campaigns"]

    assert campaign.get("updateSeconds") == seconds


def test_only_versions_trained_with_this_mode_count_for_the_durations():
    versions = [
        trained_version(training_mode=mode, created_at=ago(72), ended_at=ago(72 - hours))
        for mode, hours in (("UPDATE", 0.5), ("FULL", 1), ("FULL", 2))
    ]

    assert planned({}, *versions)["durations"] == [3600, 7200]
    assert planned({}, *versions, trained_version(), solution=UPDATE)["durations"] == [1800]


# The training mode


@pytest.mark.parametrize(
    "version, mode",
    [
        ({"created_at": ago(6.5 * 24 - 0.01)}, "UPDATE"),
        ({"created_at": ago(6.5 * 24)}, "FULL"),
        ({"run_id": None}, "UPDATE"),
        ({"training_mode": "UPDATE"}, "FULL"),
        ({"is_active": False}, "FULL"),
    ],
    ids=["young", "too old when its version is created", "foreign", "an UPDATE", "failed"],
)
def test_an_update_becomes_full_without_a_young_full_version(version, mode):
    assert planned({}, trained_version(**version), solution=UPDATE)["trainingMode"] == mode
    assert planned({}, trained_version(**version))["trainingMode"] == "FULL"


@pytest.mark.parametrize(
    "changes",
    [
        {"versions": WORSE},
        {"campaign_tags": {CAMPAIGN: {"retraining-blocked": VERSION}}},
    ],
    ids=["worse", "taken back"],
)
def test_after_a_bad_version_the_next_training_is_full(changes):
    two = [campaign_settings(), campaign_settings(campaignArn=OTHER_CAMPAIGN)]
    known = {
        "solution": {**UPDATE, "campaigns": two},
        "campaigns": {arn: s.campaign() for arn in (CAMPAIGN, OTHER_CAMPAIGN)},
    }

    assert planned({}, LEARNED, **known)["trainingMode"] == "UPDATE"
    assert planned({}, LEARNED, **known, **changes)["trainingMode"] == "FULL", "bad for one of two"


# What is new to a solution


def test_a_run_waits_for_a_version_in_training_on_the_present_data():
    running = trained_version(is_active=False, is_running=True)
    assert is_trained(planned(WITHOUT_IMPORT, running))


@pytest.mark.parametrize(
    "request_, settings_",
    [
        ({"force": True}, settings()),
        ({}, settings(skipWhenUnchanged=False)),
    ],
    ids=["force", "setting"],
)
def test_a_training_may_be_asked_for(request_, settings_):
    plan = planned({**WITHOUT_IMPORT, **request_}, LEARNED, settings_=settings_)
    assert is_trained(plan)
    assert plan["requestedSince"] == STARTED.isoformat()
    again = trained_version(created_at=ago(0))
    plan = planned({**WITHOUT_IMPORT, **request_}, again, settings_=settings_)

    assert plan["existingVersionArn"] == VERSION, "it is asked for once"


HALF_A_WEEK = 3.5 * 24


@pytest.mark.parametrize(
    "hours, trained", [(HALF_A_WEEK, False), (HALF_A_WEEK + 1, True)], ids=["young", "old"]
)
@pytest.mark.parametrize("source", ["event tracker", "streamed"])
def test_events_are_new_after_half_the_time_between_two_runs(source, hours, trained):
    version = trained_version(created_at=ago(hours))
    changes = {"event_tracker_arns": ["tracker"]}
    if source == "streamed":
        changes = {"settings_": settings(datasets=[dataset_settings(streamed=True)])}
    plan = planned(WITHOUT_IMPORT, version, **changes)
    assert is_trained(plan) == trained
    if trained:
        assert plan["requestedSince"] == iso(HALF_A_WEEK)


# The limit of the month

LIMITED = limits(maxTrainingsPerMonth=1)


@pytest.mark.parametrize("request_", [{}, WITHOUT_IMPORT], ids=["with imports", "without"])
def test_at_the_limit_a_campaign_still_gets_the_version_that_it_waits_for(request_):
    older = trained_version(digest="other")
    plan = planned(request_, older, settings_=LIMITED)
    assert plan["existingVersionArn"] == VERSION
    assert planned(request_, older, settings_=LIMITED, **SERVED) is None
    held_back = solution_view(request_, trainings=[older], settings_=LIMITED, **SERVED).decision

    assert is_trained(planned({**request_, "force": True}, older, settings_=LIMITED, **SERVED))
    assert held_back.action == "hold back"
    assert held_back.reason.startswith("trainings of this pipeline within 30 days: 1, and limits.")


# A version that waits for a campaign


def test_a_waiting_version_is_deployed_without_a_training():
    foreign = trained_version(arn=FOREIGN_VERSION, created_at=ago(1), run_id=None)
    assert existing(LEARNED, foreign) == VERSION, "no foreign version waits"
    gone = {CAMPAIGN: {"retraining-blocked": f"{SOLUTION}/gone"}}
    assert existing(campaign_tags=gone) == VERSION, "what does not exist is not newer"
    plan = planned(WITHOUT_IMPORT, trained_version(training_mode="UPDATE"))

    assert plan["trainingMode"] == "UPDATE", "this is how it was trained"


def test_a_run_that_only_deploys_trains_nothing():
    only = {"only": "deployments"}
    assert planned(only, trained_version(digest="other"))["existingVersionArn"] == VERSION
    assert planned(only, trained_version(digest="other"), **SERVED) is None


def test_a_version_that_every_campaign_serves_does_not_wait():
    assert existing(**SERVED) is None
    assert existing(campaigns=SERVED["campaigns"]) == VERSION, "it was not probed here"
    assert existing(solution=solution_settings(campaigns=[])) is None


def test_a_campaign_whose_trial_could_not_be_ended_is_left_out():
    trial = {CAMPAIGN: {"retraining-trial": f"{OLD_VERSION} {iso(30)}"}}
    assert existing(campaign_tags=trial) is None
    assert planned({}, campaign_tags=trial)["campaigns"] == []


def test_only_the_campaigns_that_lack_the_version_or_its_verdict_are_updated():
    second = f"{CAMPAIGN}2"
    third = f"{CAMPAIGN}3"
    campaigns = [campaign_settings(campaignArn=arn) for arn in (CAMPAIGN, second, third)]
    plan = planned(
        WITHOUT_IMPORT,
        LEARNED,
        solution=solution_settings(campaigns=campaigns),
        campaigns={**SERVED["campaigns"], second: s.campaign(), third: s.campaign()},
        campaign_tags={**SERVED["campaign_tags"], third: {"retraining-blocked": VERSION}},
    )
    updated = [campaign["campaignArn"] for campaign in plan["campaigns"]]

    assert updated == [second, third], "no report has told that the third has rolled it back"


# Which version waits


APPROVING = solution_settings(approval={"timeoutHours": 24})
OLDER = trained_version(arn=f"{SOLUTION}/older", created_at=ago(71), approval="APPROVED")


def waits_for(answer, *earlier, solution=APPROVING, **changes):
    """Return the planned campaigns if this is the answer about the newest version."""
    versions = {
        **VERSIONS,
        VERSION: VERSIONS[VERSION]._replace(approval=answer),
        OLDER.arn: OLDER._replace(metrics={NDCG: 0.41}),
    }
    known = {"trainings": [LEARNED, *earlier], "versions": versions, **changes}
    plan = solution_view({"only": "deployments"}, solution=solution, **known).plan_work()

    return plan and plan["campaigns"]


NEWEST_WAITS = [{"campaignArn": CAMPAIGN}]
OLDER_WAITS = [{"campaignArn": CAMPAIGN, "approvedVersionArn": OLDER.arn}]


@pytest.mark.parametrize(
    "answer, campaigns",
    [("APPROVED", NEWEST_WAITS), ("REFUSED", OLDER_WAITS), ("REQUESTED", OLDER_WAITS)],
)
def test_an_approved_version_waits_if_the_newest_is_not_deployed(answer, campaigns):
    assert waits_for(answer, OLDER) == campaigns


def test_the_newest_of_several_approved_versions_waits():
    oldest = OLDER._replace(arn=OLD_VERSION, created_at=ago(71.5))
    assert waits_for("REFUSED", OLDER, oldest) == OLDER_WAITS


@pytest.mark.parametrize(
    "older",
    [
        OLDER._replace(approval="REQUESTED"),
        OLDER._replace(approval="REFUSED"),
        OLDER._replace(created_at=ago(30 * 24)),
        OLDER._replace(is_active=False),
        OLDER._replace(run_id=None),
    ],
    ids=["asked", "refused", "a month old", "failed", "trained by Personalize before"],
)
def test_no_other_version_waits_beside_the_newest(older):
    assert waits_for("REQUESTED", older) == NEWEST_WAITS, "the report has not said so yet"


def test_a_version_that_was_approved_before_the_setting_was_removed_does_not_wait():
    assert waits_for("REFUSED", OLDER, solution=solution_settings()) == NEWEST_WAITS


def test_an_approved_version_is_not_deployed_over_a_newer_one():
    moved = {"campaigns": {CAMPAIGN: s.campaign(solutionVersionArn=VERSION)}}
    assert waits_for("REQUESTED", OLDER, **moved) == NEWEST_WAITS, "it serves the newest already"


# A solution that Personalize trains

SELF_TRAINED = solution_settings(trainedBy="personalize")
AUTOMATIC = trained_version(run_id=None)
"""A version that Personalize has trained on the present imports."""


@pytest.mark.parametrize("request_", [WITHOUT_IMPORT, {}, {"force": True}])
def test_no_run_trains_a_solution_that_personalize_trains(request_):
    for versions in ([], [AUTOMATIC._replace(digest="old"), LEARNED]):
        plan = planned(request_, *versions, solution=SELF_TRAINED)
        assert not is_trained(plan)


def test_runs_deploy_the_newest_version_whoever_has_trained_it():
    newest = AUTOMATIC._replace(arn=OLD_VERSION, digest="other")
    versions = [newest, LEARNED]
    assert existing(*versions, solution=SELF_TRAINED) == OLD_VERSION
    assert existing(*versions) == VERSION, "as long as runs train the solution"


def test_a_version_that_is_in_use_leaves_nothing_to_do():
    view = solution_view(WITHOUT_IMPORT, trainings=[AUTOMATIC], solution=SELF_TRAINED, **SERVED)
    assert view.plan_work() is None
    assert view.decision.reason == (
        "Personalize trains it, and none of its campaigns waits for a version"
    )
