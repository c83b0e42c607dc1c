"""Tests of campaign updates: when one is sent, and how it ends."""

import pytest
from botocore.exceptions import ClientError

from functions.errors import ServiceUnavailable
from functions.personalize.campaigns import (
    update_campaign,
    update_request,
    watch_campaign_update,
    watch_rollback,
)
from functions.personalize.jobs import postponed_job
from tests.functions.samples import (
    CAMPAIGN,
    FOREIGN_VERSION,
    OLD_VERSION,
    SOLUTION,
    VERSION,
    ago,
    campaign,
    campaign_update,
    evaluation,
    iso,
    planned_campaign,
    settings,
    update_on_trial,
)

UPDATE = {
    "campaignArn": CAMPAIGN,
    "solutionVersionArn": VERSION,
    "minProvisionedTPS": 2,
    "campaignConfig": {"itemExplorationConfig": {"explorationWeight": "0.3"}},
}
"""The request that moves the sample campaign to the new version."""
SENT = update_on_trial(phase="UNDER_WAY")
UPDATE_OF_A_PERSON = campaign_update(solutionVersionArn=FOREIGN_VERSION)
NOT_SERVED = (
    f"the campaign serves {OLD_VERSION}, not {VERSION}: it was not updated, or somebody has moved "
    "it"
)


def expect_campaign(personalize, **changes):
    described = {"campaign": campaign(**changes)}
    personalize.expect("describe_campaign", described, campaignArn=CAMPAIGN)


def expect_update(personalize, request=UPDATE):
    personalize.expect("update_campaign", {"campaignArn": CAMPAIGN}, **request)


def update(personalize, compared_with=OLD_VERSION, **changes):
    """Send the update of a trial that began now, after the gate has compared with a version."""
    return update_campaign(
        personalize.client,
        settings(),
        planned_campaign(),
        evaluation(comparedWith=compared_with),
        update_on_trial(**changes),
    )


def postponed(reason, **changes):
    """Return the job of an update that is tried again after the reason."""
    job = postponed_job(
        CAMPAIGN, reason, update_on_trial(**changes), max_hours=3, shortest_pause=60
    )
    return {**job, "failure": None} if job["phase"] == "AGAIN" else job


# An update is sent


def test_an_update_repeats_the_other_settings_of_the_campaign(personalize):
    expect_campaign(personalize)
    expect_update(personalize)
    assert update(personalize) == SENT


@pytest.mark.parametrize(
    ("shown", "sent"),
    [
        ({"minProvisionedTPS": 0}, {"campaignConfig": UPDATE["campaignConfig"]}),
        ({"campaignConfig": {}}, {"minProvisionedTPS": 2}),
        (
            {"campaignConfig": {"itemExplorationConfig": {}, "rankingInfluence": {}}},
            {"minProvisionedTPS": 2},
        ),
        (
            {"campaignConfig": {"rankingInfluence": {"POPULARITY": 0.5}}},
            {
                "minProvisionedTPS": 2,
                "campaignConfig": {"rankingInfluence": {"POPULARITY": 0.5}},
            },
        ),
        (
            {"campaignConfig": {"enableMetadataWithRecommendations": True}},
            {"minProvisionedTPS": 2, "campaignConfig": {"enableMetadataWithRecommendations": True}},
        ),
    ],
    ids=["no transactions", "no config", "empty settings", "influence", "metadata"],
)
def test_an_update_repeats_no_setting_that_the_service_refuses(shown, sent):
    request = {"campaignArn": CAMPAIGN, "solutionVersionArn": VERSION, **sent}
    assert update_request(campaign(**shown), VERSION) == request


def test_a_campaign_whose_creation_failed_is_updated(personalize):
    expect_campaign(personalize, solutionVersionArn=VERSION, status="CREATE FAILED")
    expect_update(personalize)
    assert update(personalize, compared_with=None) == SENT


# An earlier try has sent the update


def test_an_update_that_an_earlier_try_has_sent_is_not_sent_again(personalize):
    expect_campaign(personalize, latestCampaignUpdate=campaign_update())
    assert update(personalize) == SENT


def test_a_campaign_that_serves_the_version_already_is_not_updated(personalize):
    expect_campaign(personalize, solutionVersionArn=VERSION)
    assert update(personalize) == SENT


