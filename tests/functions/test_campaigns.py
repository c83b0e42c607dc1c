"""Tests of campaign updates: when one is sent, adopted or postponed, and how it ends."""

import pytest
from botocore.exceptions import ClientError

from functions.errors import ServiceUnavailable
from functions.personalize.campaigns import (
    roll_back_campaign,
    update_campaign,
    watch_campaign_update,
)
from functions.personalize.jobs import created_job, postponed_job
from tests.functions.samples import (
    CAMPAIGN,
    FOREIGN_VERSION,
    NOW,
    OLD_VERSION,
    SOLUTION,
    VERSION,
    ago,
    campaign,
    campaign_update,
    ended_job,
    evaluation,
    iso,
    job,
    planned_campaign,
    settings,
    version,
)

UPDATE = {
    "campaignArn": CAMPAIGN,
    "solutionVersionArn": VERSION,
    "minProvisionedTPS": 2,
    "campaignConfig": {"itemExplorationConfig": {"explorationWeight": "0.3"}},
}
"""The request that moves the sample campaign to the new version."""
RUNNING_UPDATE = job(CAMPAIGN, status="UPDATE IN_PROGRESS", createdAt=iso(minutes=5))
SERVED = ended_job(CAMPAIGN, createdAt=iso(500), endedAt=iso(100))
"""The job of a campaign that needs no update. The times are those of the campaign."""
UPDATE_OF_A_PERSON = campaign_update(solutionVersionArn=FOREIGN_VERSION)


@pytest.fixture(autouse=True)
def sent(clock):
    """Return the job of an update that was sent now."""
    del clock
    return {
        **created_job(CAMPAIGN, [900]),
        "firstTriedAt": NOW.isoformat(),
        "targetVersionArn": VERSION,
        "previousVersionArn": OLD_VERSION,
        "previousUpdateAt": None,
    }


@pytest.fixture(autouse=True)
def busy(clock):
    """Return the job of a campaign that is busy now."""
    del clock
    return postponed_job(CAMPAIGN, "busy", None, max_hours=3, shortest_pause=60)


def given_up(busy, reason):
    """Return the job of a campaign that was busy for three hours."""
    failure = f"gave up after 3 hours: {reason}"
    return {**busy, "firstTriedAt": iso(3), "phase": "ENDED", "seconds": 1, "failure": failure}


def expect_campaign(personalize, **changes):
    described = {"campaign": campaign(**changes)}
    personalize.expect("describe_campaign", described, campaignArn=CAMPAIGN)


def expect_versions(personalize, *, served, target):
    """Expect the creation times of the served and of the target version to be read."""
    for arn, created in ((OLD_VERSION, served), (VERSION, target)):
        described = version(solutionVersionArn=arn, creationDateTime=created)
        personalize.expect(
            "describe_solution_version", {"solutionVersion": described}, solutionVersionArn=arn
        )


def expect_newer_target(personalize):
    expect_versions(personalize, served=ago(100), target=ago(1))


def expect_tags(personalize, arn, **tags):
    """Expect the tags of a resource to be read. The keys have no `retraining-` here."""
    read = [{"tagKey": f"retraining-{key}", "tagValue": value} for key, value in tags.items()]
    personalize.expect("list_tags_for_resource", {"tags": read}, resourceArn=arn)


def expect_no_verdicts(personalize, served=OLD_VERSION):
    """Expect the tags of the target and of the served version to be read, without a verdict."""
    expect_tags(personalize, VERSION)
    if served:
        expect_tags(personalize, served)


def expect_previous_version(personalize, version_arn=OLD_VERSION):
    """Expect the version to roll back to to be written as a tag."""
    tags = [{"tagKey": "retraining-previous-version", "tagValue": version_arn}]
    personalize.expect("tag_resource", {}, resourceArn=CAMPAIGN, tags=tags)


def expect_update(personalize, **changes):
    personalize.expect("update_campaign", {"campaignArn": CAMPAIGN}, **{**UPDATE, **changes})


