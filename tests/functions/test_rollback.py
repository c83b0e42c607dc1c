"""Tests of the rollback of a campaign: it goes on as long as a bad version may be served."""

import pytest
from botocore.exceptions import ClientError

from functions.personalize.jobs import created_job, postponed_job
from functions.personalize.rollback import roll_back_campaign
from tests.functions.samples import (
    CAMPAIGN,
    FOREIGN_VERSION,
    NOW,
    OLD_VERSION,
    SOLUTION,
    VERSION,
    campaign,
    campaign_update,
    iso,
    planned_campaign,
    settings,
    update_on_trial,
)

CONFIG = {"itemExplorationConfig": {"explorationWeight": "0.3"}}
BACK = {
    "campaignArn": CAMPAIGN,
    "solutionVersionArn": OLD_VERSION,
    "minProvisionedTPS": 2,
    "campaignConfig": CONFIG,
}
"""The request that moves the sample campaign back."""
UPDATED = update_on_trial(phase="ACTIVE")
WITHOUT_UPDATE = {
    "arn": CAMPAIGN,
    "seconds": 0,
    "status": "ACTIVE",
    "warnings": [],
    "foreign": False,
    "failure": None,
}


@pytest.fixture
def sent(clock):
    """Return the job of a rollback that was sent now."""
    del clock
    return {
        **created_job(CAMPAIGN, [900]),
        "firstTriedAt": NOW.isoformat(),
        "targetVersionArn": OLD_VERSION,
        "trialBeganAt": NOW.isoformat(),
    }


@pytest.fixture
def again(clock):
    """Return the job of a rollback that has to be tried again."""
    del clock
    return postponed_job(CAMPAIGN, "any", None, max_hours=3, shortest_pause=60)


def expect_campaign(personalize, **changes):
    described = {"campaign": campaign(**{"solutionVersionArn": VERSION, **changes})}
    personalize.expect("describe_campaign", described, campaignArn=CAMPAIGN)


def expect_update(personalize, **changes):
    personalize.expect("update_campaign", {"campaignArn": CAMPAIGN}, **{**BACK, **changes})


def roll_back(personalize, last_try=None, **update):
    client = personalize.client
    return roll_back_campaign(
        client, settings(), planned_campaign(), {**UPDATED, **update}, last_try
    )


def test_a_campaign_is_moved_back_although_the_version_is_older(personalize, sent):
    expect_campaign(personalize)
    expect_update(personalize)
    assert roll_back(personalize) == sent


def test_a_rollback_began_before_personalize_created_its_update(personalize, clock, monkeypatch):
    """An update that is older than the rollback is taken for another one."""
    expect_campaign(personalize)
    expect_update(personalize)
    update_campaign = personalize.client.update_campaign

    def update_slowly(**request):
        clock.advance(2)
        return update_campaign(**request)

    monkeypatch.setattr(personalize.client, "update_campaign", update_slowly)
    assert roll_back(personalize)["trialBeganAt"] == NOW.isoformat()


def test_a_rollback_also_turns_off_that_the_campaign_follows_the_newest_version(personalize, sent):
    following = {**CONFIG, "syncWithLatestSolutionVersion": True}
    expect_campaign(personalize, campaignConfig=following, solutionVersionArn=f"{SOLUTION}/$LATEST")
    expect_update(personalize, campaignConfig={**CONFIG, "syncWithLatestSolutionVersion": False})
    assert roll_back(personalize) == sent


def test_a_rollback_keeps_the_time_of_its_first_try(personalize, sent, again):
    expect_campaign(personalize)
    expect_update(personalize)
    assert roll_back(personalize, {**again, "firstTriedAt": iso(1)}) == {
        **sent,
        "firstTriedAt": iso(1),
    }


def test_a_campaign_that_cannot_be_described_is_moved_back(personalize, sent):
    personalize.expect_error("describe_campaign", "AccessDeniedException", campaignArn=CAMPAIGN)
    request = {"campaignArn": CAMPAIGN, "solutionVersionArn": OLD_VERSION}
    personalize.expect("update_campaign", {"campaignArn": CAMPAIGN}, **request)
    assert roll_back(personalize) == sent


def test_a_campaign_that_does_not_exist_any_more_is_not_rolled_back(personalize):
    request = {"campaignArn": CAMPAIGN}
    personalize.expect_error("describe_campaign", "ResourceNotFoundException", **request)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        roll_back(personalize)


def test_a_campaign_that_serves_the_good_version_again_needs_no_update(personalize):
    latest = campaign_update(solutionVersionArn=OLD_VERSION, status="ACTIVE")
    expect_campaign(personalize, solutionVersionArn=OLD_VERSION, latestCampaignUpdate=latest)
    assert roll_back(personalize) == {
        **WITHOUT_UPDATE,
        "phase": "ACTIVE",
        "targetVersionArn": OLD_VERSION,
        "rolledBackAt": iso(minutes=5),
    }


def test_a_campaign_that_a_person_has_moved_is_not_moved_back(personalize):
    expect_campaign(personalize, solutionVersionArn=FOREIGN_VERSION)
    failure = f"the campaign serves {FOREIGN_VERSION} now, not {VERSION}, so it was not rolled back"
    assert roll_back(personalize) == {
        **WITHOUT_UPDATE,
        "phase": "ENDED",
        "failure": failure,
        "targetVersionArn": OLD_VERSION,
    }


def test_without_a_good_version_there_is_no_way_back(personalize):
    failure = f"no good version is known, so the campaign still serves {VERSION}"
    assert roll_back(personalize, previousVersionArn=None) == {
        **WITHOUT_UPDATE,
        "phase": "SKIPPED",
        "failure": failure,
        "targetVersionArn": VERSION,
    }


def test_a_rollback_waits_for_a_running_update(personalize, again):
    expect_campaign(personalize, latestCampaignUpdate=campaign_update())
    assert roll_back(personalize) == again


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ResourceInUseException", 400),
        ("AccessDeniedException", 400),
        ("ThrottlingException", 400),
        ("InternalServerError", 500),
    ],
)
@pytest.mark.parametrize("operation", ["describe_campaign", "update_campaign"])
def test_a_rollback_is_tried_again_after_every_error(personalize, again, code, status, operation):
    if operation == "update_campaign":
        expect_campaign(personalize)
        personalize.expect_error(operation, code, status=status, **BACK)
    else:
        personalize.expect_error(operation, code, status=status, campaignArn=CAMPAIGN)
        if code in ("ResourceInUseException", "AccessDeniedException"):
            request = {"campaignArn": CAMPAIGN, "solutionVersionArn": OLD_VERSION}
            personalize.expect_error("update_campaign", code, **request)
    assert roll_back(personalize) == again


def test_a_rollback_past_its_deadline_says_that_the_bad_version_may_still_be_served(
    personalize, again
):
    expect_campaign(personalize)
    personalize.expect_error("update_campaign", "AccessDeniedException", "no", **BACK)
    rollback = roll_back(personalize, {**again, "firstTriedAt": iso(3)})
    assert rollback["phase"] == "OVERDUE"
    assert rollback["failure"] == (
        "gave up after 3 hours: An error occurred (AccessDeniedException) when calling the "
        f"UpdateCampaign operation: no; the campaign may still serve {VERSION}"
    )