# The campaign has changed since the trial began


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"latestCampaignUpdate": UPDATE_OF_A_PERSON},
            f"the campaign is being updated to {FOREIGN_VERSION}",
        ),
        ({"status": "CREATE IN_PROGRESS"}, "the status of the campaign is CREATE IN_PROGRESS"),
        (
            {"solutionVersionArn": FOREIGN_VERSION},
            f"the campaign serves {FOREIGN_VERSION} now",
        ),
    ],
)
def test_a_campaign_that_has_changed_is_tried_again_until_the_deadline(
    personalize, changes, reason
):
    for hours in (1, 3):
        expect_campaign(personalize, **changes)
        assert update(personalize, firstTriedAt=iso(hours)) == postponed(
            reason, firstTriedAt=iso(hours)
        )


def test_a_campaign_that_refuses_the_update_as_in_use_is_tried_again(personalize):
    expect_campaign(personalize)
    personalize.expect_error("update_campaign", "ResourceInUseException", **UPDATE)
    assert update(personalize, firstTriedAt=iso(3))["failure"] == (
        "gave up after 3 hours: Personalize answers that the campaign is in use"
    )


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("LimitExceededException", 400, ClientError),
        ("ServiceUnavailable", 503, ServiceUnavailable),
    ],
)
def test_any_other_error_of_the_update_is_raised(personalize, code, status, expected):
    expect_campaign(personalize)
    personalize.expect_error("update_campaign", code, "no", status=status, **UPDATE)
    with pytest.raises(expected, match="no"):
        update(personalize)


# An update is polled

EARLIER_UPDATE = campaign_update(
    solutionVersionArn=OLD_VERSION, status="ACTIVE", creationDateTime=ago(100)
)
WATCHED = update_on_trial(
    phase="UNDER_WAY", createdAt=iso(minutes=5), trialBeganAt=iso(minutes=5), seconds=900
)
"""The job of an update that was sent five minutes ago."""


def watch(personalize, update_job=WATCHED, poll=watch_campaign_update, **changes):
    """Poll the campaign once."""
    expect_campaign(personalize, **changes)
    planned = planned_campaign(durations=[7200])
    return poll(personalize.client, settings(), planned, update_job)


def test_the_status_of_the_campaign_does_not_count(personalize):
    polled = watch(personalize, status="ACTIVE", latestCampaignUpdate=campaign_update())
    assert polled == {**WATCHED, "status": "UPDATE IN_PROGRESS"}


def test_an_update_has_succeeded_if_it_has_ended_and_the_version_is_served(personalize):
    latest = campaign_update(status="ACTIVE")
    polled = watch(personalize, latestCampaignUpdate=latest, solutionVersionArn=VERSION)
    assert polled == {
        **WATCHED,
        "phase": "ACTIVE",
        "seconds": 1,
        "status": "ACTIVE",
        "endedAt": iso(minutes=4),
    }


def test_what_counts_is_the_served_version_and_not_the_latest_update(personalize):
    """A person may have updated the campaign once more, and that update has failed."""
    latest = campaign_update(solutionVersionArn=FOREIGN_VERSION, status="UPDATE FAILED")
    polled = watch(personalize, latestCampaignUpdate=latest, solutionVersionArn=VERSION)
    assert polled["phase"] == "ACTIVE"


def test_an_active_update_is_running_while_the_old_version_is_served(personalize):
    polled = watch(personalize, latestCampaignUpdate=campaign_update(status="ACTIVE"))
    assert polled == {**WATCHED, "status": "ACTIVE"}


def test_after_ten_minutes_the_served_version_does_not_change_any_more(personalize):
    latest = campaign_update(
        status="ACTIVE", creationDateTime=ago(1), lastUpdatedDateTime=ago(minutes=10)
    )
    before = {**WATCHED, "trialBeganAt": iso(2)}
    polled = watch(personalize, before, latestCampaignUpdate=latest)
    assert (polled["phase"], polled["failure"]) == ("ENDED", NOT_SERVED)


@pytest.mark.parametrize(
    ("latest", "failure"),
    [
        ({"status": "UPDATE FAILED", "failureReason": "no capacity"}, "no capacity"),
        ({"status": "UPDATE FAILED"}, NOT_SERVED),
        ({"status": "ACTIVE", "solutionVersionArn": OLD_VERSION}, NOT_SERVED),
    ],
)
def test_an_update_has_failed_if_another_version_is_served(personalize, latest, failure):
    polled = watch(personalize, latestCampaignUpdate=campaign_update(**latest))
    assert polled == {
        **WATCHED,
        "phase": "ENDED",
        "seconds": 1,
        "status": latest["status"],
        "failure": failure,
        "endedAt": iso(minutes=4),
    }