def update(personalize, last_try=None, compared_with=OLD_VERSION):
    """Update the campaign after the gate has compared the new version with this one."""
    return update_campaign(
        personalize.client,
        settings(),
        planned_campaign(),
        evaluation(comparedWith=compared_with),
        target=VERSION,
        last_try=last_try,
    )


# An update is sent


def test_an_update_repeats_the_other_settings_of_the_campaign(personalize, sent):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    expect_no_verdicts(personalize)
    expect_previous_version(personalize)
    expect_update(personalize)
    assert update(personalize) == sent


def test_an_update_does_not_contain_settings_that_the_campaign_does_not_have(personalize, sent):
    bare = campaign()
    del bare["minProvisionedTPS"], bare["campaignConfig"]
    personalize.expect("describe_campaign", {"campaign": bare}, campaignArn=CAMPAIGN)
    expect_newer_target(personalize)
    expect_no_verdicts(personalize)
    expect_previous_version(personalize)
    request = {"campaignArn": CAMPAIGN, "solutionVersionArn": VERSION}
    personalize.expect("update_campaign", {"campaignArn": CAMPAIGN}, **request)
    assert update(personalize) == sent


@pytest.mark.parametrize("status", ["ACTIVE", "UPDATE FAILED"])
def test_the_job_contains_the_time_of_the_update_before(personalize, sent, status):
    latest = campaign_update(
        solutionVersionArn=OLD_VERSION, status=status, creationDateTime=ago(100)
    )
    expect_campaign(personalize, latestCampaignUpdate=latest)
    expect_newer_target(personalize)
    expect_no_verdicts(personalize)
    expect_previous_version(personalize)
    expect_update(personalize)
    assert update(personalize) == {**sent, "previousUpdateAt": iso(100)}


def test_the_job_keeps_the_time_of_the_first_try(personalize, sent, busy):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    expect_no_verdicts(personalize)
    expect_previous_version(personalize)
    expect_update(personalize)
    previous = {**busy, "firstTriedAt": iso(1)}
    assert update(personalize, previous) == {**sent, "firstTriedAt": iso(1)}


def test_a_campaign_moves_to_a_version_that_was_created_at_the_same_time(personalize, sent):
    expect_campaign(personalize)
    expect_versions(personalize, served=ago(1), target=ago(1))
    expect_no_verdicts(personalize)
    expect_previous_version(personalize)
    expect_update(personalize)
    assert update(personalize) == sent


def test_a_campaign_whose_creation_failed_is_updated_even_to_the_version_that_it_names(
    personalize, sent
):
    expect_campaign(personalize, solutionVersionArn=VERSION, status="CREATE FAILED")
    expect_no_verdicts(personalize, served=None)
    expect_update(personalize)
    assert update(personalize, compared_with=None) == {**sent, "previousVersionArn": None}, (
        "no version is served, so there is none to roll back to"
    )


def test_a_campaign_that_names_the_newest_version_is_moved_to_the_target(personalize, sent):
    latest = f"{SOLUTION}/$LATEST"
    expect_campaign(personalize, solutionVersionArn=latest)
    expect_no_verdicts(personalize, served=None)
    expect_update(personalize)
    assert update(personalize, compared_with=latest) == {**sent, "previousVersionArn": latest}, (
        "a tag cannot contain the $"
    )


def test_the_verdict_of_another_campaigns_gate_does_not_count(personalize, sent):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    expect_tags(personalize, VERSION, verdict="REJECTED")
    expect_tags(personalize, OLD_VERSION)
    expect_previous_version(personalize)
    expect_update(personalize)
    assert update(personalize) == sent


# The version to roll back to


def test_a_live_version_that_another_campaign_rejected_can_be_rolled_back_to(personalize, sent):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    expect_tags(personalize, VERSION)
    expect_tags(personalize, OLD_VERSION, verdict="REJECTED")
    expect_previous_version(personalize, OLD_VERSION)
    expect_update(personalize)
    assert update(personalize) == sent


def test_if_the_live_version_was_rolled_back_the_version_before_it_is_used(personalize, sent):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    expect_tags(personalize, VERSION)
    expect_tags(personalize, OLD_VERSION, verdict="ROLLED_BACK")
    expect_tags(personalize, CAMPAIGN, **{"previous-version": FOREIGN_VERSION})
    expect_previous_version(personalize, FOREIGN_VERSION)
    expect_update(personalize)
    assert update(personalize) == {**sent, "previousVersionArn": FOREIGN_VERSION}


