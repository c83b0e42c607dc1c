"""Campaigns: moved to a version that is newer, and known to serve it."""

import pytest
from botocore.exceptions import ClientError

from functions.errors import ServiceUnavailable
from functions.personalize.campaigns import (
    roll_back_campaign,
    update_campaign,
    watch_campaign_update,
)
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
STARTED = {
    "arn": CAMPAIGN,
    "phase": "UNDER_WAY",
    "seconds": 45,
    "status": "CREATE PENDING",
    "failure": None,
    "warnings": [],
    "foreign": False,
    "createdAt": NOW.isoformat(),
    "firstTriedAt": NOW.isoformat(),
    "targetVersionArn": VERSION,
    "previousVersionArn": OLD_VERSION,
    "previousUpdateAt": None,
}
AGAIN = {
    "arn": CAMPAIGN,
    "phase": "AGAIN",
    "seconds": 60,
    "status": "WAITING",
    "failure": None,
    "warnings": [],
    "foreign": False,
    "firstTriedAt": NOW.isoformat(),
}
IN_PROGRESS = job(CAMPAIGN, status="UPDATE IN_PROGRESS", createdAt=iso(minutes=5))
LIVE = ended_job(CAMPAIGN, createdAt=iso(500), endedAt=iso(100))
"""Served without an update of ours: the times are the campaign's."""


def describes(personalize, **changes):
    described = {"campaign": campaign(**changes)}
    personalize.says("describe_campaign", described, campaignArn=CAMPAIGN)


def versions_are(personalize, *, served, target):
    """Creation of the version that is served and of ours."""
    for arn, created in ((OLD_VERSION, served), (VERSION, target)):
        described = version(solutionVersionArn=arn, creationDateTime=created)
        personalize.says(
            "describe_solution_version", {"solutionVersion": described}, solutionVersionArn=arn
        )


def ours_is_newer(personalize):
    versions_are(personalize, served=ago(100), target=ago(1))


def remembers(personalize, version_arn=OLD_VERSION):
    """The version served before goes into the campaign's tag."""
    tags = [{"tagKey": "retraining-previous-version", "tagValue": version_arn}]
    personalize.says("tag_resource", {}, resourceArn=CAMPAIGN, tags=tags)


def has_tags(personalize, arn, **tags):
    """A resource is asked for its tags, given here without `retraining-`."""
    found = [{"tagKey": f"retraining-{key}", "tagValue": value} for key, value in tags.items()]
    personalize.says("list_tags_for_resource", {"tags": found}, resourceArn=arn)


def is_fit(personalize, served=OLD_VERSION):
    """Neither our version nor the one that is served carries a verdict."""
    has_tags(personalize, VERSION)
    if served:
        has_tags(personalize, served)


def moves(personalize, **changes):
    is_fit(personalize)
    remembers(personalize)
    personalize.says("update_campaign", {"campaignArn": CAMPAIGN}, **{**UPDATE, **changes})


def update(personalize, before=None, compared_with=OLD_VERSION):
    """Update after the gate has compared our version with this one."""
    judged = evaluation(comparedWith=compared_with)
    return update_campaign(
        personalize.client,
        settings(),
        planned_campaign(),
        judged,
        target=VERSION,
        previous=before,
    )


# update


def test_a_campaign_is_moved_with_all_its_settings(personalize):
    describes(personalize)
    ours_is_newer(personalize)
    moves(personalize)
    assert update(personalize) == STARTED


def test_settings_that_a_campaign_has_not_are_not_given(personalize):
    bare = campaign()
    del bare["minProvisionedTPS"], bare["campaignConfig"]
    personalize.says("describe_campaign", {"campaign": bare}, campaignArn=CAMPAIGN)
    ours_is_newer(personalize)
    is_fit(personalize)
    remembers(personalize)
    bare_update = {"campaignArn": CAMPAIGN, "solutionVersionArn": VERSION}
    personalize.says("update_campaign", {"campaignArn": CAMPAIGN}, **bare_update)
    assert update(personalize) == STARTED


