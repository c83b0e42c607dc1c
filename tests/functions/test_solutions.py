"""Tests of the solutions of a run: what is trained, in which mode, and which version waits."""

import pytest

from tests.functions import samples as s

WITHOUT_IMPORT = {"skipImport": True}
UPDATE = s.solution_settings(trainingMode="UPDATE")
LEARNED = s.trained_version()
SERVED = {
    "campaigns": {s.CAMPAIGN: s.campaign(solutionVersionArn=s.VERSION)},
    "campaign_tags": {s.CAMPAIGN: {"retraining-good": s.VERSION}},
}
"""The campaign serves the newest version, which has passed there."""
WORSE = {
    **s.VERSIONS,
    s.VERSION: s.VERSIONS[s.VERSION]._replace(metrics={s.NDCG: 0.1}),
}


def planned(request=WITHOUT_IMPORT, *versions, **changes):
    """Return what is planned with these versions, by default in a run without imports."""
    return s.solution_view(request, trainings=versions, **changes).plan_work()


def existing(*versions, **changes):
    """Return the version of an earlier run that a plan without imports uses, or None."""
    plan = planned(WITHOUT_IMPORT, *(versions or (LEARNED,)), **changes)
    return plan and plan["existingVersionArn"]


def is_trained(plan):
    return plan is not None and plan["existingVersionArn"] is None


# Names, tags and durations


def test_a_training_has_a_name_tags_and_campaigns():
    plan = planned()
    assert plan["versionName"] == s.VERSION_NAME
    assert [campaign["campaignArn"] for campaign in plan["campaigns"]] == [s.CAMPAIGN]


def test_only_versions_trained_with_this_mode_count_for_the_durations():
    versions = [
        s.trained_version(mode=mode, created_at=s.ago(72), ended_at=s.ago(72 - hours))
        for mode, hours in (("UPDATE", 0.5), ("FULL", 1), ("FULL", 2))
    ]
    assert planned({}, *versions)["durations"] == [3600, 7200]
    assert planned({}, *versions, s.trained_version(), solution=UPDATE)["durations"] == [1800]


# The training mode


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ({"created_at": s.ago(6.5 * 24 - 0.01)}, "UPDATE"),
        ({"created_at": s.ago(6.5 * 24)}, "FULL"),
        ({"run": None}, "UPDATE"),
        ({"mode": "UPDATE"}, "FULL"),
        ({"is_active": False}, "FULL"),
    ],
    ids=["young", "too old when its version is created", "foreign", "an UPDATE", "failed"],
)
def test_an_update_becomes_full_without_a_young_full_version(version, mode):
    assert planned({}, s.trained_version(**version), solution=UPDATE)["trainingMode"] == mode
    assert planned({}, s.trained_version(**version))["trainingMode"] == "FULL"


@pytest.mark.parametrize(
    "changes",
    [
        {"versions": WORSE},
        {"campaign_tags": {s.CAMPAIGN: {"retraining-bad": s.VERSION}}},
    ],
    ids=["worse", "taken back"],
)
def test_after_a_bad_version_the_next_training_is_full(changes):
    two = [s.campaign_settings(), s.campaign_settings(campaignArn=s.OTHER_CAMPAIGN)]
    known = {
        "solution": {**UPDATE, "campaigns": two},
        "campaigns": {arn: s.campaign() for arn in (s.CAMPAIGN, s.OTHER_CAMPAIGN)},
    }
    assert planned({}, LEARNED, **known)["trainingMode"] == "UPDATE"
    assert planned({}, LEARNED, **known, **changes)["trainingMode"] == "FULL", "bad for one of two"


# What is new to a solution


def test_a_run_waits_for_a_version_in_training_on_the_present_data():
    running = s.trained_version(is_active=False, is_running=True)
    assert is_trained(planned(WITHOUT_IMPORT, running))


@pytest.mark.parametrize(
    ("request_", "settings_"),
    [
        ({"force": True}, s.settings()),
        ({}, s.settings(skipWhenUnchanged=False)),
    ],
    ids=["force", "setting"],
)
def test_a_training_may_be_asked_for(request_, settings_):
    plan = planned({**WITHOUT_IMPORT, **request_}, LEARNED, settings_=settings_)
    assert is_trained(plan)
    assert plan["requestedSince"] == s.STARTED.isoformat()
    again = s.trained_version(created_at=s.ago(0))
    plan = planned({**WITHOUT_IMPORT, **request_}, again, settings_=settings_)
    assert plan["existingVersionArn"] == s.VERSION, "it is asked for once"


HALF_A_WEEK = 3.5 * 24


@pytest.mark.parametrize(
    ("hours", "trained"), [(HALF_A_WEEK, False), (HALF_A_WEEK + 1, True)], ids=["young", "old"]
)
@pytest.mark.parametrize("source", ["event tracker", "streamed"])
def test_events_are_new_after_half_the_time_between_two_runs(source, hours, trained):
    version = s.trained_version(created_at=s.ago(hours))
    changes = {"event_trackers": ["tracker"]}
    if source == "streamed":
        changes = {"settings_": s.settings(datasets=[s.dataset_settings(streamed=True)])}
    plan = planned(WITHOUT_IMPORT, version, **changes)
    assert is_trained(plan) == trained
    if trained:
        assert plan["requestedSince"] == s.iso(HALF_A_WEEK)


# The limit of the month

LIMITED = s.limits(maxTrainingsPerMonth=1)