def test_if_only_bad_versions_are_known_there_is_none_to_roll_back_to(personalize, sent):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    expect_tags(personalize, VERSION)
    expect_tags(personalize, OLD_VERSION, verdict="ROLLED_BACK")
    expect_tags(personalize, CAMPAIGN)
    expect_update(personalize)
    assert update(personalize) == {**sent, "previousVersionArn": None}


# No update is needed


@pytest.mark.parametrize(
    ("tags", "rollback_version"),
    [
        ({"previous-version": OLD_VERSION}, OLD_VERSION),
        ({"previous-version": VERSION}, None),
        ({}, None),
    ],
    ids=["moved by a run", "rolled back to it", "never moved"],
)
def test_a_campaign_that_serves_the_target_needs_no_update_and_may_be_probed(
    personalize, tags, rollback_version
):
    expect_campaign(personalize, solutionVersionArn=VERSION)
    expect_tags(personalize, CAMPAIGN, **tags)
    versions = {"targetVersionArn": VERSION, "previousVersionArn": rollback_version}
    assert update(personalize) == {**SERVED, **versions}


@pytest.mark.parametrize("status", ["UPDATE PENDING", "UPDATE IN_PROGRESS"])
def test_a_running_update_to_the_target_is_adopted(personalize, status):
    """The previous try may have timed out after its request arrived."""
    expect_campaign(personalize, latestCampaignUpdate=campaign_update(status=status))
    expect_tags(personalize, OLD_VERSION)
    versions = {"targetVersionArn": VERSION, "previousVersionArn": OLD_VERSION}
    assert update(personalize) == {**RUNNING_UPDATE, "status": status, **versions}


def test_a_campaign_never_moves_to_an_older_version(personalize):
    expect_campaign(personalize)
    expect_versions(personalize, served=ago(1), target=ago(1, seconds=1))
    failure = f"the campaign serves {OLD_VERSION}, which is newer than {VERSION}"
    superseded = {"phase": "SUPERSEDED", "failure": failure}
    assert update(personalize) == {**SERVED, **superseded}


# The campaign is busy


def test_the_update_of_a_person_is_awaited(personalize, busy):
    expect_campaign(personalize, latestCampaignUpdate=UPDATE_OF_A_PERSON)
    assert update(personalize) == busy


def test_the_wait_counts_from_the_first_try(personalize, clock, busy):
    for _ in range(2):
        expect_campaign(personalize, latestCampaignUpdate=UPDATE_OF_A_PERSON)
    first = update(personalize)
    clock.advance(60)
    assert update(personalize, first) == busy


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"latestCampaignUpdate": UPDATE_OF_A_PERSON},
            f"the campaign is being updated to {FOREIGN_VERSION}",
        ),
        ({"status": "CREATE IN_PROGRESS"}, "the status of the campaign is CREATE IN_PROGRESS"),
    ],
)
def test_a_campaign_that_stays_busy_is_given_up_after_the_limit(personalize, busy, changes, reason):
    expect_campaign(personalize, **changes)
    previous = {**busy, "firstTriedAt": iso(3)}
    assert update(personalize, previous) == given_up(busy, reason)


def test_a_campaign_that_follows_the_newest_version_by_itself_is_given_up_after_the_limit(
    personalize, busy
):
    expect_campaign(personalize, campaignConfig={"syncWithLatestSolutionVersion": True})
    expect_newer_target(personalize)
    previous = {**busy, "firstTriedAt": iso(3)}
    reason = (
        "the campaign follows the newest version by itself; turn off its "
        "syncWithLatestSolutionVersion, so that runs can move it"
    )
    assert update(personalize, previous) == given_up(busy, reason)


def test_a_campaign_that_refuses_the_update_as_in_use_is_tried_again(personalize, busy):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    expect_no_verdicts(personalize)
    expect_previous_version(personalize)
    personalize.expect_error("update_campaign", "ResourceInUseException", **UPDATE)
    previous = {**busy, "firstTriedAt": iso(3)}
    reason = "Personalize answers that the campaign is in use"
    assert update(personalize, previous) == given_up(busy, reason)