@pytest.mark.parametrize("status", ["ACTIVE", "UPDATE FAILED"])
def test_the_update_before_ours_is_remembered(personalize, status):
    latest = campaign_update(
        solutionVersionArn=OLD_VERSION, status=status, creationDateTime=ago(100)
    )
    describes(personalize, latestCampaignUpdate=latest)
    ours_is_newer(personalize)
    moves(personalize)
    assert update(personalize) == {**STARTED, "previousUpdateAt": iso(100)}


@pytest.mark.parametrize(
    ("tags", "back_to"),
    [
        ({"previous-version": OLD_VERSION}, OLD_VERSION),
        ({"previous-version": VERSION}, None),
        ({}, None),
    ],
    ids=["moved by us", "moved back to it", "never moved"],
)
def test_a_campaign_that_serves_the_version_is_left_alone_and_can_go_back(
    personalize, tags, back_to
):
    describes(personalize, solutionVersionArn=VERSION)
    has_tags(personalize, CAMPAIGN, **tags)
    served = {**LIVE, "targetVersionArn": VERSION, "previousVersionArn": back_to}
    assert update(personalize) == served, (
        "a probe that was not asked yet, or not to its end, is asked now"
    )


def test_a_version_that_another_campaign_rejected_is_gone_back_to(personalize):
    describes(personalize)
    ours_is_newer(personalize)
    has_tags(personalize, VERSION)
    has_tags(personalize, OLD_VERSION, verdict="REJECTED")
    remembers(personalize, OLD_VERSION)
    personalize.says("update_campaign", {"campaignArn": CAMPAIGN}, **UPDATE)
    assert update(personalize) == STARTED, "this one has served it, whoever moved it there"


def test_a_version_that_was_rolled_back_is_not_gone_back_to(personalize):
    describes(personalize)
    ours_is_newer(personalize)
    has_tags(personalize, VERSION)
    has_tags(personalize, OLD_VERSION, verdict="ROLLED_BACK")
    has_tags(personalize, CAMPAIGN, **{"previous-version": FOREIGN_VERSION})
    remembers(personalize, FOREIGN_VERSION)
    personalize.says("update_campaign", {"campaignArn": CAMPAIGN}, **UPDATE)
    assert update(personalize) == {**STARTED, "previousVersionArn": FOREIGN_VERSION}


def test_where_only_bad_versions_are_known_there_is_nothing_to_go_back_to(personalize):
    describes(personalize)
    ours_is_newer(personalize)
    has_tags(personalize, VERSION)
    has_tags(personalize, OLD_VERSION, verdict="ROLLED_BACK")
    has_tags(personalize, CAMPAIGN)
    personalize.says("update_campaign", {"campaignArn": CAMPAIGN}, **UPDATE)
    assert update(personalize) == {**STARTED, "previousVersionArn": None}


def test_a_campaign_whose_creation_failed_is_updated_even_to_the_version_it_names(personalize):
    describes(personalize, solutionVersionArn=VERSION, status="CREATE FAILED")
    is_fit(personalize, served=None)
    personalize.says("update_campaign", {"campaignArn": CAMPAIGN}, **UPDATE)
    moved = update(personalize, compared_with=None)
    assert moved == {**STARTED, "previousVersionArn": None}, "nothing is served: nothing to tag"


@pytest.mark.parametrize("status", ["UPDATE PENDING", "UPDATE IN_PROGRESS"])
def test_an_update_to_our_version_that_is_under_way_is_adopted(personalize, status):
    """The try before may have timed out after its request arrived."""
    describes(personalize, latestCampaignUpdate=campaign_update(status=status))
    has_tags(personalize, OLD_VERSION)
    before = {"targetVersionArn": VERSION, "previousVersionArn": OLD_VERSION}
    adopted = {**IN_PROGRESS, "status": status, **before}
    assert update(personalize) == adopted


def test_somebody_elses_update_is_waited_for(personalize):
    latest = campaign_update(solutionVersionArn=FOREIGN_VERSION)
    describes(personalize, latestCampaignUpdate=latest)
    assert update(personalize) == AGAIN