def test_an_update_past_its_deadline_is_overdue(personalize):
    before = {**WATCHED, "createdAt": iso(3)}
    polled = watch(personalize, before, latestCampaignUpdate=campaign_update())
    failure = f"still UPDATE IN_PROGRESS after 3 hours; the campaign may serve {VERSION} later"
    assert (polled["phase"], polled["failure"]) == ("OVERDUE", failure)


@pytest.mark.parametrize("phase", ["UNDER_WAY", "NEAR"])
@pytest.mark.parametrize("version_arn", [OLD_VERSION, VERSION])
def test_an_update_that_is_not_visible_yet_is_running(personalize, phase, version_arn):
    """The update before may have had the same target, and have failed."""
    before = {**WATCHED, "phase": phase}
    earlier = {**EARLIER_UPDATE, "solutionVersionArn": version_arn}
    polled = watch(personalize, before, latestCampaignUpdate=earlier)
    assert polled == {**before, "phase": "UNDER_WAY", "seconds": 900, "status": "ACTIVE"}


def test_the_first_update_of_a_campaign_may_not_be_visible_yet(personalize):
    assert watch(personalize) == {**WATCHED, "status": "ACTIVE"}


@pytest.mark.parametrize("described", [{"latestCampaignUpdate": EARLIER_UPDATE}, {}], ids=str)
def test_an_update_that_is_not_visible_after_ten_minutes_was_not_sent(personalize, described):
    before = {**WATCHED, "trialBeganAt": iso(minutes=10)}
    polled = watch(personalize, before, **described)
    assert (polled["phase"], polled["failure"]) == ("ENDED", NOT_SERVED)


def test_the_poll_waits_for_the_update_of_a_person(personalize):
    polled = watch(personalize, latestCampaignUpdate=UPDATE_OF_A_PERSON)
    assert polled == {**WATCHED, "status": "UPDATE IN_PROGRESS"}


def test_a_campaign_that_was_not_created_serves_nothing(personalize):
    before = {**WATCHED, "trialBeganAt": iso(minutes=10)}
    polled = watch(personalize, before, solutionVersionArn=VERSION, status="CREATE FAILED")
    assert polled["failure"].startswith(f"the campaign serves nothing, not {VERSION}")


def test_an_update_keeps_its_warnings(personalize):
    latest = campaign_update(status="UPDATE QUEUED")
    polled = watch(personalize, {**WATCHED, "warnings": ["w"]}, latestCampaignUpdate=latest)
    unknown = "the status 'UPDATE QUEUED' is unknown and counts as running"
    assert polled["warnings"] == [unknown, "w"]


# A rollback is polled

ROLLBACK = {**WATCHED, "targetVersionArn": OLD_VERSION}


def test_a_rollback_has_succeeded_if_the_good_version_is_served(personalize):
    latest = campaign_update(solutionVersionArn=OLD_VERSION, status="ACTIVE")
    polled = watch(personalize, ROLLBACK, watch_rollback, latestCampaignUpdate=latest)
    assert (polled["phase"], polled["rolledBackAt"]) == ("ACTIVE", iso(minutes=5))


def test_a_rollback_that_has_failed_is_tried_again(personalize):
    latest = campaign_update(solutionVersionArn=OLD_VERSION, status="UPDATE FAILED")
    polled = watch(
        personalize,
        ROLLBACK,
        watch_rollback,
        latestCampaignUpdate=latest,
        solutionVersionArn=f"{SOLUTION}/bad",
    )
    assert (polled["phase"], polled["seconds"]) == ("AGAIN", 60)


def test_a_rollback_past_its_deadline_says_that_the_bad_version_may_still_be_served(personalize):
    latest = campaign_update(solutionVersionArn=OLD_VERSION)
    before = {**ROLLBACK, "createdAt": iso(3)}
    polled = watch(personalize, before, watch_rollback, latestCampaignUpdate=latest)
    assert polled["phase"] == "OVERDUE"
    assert polled["failure"] == (
        "still UPDATE IN_PROGRESS after 3 hours; the campaign may still serve the version that "
        "answers badly"
    )


def test_a_rollback_that_is_running_is_polled_again(personalize):
    latest = campaign_update(solutionVersionArn=OLD_VERSION)
    polled = watch(personalize, ROLLBACK, watch_rollback, latestCampaignUpdate=latest)
    assert polled == {**ROLLBACK, "status": "UPDATE IN_PROGRESS"}