def test_a_campaign_that_refuses_the_tag_as_in_use_is_tried_again(personalize, busy):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    expect_no_verdicts(personalize)
    tags = [{"tagKey": "retraining-previous-version", "tagValue": OLD_VERSION}]
    request = {"resourceArn": CAMPAIGN, "tags": tags}
    personalize.expect_error("tag_resource", "ResourceInUseException", **request)
    assert update(personalize) == busy


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("LimitExceededException", 400, ClientError),
        ("ServiceUnavailable", 503, ServiceUnavailable),
    ],
)
def test_any_other_error_of_the_update_is_raised(personalize, code, status, expected):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    expect_no_verdicts(personalize)
    expect_previous_version(personalize)
    personalize.expect_error("update_campaign", code, "no", status=status, **UPDATE)
    with pytest.raises(expected, match="no"):
        update(personalize)


# The gate must judge again


def test_the_gate_judges_again_if_the_campaign_serves_another_version_than_it_compared_with(
    personalize, busy
):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    assert update(personalize, compared_with=FOREIGN_VERSION) == {**busy, "phase": "CHANGED"}


def test_the_gate_judges_again_if_another_campaign_was_rolled_back_from_the_target(
    personalize, busy
):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    expect_tags(personalize, VERSION, verdict="ROLLED_BACK")
    assert update(personalize) == {**busy, "phase": "CHANGED"}


def test_a_gate_that_must_judge_again_and_again_is_given_up_after_the_limit(personalize, busy):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    previous = {**busy, "firstTriedAt": iso(3)}
    reason = "the quality gate has to judge the version again"
    assert update(personalize, previous, compared_with=None) == given_up(busy, reason)


# An update is polled

EARLIER_UPDATE = campaign_update(
    solutionVersionArn=OLD_VERSION, status="ACTIVE", creationDateTime=ago(100)
)


@pytest.fixture
def watched(sent):
    """Return the job of an update that was sent five minutes ago."""
    return {
        **sent,
        "seconds": 900,
        "createdAt": iso(minutes=5),
        "firstTriedAt": iso(minutes=6),
        "previousUpdateAt": iso(100),
    }


def watch(personalize, update_job, **changes):
    """Poll the campaign once."""
    expect_campaign(personalize, **changes)
    planned = planned_campaign(durations=[7200])
    return watch_campaign_update(personalize.client, settings(), planned, update_job)


def test_the_status_of_the_campaign_does_not_count(personalize, watched):
    polled = watch(personalize, watched, status="ACTIVE", latestCampaignUpdate=campaign_update())
    assert polled == {**watched, "status": "UPDATE IN_PROGRESS"}


def test_an_update_has_succeeded_if_it_is_active_and_the_target_is_served(personalize, watched):
    latest = campaign_update(status="ACTIVE")
    polled = watch(personalize, watched, latestCampaignUpdate=latest, solutionVersionArn=VERSION)
    assert polled == {
        **watched,
        "phase": "ACTIVE",
        "seconds": 1,
        "status": "ACTIVE",
        "endedAt": iso(minutes=4),
    }


def test_an_active_update_is_running_while_the_old_version_is_served(personalize, watched):
    polled = watch(personalize, watched, latestCampaignUpdate=campaign_update(status="ACTIVE"))
    assert polled == {**watched, "status": "ACTIVE", "endedAt": iso(minutes=4)}


@pytest.mark.parametrize("served", [OLD_VERSION, VERSION])
def test_a_failed_update_has_failed_whatever_version_is_served(personalize, watched, served):
    latest = campaign_update(status="UPDATE FAILED", failureReason="no capacity")
    polled = watch(personalize, watched, latestCampaignUpdate=latest, solutionVersionArn=served)
    assert polled == {
        **watched,
        "phase": "ENDED",
        "seconds": 1,
        "status": "UPDATE FAILED",
        "failure": "no capacity",
        "endedAt": iso(minutes=4),
    }