def test_the_wait_counts_from_the_first_try(personalize, clock):
    for _ in range(2):
        latest = campaign_update(solutionVersionArn=FOREIGN_VERSION)
        describes(personalize, latestCampaignUpdate=latest)
    first = update(personalize)
    clock.advance(60)
    assert update(personalize, first) == AGAIN, "firstTriedAt is the first try's"


def test_the_wait_for_somebody_else_has_the_updates_deadline(personalize):
    latest = campaign_update(solutionVersionArn=FOREIGN_VERSION)
    describes(personalize, latestCampaignUpdate=latest)
    before = {**AGAIN, "firstTriedAt": iso(3)}
    assert update(personalize, before) == {
        **before,
        "phase": "ENDED",
        "seconds": 1,
        "failure": f"it is being updated to {FOREIGN_VERSION}, for 3 hours now",
    }


def test_a_campaign_that_is_being_created_is_waited_for(personalize):
    describes(personalize, status="CREATE IN_PROGRESS")
    before = {**AGAIN, "firstTriedAt": iso(3)}
    assert update(personalize, before) == {
        **before,
        "phase": "ENDED",
        "seconds": 1,
        "failure": "its status is CREATE IN_PROGRESS, for 3 hours now",
    }


def test_a_campaign_in_use_despite_its_description_is_waited_for(personalize):
    describes(personalize)
    ours_is_newer(personalize)
    is_fit(personalize)
    remembers(personalize)
    personalize.refuses("update_campaign", "ResourceInUseException", **UPDATE)
    before = {**AGAIN, "firstTriedAt": iso(3)}
    assert update(personalize, before) == {
        **before,
        "phase": "ENDED",
        "seconds": 1,
        "failure": "it is in use, for 3 hours now",
    }


def test_a_campaign_that_is_in_use_when_its_tag_is_written_is_waited_for(personalize):
    describes(personalize)
    ours_is_newer(personalize)
    is_fit(personalize)
    tags = [{"tagKey": "retraining-previous-version", "tagValue": OLD_VERSION}]
    personalize.refuses("tag_resource", "ResourceInUseException", resourceArn=CAMPAIGN, tags=tags)
    assert update(personalize) == AGAIN


def test_an_update_after_a_wait_remembers_the_first_try(personalize):
    describes(personalize)
    ours_is_newer(personalize)
    moves(personalize)
    before = {**AGAIN, "firstTriedAt": iso(1)}
    assert update(personalize, before) == {**STARTED, "firstTriedAt": iso(1)}


def test_a_campaign_never_moves_to_an_older_version(personalize):
    describes(personalize)
    versions_are(personalize, served=ago(1), target=ago(1, seconds=1))
    superseded = {**LIVE, "phase": "SUPERSEDED", "failure": f"it serves {OLD_VERSION}"}
    assert update(personalize) == superseded


def test_a_campaign_moves_to_a_version_of_the_same_instant(personalize):
    describes(personalize)
    versions_are(personalize, served=ago(1), target=ago(1))
    moves(personalize)
    assert update(personalize) == STARTED


def test_a_campaign_that_follows_the_newest_version_by_itself_is_waited_for(personalize):
    following = {"syncWithLatestSolutionVersion": True}
    describes(personalize, campaignConfig=following)
    ours_is_newer(personalize)
    before = {**AGAIN, "firstTriedAt": iso(3)}
    assert update(personalize, before) == {
        **before,
        "phase": "ENDED",
        "seconds": 1,
        "failure": "it follows the newest version by itself, for 3 hours now",
    }


def test_a_campaign_that_names_the_newest_version_is_moved_to_ours(personalize):
    latest = f"{SOLUTION}/$LATEST"
    describes(personalize, solutionVersionArn=latest)
    personalize.says(
        "describe_solution_version", {"solutionVersion": version()}, solutionVersionArn=VERSION
    )
    is_fit(personalize, served=None)
    personalize.says("update_campaign", {"campaignArn": CAMPAIGN}, **UPDATE)
    moved = update(personalize, compared_with=latest)
    assert moved == {**STARTED, "previousVersionArn": latest}, "a tag cannot hold the $"