@pytest.mark.parametrize("request_", [{}, WITHOUT_IMPORT], ids=["with imports", "without"])
def test_at_the_limit_a_campaign_still_gets_the_version_that_it_waits_for(request_):
    older = s.trained_version(digest="other")
    plan = planned(request_, older, settings_=LIMITED)
    assert plan["existingVersionArn"] == s.VERSION
    assert planned(request_, older, settings_=LIMITED, **SERVED) is None
    held_back = s.solution_view(request_, trainings=[older], settings_=LIMITED, **SERVED).decision
    assert is_trained(planned({**request_, "force": True}, older, settings_=LIMITED, **SERVED))
    assert held_back.action == "hold back"
    assert held_back.reason.startswith("trainings of this pipeline within 30 days: 1, and limits.")


# A version that waits for a campaign


def test_a_waiting_version_is_deployed_without_a_training():
    foreign = s.trained_version(arn=s.FOREIGN_VERSION, created_at=s.ago(1), run=None)
    assert existing(LEARNED, foreign) == s.VERSION, "no foreign version waits"
    gone = {s.CAMPAIGN: {"retraining-bad": f"{s.SOLUTION}/gone"}}
    assert existing(campaign_tags=gone) == s.VERSION, "what does not exist is not newer"
    plan = planned(WITHOUT_IMPORT, s.trained_version(mode="UPDATE"))
    assert plan["trainingMode"] == "UPDATE", "this is how it was trained"


def test_a_run_that_only_deploys_trains_nothing():
    only = {"only": "deployments"}
    assert planned(only, s.trained_version(digest="other"))["existingVersionArn"] == s.VERSION
    assert planned(only, s.trained_version(digest="other"), **SERVED) is None


def test_a_version_that_every_campaign_serves_does_not_wait():
    assert existing(**SERVED) is None
    assert existing(campaigns=SERVED["campaigns"]) == s.VERSION, "it was not probed here"
    assert existing(solution=s.solution_settings(campaigns=[])) is None


def test_a_campaign_whose_trial_could_not_be_ended_is_left_out():
    trial = {s.CAMPAIGN: {"retraining-trial": f"{s.OLD_VERSION} {s.iso(30)}"}}
    assert existing(campaign_tags=trial) is None
    assert planned({}, campaign_tags=trial)["campaigns"] == []


def test_only_the_campaigns_that_lack_the_version_or_its_verdict_are_updated():
    second = f"{s.CAMPAIGN}2"
    third = f"{s.CAMPAIGN}3"
    campaigns = [s.campaign_settings(campaignArn=arn) for arn in (s.CAMPAIGN, second, third)]
    plan = planned(
        WITHOUT_IMPORT,
        LEARNED,
        solution=s.solution_settings(campaigns=campaigns),
        campaigns={**SERVED["campaigns"], second: s.campaign(), third: s.campaign()},
        campaign_tags={**SERVED["campaign_tags"], third: {"retraining-bad": s.VERSION}},
    )
    updated = [campaign["campaignArn"] for campaign in plan["campaigns"]]
    assert updated == [second, third], "no report has told that the third has rolled it back"


# Which version waits


APPROVING = s.solution_settings(approval={"timeoutHours": 24})
OLDER = s.trained_version(arn=f"{s.SOLUTION}/older", created_at=s.ago(71), answer="APPROVED")


def waits_for(answer, *earlier, solution=APPROVING, **changes):
    """Return the planned campaigns if this is the answer about the newest version."""
    versions = {
        **s.VERSIONS,
        s.VERSION: s.VERSIONS[s.VERSION]._replace(answer=answer),
        OLDER.arn: OLDER._replace(metrics={s.NDCG: 0.41}),
    }
    known = {"trainings": [LEARNED, *earlier], "versions": versions, **changes}
    plan = s.solution_view({"only": "deployments"}, solution=solution, **known).plan_work()
    return plan and plan["campaigns"]


NEWEST_WAITS = [{"campaignArn": s.CAMPAIGN}]
OLDER_WAITS = [{"campaignArn": s.CAMPAIGN, "approvedVersionArn": OLDER.arn}]


@pytest.mark.parametrize(
    ("answer", "campaigns"),
    [("APPROVED", NEWEST_WAITS), ("REFUSED", OLDER_WAITS), ("ASKED", OLDER_WAITS)],
)
def test_an_approved_version_waits_if_the_newest_is_not_deployed(answer, campaigns):
    assert waits_for(answer, OLDER) == campaigns


def test_the_newest_of_several_approved_versions_waits():
    oldest = OLDER._replace(arn=s.OLD_VERSION, created_at=s.ago(71.5))
    assert waits_for("REFUSED", OLDER, oldest) == OLDER_WAITS


@pytest.mark.parametrize(
    "older",
    [
        OLDER._replace(answer="ASKED"),
        OLDER._replace(answer="REFUSED"),
        OLDER._replace(created_at=s.ago(30 * 24)),
        OLDER._replace(is_active=False),
    ],
    ids=["asked", "refused", "a month old", "failed"],
)
def test_no_other_version_waits_beside_the_newest(older):
    assert waits_for("ASKED", older) == NEWEST_WAITS, "the report has not said so yet"


def test_a_version_that_was_approved_before_the_setting_was_removed_does_not_wait():
    assert waits_for("REFUSED", OLDER, solution=s.solution_settings()) == NEWEST_WAITS


def test_an_approved_version_is_not_deployed_over_a_newer_one():
    moved = {"campaigns": {s.CAMPAIGN: s.campaign(solutionVersionArn=s.VERSION)}}
    assert waits_for("ASKED", OLDER, **moved) == NEWEST_WAITS, "it serves the newest already"