def test_an_update_past_its_deadline_is_overdue(personalize, watched):
    latest = campaign_update(creationDateTime=ago(3))
    polled = watch(personalize, watched, latestCampaignUpdate=latest)
    failure = "still UPDATE IN_PROGRESS after 3 hours"
    assert (polled["phase"], polled["failure"]) == ("OVERDUE", failure)


@pytest.mark.parametrize("phase", ["UNDER_WAY", "NEAR"])
@pytest.mark.parametrize("version_arn", [OLD_VERSION, VERSION])
def test_an_update_that_is_not_visible_yet_is_running(personalize, watched, phase, version_arn):
    """The update before may have had the same target, and have failed."""
    before = {**watched, "phase": phase, "createdAt": iso(minutes=10)}
    earlier = {**EARLIER_UPDATE, "solutionVersionArn": version_arn}
    polled = watch(personalize, before, latestCampaignUpdate=earlier)
    assert polled == {**before, "phase": "UNDER_WAY", "seconds": 900}


def test_the_first_update_of_a_campaign_may_not_be_visible_yet(personalize, watched):
    first = {**watched, "previousUpdateAt": None}
    assert watch(personalize, first) == first


@pytest.mark.parametrize("latest", [EARLIER_UPDATE, None], ids=["earlier update", "no update"])
def test_an_update_has_succeeded_if_the_target_is_served(personalize, watched, latest):
    described = {"latestCampaignUpdate": latest} if latest else {}
    before = watched if latest else {**watched, "previousUpdateAt": None}
    polled = watch(personalize, before, solutionVersionArn=VERSION, **described)
    assert polled == {**before, **SERVED}, "the version to roll back to is still known"


def test_a_target_that_a_failed_campaign_names_is_not_served(personalize, watched):
    before = {**watched, "previousUpdateAt": None}
    polled = watch(personalize, before, solutionVersionArn=VERSION, status="CREATE FAILED")
    assert polled == before


def test_an_update_that_is_not_visible_after_ten_minutes_is_sent_again(personalize, watched):
    before = {**watched, "createdAt": iso(minutes=10, seconds=1), "firstTriedAt": iso(minutes=30)}
    polled = watch(personalize, before, latestCampaignUpdate=EARLIER_UPDATE)
    assert polled == {**before, "phase": "AGAIN", "seconds": 90, "status": "WAITING"}


def test_an_update_that_another_update_replaced_is_decided_again(personalize, watched):
    polled = watch(personalize, watched, latestCampaignUpdate=UPDATE_OF_A_PERSON)
    assert polled == {**watched, "phase": "AGAIN", "seconds": 60, "status": "WAITING"}


def test_an_update_that_is_replaced_again_and_again_is_given_up_after_the_limit(
    personalize, watched
):
    before = {**watched, "firstTriedAt": iso(3)}
    polled = watch(personalize, before, latestCampaignUpdate=UPDATE_OF_A_PERSON)
    assert (polled["phase"], polled["failure"]) == (
        "ENDED",
        f"gave up after 3 hours: another update replaced the update to {VERSION}",
    )


def test_an_adopted_update_is_polled_without_the_time_of_the_update_before(personalize):
    versions = {"targetVersionArn": VERSION, "previousVersionArn": OLD_VERSION}
    adopted = {**RUNNING_UPDATE, **versions}
    polled = watch(personalize, adopted, latestCampaignUpdate=campaign_update())
    assert polled == {**adopted, "seconds": 900}


def test_an_update_keeps_its_warnings(personalize, watched):
    before = {**watched, "warnings": ["w"]}
    polled = watch(personalize, before, latestCampaignUpdate=campaign_update())
    assert polled["warnings"] == ["w"]


# A campaign is rolled back

UPDATED = ended_job(CAMPAIGN, targetVersionArn=VERSION, previousVersionArn=OLD_VERSION)
ROLLBACK = {**UPDATE, "solutionVersionArn": OLD_VERSION}
VERDICT = {
    "resourceArn": VERSION,
    "tags": [{"tagKey": "retraining-verdict", "tagValue": "ROLLED_BACK"}],
}