def test_where_another_version_is_served_than_the_gate_compared_with_it_is_asked_again(personalize):
    describes(personalize)
    ours_is_newer(personalize)
    assert update(personalize, compared_with=FOREIGN_VERSION) == {**AGAIN, "phase": "CHANGED"}


def test_where_another_campaign_was_rolled_back_from_the_version_the_gate_is_asked_again(
    personalize,
):
    describes(personalize)
    ours_is_newer(personalize)
    has_tags(personalize, VERSION, verdict="ROLLED_BACK")
    assert update(personalize) == {**AGAIN, "phase": "CHANGED"}


def test_what_the_gate_of_another_campaign_rejected_is_this_gates_to_judge(personalize):
    describes(personalize)
    ours_is_newer(personalize)
    has_tags(personalize, VERSION, verdict="REJECTED")
    has_tags(personalize, OLD_VERSION)
    remembers(personalize)
    personalize.says("update_campaign", {"campaignArn": CAMPAIGN}, **UPDATE)
    assert update(personalize) == STARTED


def test_a_gate_that_is_overtaken_again_and_again_is_given_up_at_the_deadline(personalize):
    describes(personalize)
    ours_is_newer(personalize)
    before = {**AGAIN, "firstTriedAt": iso(3)}
    assert update(personalize, before, compared_with=None) == {
        **before,
        "phase": "ENDED",
        "seconds": 1,
        "failure": "the gate has to be asked again, for 3 hours now",
    }


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("LimitExceededException", 400, ClientError),
        ("ServiceUnavailable", 503, ServiceUnavailable),
    ],
)
def test_other_errors_of_the_update_are_let_through(personalize, code, status, expected):
    describes(personalize)
    ours_is_newer(personalize)
    is_fit(personalize)
    remembers(personalize)
    personalize.refuses("update_campaign", code, "no", status=status, **UPDATE)
    with pytest.raises(expected, match="no"):
        update(personalize)


# watch


def watch(personalize, before, **changes):
    describes(personalize, **changes)
    return watch_campaign_update(
        personalize.client, settings(), planned_campaign(durations=[7200]), before
    )


OURS = {
    **STARTED,
    "seconds": 900,
    "createdAt": iso(minutes=5),
    "firstTriedAt": iso(minutes=6),
    "previousUpdateAt": iso(100),
}
EARLIER = campaign_update(
    solutionVersionArn=OLD_VERSION, status="ACTIVE", creationDateTime=ago(100)
)


def test_the_campaigns_own_status_says_nothing(personalize):
    seen = watch(personalize, OURS, status="ACTIVE", latestCampaignUpdate=campaign_update())
    assert seen == {**OURS, "status": "UPDATE IN_PROGRESS"}


def test_an_update_is_done_when_it_is_active_and_its_version_is_served(personalize):
    latest = campaign_update(status="ACTIVE")
    seen = watch(personalize, OURS, latestCampaignUpdate=latest, solutionVersionArn=VERSION)
    assert seen == {
        **OURS,
        "phase": "ACTIVE",
        "seconds": 1,
        "status": "ACTIVE",
        "endedAt": iso(minutes=4),
    }


def test_an_update_that_is_active_while_the_old_version_is_served_is_under_way(personalize):
    seen = watch(personalize, OURS, latestCampaignUpdate=campaign_update(status="ACTIVE"))
    assert seen == {**OURS, "status": "ACTIVE", "endedAt": iso(minutes=4)}


def test_an_update_that_failed_says_why(personalize):
    latest = campaign_update(status="UPDATE FAILED", failureReason="no capacity")
    seen = watch(personalize, OURS, latestCampaignUpdate=latest)
    assert seen == {
        **OURS,
        "phase": "ENDED",
        "seconds": 1,
        "status": "UPDATE FAILED",
        "failure": "no capacity",
        "endedAt": iso(minutes=4),
    }