@pytest.fixture
def rolling_back(sent):
    """Return the job of a rollback that was sent now."""
    return {**sent, "targetVersionArn": OLD_VERSION, "previousVersionArn": None}


def expect_rollback(personalize, **changes):
    """Expect the verdict to be written, and then the campaign to be described."""
    personalize.expect("tag_resource", {}, **VERDICT)
    expect_campaign(personalize, **changes)


def roll_back(personalize, previous=None):
    client = personalize.client
    return roll_back_campaign(client, settings(), planned_campaign(), UPDATED, previous)


def test_a_campaign_is_moved_back_although_the_version_is_older(personalize, rolling_back):
    expect_rollback(personalize, solutionVersionArn=VERSION)
    personalize.expect("update_campaign", {"campaignArn": CAMPAIGN}, **ROLLBACK)
    assert roll_back(personalize) == rolling_back


def test_a_rollback_contains_the_time_of_the_update_before(personalize, rolling_back):
    latest = campaign_update(status="ACTIVE")
    expect_rollback(personalize, solutionVersionArn=VERSION, latestCampaignUpdate=latest)
    personalize.expect("update_campaign", {"campaignArn": CAMPAIGN}, **ROLLBACK)
    assert roll_back(personalize) == {**rolling_back, "previousUpdateAt": iso(minutes=5)}


def test_a_running_rollback_is_adopted(personalize):
    latest = campaign_update(solutionVersionArn=OLD_VERSION)
    expect_rollback(personalize, solutionVersionArn=VERSION, latestCampaignUpdate=latest)
    assert roll_back(personalize) == {**RUNNING_UPDATE, "targetVersionArn": OLD_VERSION}


def test_a_campaign_that_is_back_already_needs_no_update(personalize):
    latest = campaign_update(solutionVersionArn=OLD_VERSION, status="ACTIVE")
    expect_rollback(personalize, latestCampaignUpdate=latest)
    assert roll_back(personalize) == {**SERVED, "targetVersionArn": OLD_VERSION}


def test_a_rollback_waits_for_the_update_of_a_person(personalize, busy):
    expect_rollback(
        personalize, solutionVersionArn=VERSION, latestCampaignUpdate=UPDATE_OF_A_PERSON
    )
    assert roll_back(personalize) == busy


def test_a_campaign_that_a_person_has_moved_is_not_moved_back(personalize):
    expect_rollback(personalize, solutionVersionArn=FOREIGN_VERSION)
    failure = f"the campaign serves {FOREIGN_VERSION} now, not {VERSION}, so it was not rolled back"
    assert roll_back(personalize) == {**SERVED, "phase": "ENDED", "failure": failure}


def test_a_rollback_that_is_refused_as_in_use_is_tried_again(personalize, busy):
    previous = {**busy, "firstTriedAt": iso(minutes=1)}
    expect_rollback(personalize, solutionVersionArn=VERSION)
    personalize.expect_error("update_campaign", "ResourceInUseException", **ROLLBACK)
    assert roll_back(personalize, previous) == previous


def test_a_campaign_is_moved_back_from_a_version_that_takes_no_more_tags(personalize, rolling_back):
    personalize.expect_error("tag_resource", "TooManyTagsException", **VERDICT)
    expect_campaign(personalize, solutionVersionArn=VERSION)
    personalize.expect("update_campaign", {"campaignArn": CAMPAIGN}, **ROLLBACK)
    warning = (
        f"{VERSION} takes no more tags, so a resumed run may deploy it again; remove one of its "
        "tags and add the tag retraining-verdict with the value ROLLED_BACK"
    )
    assert roll_back(personalize) == {**rolling_back, "warnings": [warning]}


def test_a_rollback_is_polled_until_its_own_target_is_served(personalize, rolling_back):
    """The update that is rolled back is ACTIVE, but its version is not the target any more."""
    undone = campaign_update(status="ACTIVE", creationDateTime=ago(1))
    before = {**rolling_back, "previousUpdateAt": iso(1)}
    polled = watch(personalize, before, solutionVersionArn=VERSION, latestCampaignUpdate=undone)
    assert polled == {**before, "seconds": 900}