def test_an_update_that_failed_has_failed_although_the_version_is_served(personalize):
    latest = campaign_update(status="UPDATE FAILED", failureReason="no capacity")
    seen = watch(personalize, OURS, latestCampaignUpdate=latest, solutionVersionArn=VERSION)
    assert seen["phase"] == "ENDED", "ours is the update, whatever else is served"


def test_an_update_past_its_deadline_is_overdue(personalize):
    latest = campaign_update(creationDateTime=ago(3))
    seen = watch(personalize, OURS, latestCampaignUpdate=latest)
    late = "still UPDATE IN_PROGRESS after 3 hours"
    assert (seen["phase"], seen["failure"]) == ("OVERDUE", late)


@pytest.mark.parametrize("phase", ["UNDER_WAY", "NEAR"])
@pytest.mark.parametrize("earlier", [EARLIER, {**EARLIER, "solutionVersionArn": VERSION}])
def test_a_description_that_does_not_show_our_update_yet_is_looked_at_again(
    personalize, phase, earlier
):
    """The update before ours may have been to the same version, and have failed."""
    before = {**OURS, "phase": phase, "createdAt": iso(minutes=10)}
    seen = watch(personalize, before, latestCampaignUpdate=earlier)
    assert seen == {**before, "phase": "UNDER_WAY", "seconds": 900}


def test_our_first_update_of_a_campaign_may_stay_unseen_too(personalize):
    before = {**OURS, "previousUpdateAt": None}
    assert watch(personalize, before) == before


@pytest.mark.parametrize("latest", [EARLIER, None], ids=["earlier", "none"])
def test_a_version_that_is_served_needs_no_update_to_be_seen(personalize, latest):
    shown = {"latestCampaignUpdate": latest} if latest else {}
    before = OURS if latest else {**OURS, "previousUpdateAt": None}
    seen = watch(personalize, before, solutionVersionArn=VERSION, **shown)
    assert seen == {**before, **LIVE}, "what was served before is still known"


def test_a_version_that_a_failed_campaign_names_is_not_served(personalize):
    before = {**OURS, "previousUpdateAt": None}
    seen = watch(personalize, before, solutionVersionArn=VERSION, status="CREATE FAILED")
    assert seen == before


def test_an_update_that_stays_unseen_for_ten_minutes_is_made_again(personalize):
    before = {**OURS, "createdAt": iso(minutes=10, seconds=1), "firstTriedAt": iso(minutes=30)}
    seen = watch(personalize, before, latestCampaignUpdate=EARLIER)
    assert seen == {
        **before,
        "phase": "AGAIN",
        "seconds": 90,
        "status": "WAITING",
    }


def test_an_update_that_somebody_else_overtook_is_decided_anew(personalize):
    overtaking = campaign_update(solutionVersionArn=FOREIGN_VERSION)
    seen = watch(personalize, OURS, latestCampaignUpdate=overtaking)
    assert seen == {**OURS, "phase": "AGAIN", "seconds": 60, "status": "WAITING"}


def test_updates_that_never_stay_are_given_up_at_the_deadline(personalize):
    before = {**OURS, "firstTriedAt": iso(3)}
    overtaking = campaign_update(solutionVersionArn=FOREIGN_VERSION)
    seen = watch(personalize, before, latestCampaignUpdate=overtaking)
    assert (seen["phase"], seen["failure"]) == ("ENDED", "no update stays, for 3 hours now")


def test_an_adopted_update_is_watched_without_knowing_the_one_before(personalize):
    before = {"targetVersionArn": VERSION, "previousVersionArn": OLD_VERSION}
    adopted = {**IN_PROGRESS, **before}
    seen = watch(personalize, adopted, latestCampaignUpdate=campaign_update())
    assert seen == {**adopted, "seconds": 900}


def test_warnings_of_the_looks_before_stay_with_the_update(personalize):
    seen = watch(personalize, {**OURS, "warnings": ["w"]}, latestCampaignUpdate=campaign_update())
    assert seen["warnings"] == ["w"]


# roll back

UPDATED = ended_job(CAMPAIGN, targetVersionArn=VERSION, previousVersionArn=OLD_VERSION)
BACK = {**UPDATE, "solutionVersionArn": OLD_VERSION}
ROLLING_BACK = {**STARTED, "targetVersionArn": OLD_VERSION, "previousVersionArn": None}


MARK = {
    "resourceArn": VERSION,
    "tags": [{"tagKey": "retraining-verdict", "tagValue": "ROLLED_BACK"}],
}


def roll_back(personalize, before=None, **changes):
    """Roll back to the old version; the new one is marked first, whatever comes of it."""
    personalize.says("tag_resource", {}, **MARK)
    describes(personalize, **changes)
    return lambda: roll_back_campaign(
        personalize.client, settings(), planned_campaign(), UPDATED, before
    )


def test_a_campaign_is_moved_back_although_the_version_is_older(personalize):
    back = roll_back(personalize, solutionVersionArn=VERSION)
    personalize.says("update_campaign", {"campaignArn": CAMPAIGN}, **BACK)
    assert back() == ROLLING_BACK


def test_a_rollback_remembers_the_update_before_it(personalize):
    latest = campaign_update(status="ACTIVE")
    back = roll_back(personalize, solutionVersionArn=VERSION, latestCampaignUpdate=latest)
    personalize.says("update_campaign", {"campaignArn": CAMPAIGN}, **BACK)
    assert back() == {**ROLLING_BACK, "previousUpdateAt": iso(minutes=5)}


def test_a_rollback_that_is_under_way_is_adopted(personalize):
    latest = campaign_update(solutionVersionArn=OLD_VERSION)
    back = roll_back(personalize, solutionVersionArn=VERSION, latestCampaignUpdate=latest)
    assert back() == {**IN_PROGRESS, "targetVersionArn": OLD_VERSION}


def test_a_campaign_that_is_back_already_is_left_alone(personalize):
    latest = campaign_update(solutionVersionArn=OLD_VERSION, status="ACTIVE")
    back = roll_back(personalize, latestCampaignUpdate=latest)
    assert back() == {**LIVE, "targetVersionArn": OLD_VERSION}


def test_a_rollback_waits_for_somebody_elses_update(personalize):
    latest = campaign_update(solutionVersionArn=FOREIGN_VERSION)
    back = roll_back(personalize, solutionVersionArn=VERSION, latestCampaignUpdate=latest)
    assert back() == AGAIN


def test_a_campaign_that_somebody_else_has_moved_is_not_moved_back(personalize):
    back = roll_back(personalize, solutionVersionArn=FOREIGN_VERSION)
    failure = f"it serves {FOREIGN_VERSION} by now"
    assert back() == {**LIVE, "phase": "ENDED", "failure": failure}


def test_a_rollback_in_use_despite_the_description_is_tried_again(personalize):
    before = {**AGAIN, "firstTriedAt": iso(minutes=1)}
    back = roll_back(personalize, before, solutionVersionArn=VERSION)
    personalize.refuses("update_campaign", "ResourceInUseException", **BACK)
    assert back() == before


def test_a_version_that_takes_no_more_tags_is_left_all_the_same(personalize):
    personalize.refuses("tag_resource", "TooManyTagsException", **MARK)
    describes(personalize, solutionVersionArn=VERSION)
    personalize.says("update_campaign", {"campaignArn": CAMPAIGN}, **BACK)
    back = roll_back_campaign(personalize.client, settings(), planned_campaign(), UPDATED, None)
    warning = f"{VERSION} takes no more tags, so that a resumed run may deploy it again"
    assert back == {**ROLLING_BACK, "warnings": [warning]}


def test_a_rollback_is_watched_to_its_own_target(personalize):
    """The update that it undoes is ACTIVE, and to the version that is no target any more."""
    undone = campaign_update(status="ACTIVE", creationDateTime=ago(1))
    before = {**ROLLING_BACK, "previousUpdateAt": iso(1)}
    seen = watch(personalize, before, solutionVersionArn=VERSION, latestCampaignUpdate=undone)
    assert seen == {**before, "seconds": 900}
