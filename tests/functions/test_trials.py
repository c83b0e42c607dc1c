"""Tests of trials: when a version is put on trial, and how a trial ends."""

import pytest
from botocore.exceptions import ClientError

from functions.errors import Throttled
from functions.personalize.jobs import postponed_job
from functions.personalize.trials import begin_trial, end_trial
from functions.personalize.verdicts import verdict_tags
from tests.functions.samples import (
    CAMPAIGN,
    FOREIGN_VERSION,
    NOW,
    OLD_VERSION,
    PROBE,
    SOLUTION,
    VERSION,
    ago,
    campaign,
    campaign_update,
    ended_job,
    evaluation,
    iso,
    planned_campaign,
    probed_settings,
    probing,
    settings,
    update_on_trial,
    version,
)

ON_TRIAL = update_on_trial(seconds=45)
BEGUN = {
    "trial": f"{VERSION} {NOW.isoformat()}",
    "good": OLD_VERSION,
    "previous": "none",
    "verdict": "none",
}
"""The tags that put the version on trial. The keys have no `retraining-` here."""
SERVED = ended_job(CAMPAIGN, createdAt=iso(500), endedAt=iso(100))


@pytest.fixture(autouse=True)
def busy(clock):
    """Return the job of a campaign that is busy now."""
    del clock
    return postponed_job(CAMPAIGN, "busy", None, max_hours=3, shortest_pause=60)


def api_tags(tags):
    return [{"tagKey": f"retraining-{key}", "tagValue": value} for key, value in tags.items()]


def expect_campaign(personalize, tags=None, **changes):
    """Expect the campaign to be described and its tags to be read."""
    described = {"campaign": campaign(**changes)}
    personalize.expect("describe_campaign", described, campaignArn=CAMPAIGN)
    expect_tags(personalize, CAMPAIGN, **(tags or {}))


def expect_tags(personalize, arn, **tags):
    personalize.expect("list_tags_for_resource", {"tags": api_tags(tags)}, resourceArn=arn)


def expect_written(personalize, **tags):
    personalize.expect("tag_resource", {}, resourceArn=CAMPAIGN, tags=api_tags(tags))


def expect_versions(personalize, *, served, target):
    """Expect the creation times of the served and of the target version to be read."""
    for arn, created in ((OLD_VERSION, served), (VERSION, target)):
        described = version(solutionVersionArn=arn, creationDateTime=created)
        personalize.expect(
            "describe_solution_version", {"solutionVersion": described}, solutionVersionArn=arn
        )


def expect_newer_target(personalize):
    expect_versions(personalize, served=ago(100), target=ago(1))


def expect_no_rollbacks(personalize):
    """Expect the search for campaigns that were rolled back from the version."""
    expect_tags(personalize, VERSION)
    expect_tags(personalize, CAMPAIGN)


def begin(personalize, last_try=None, compared_with=OLD_VERSION):
    """Begin the trial after the gate has compared the new version with this version."""
    job = begin_trial(
        personalize.client,
        settings(),
        planned_campaign(),
        evaluation(comparedWith=compared_with),
        target=VERSION,
        last_try=last_try,
    )
    return {**job, "seconds": 45} if job["phase"] == "ON_TRIAL" else job


# A trial begins


def test_a_trial_begins_with_one_request_that_names_both_versions(personalize):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    expect_no_rollbacks(personalize)
    expect_written(personalize, **BEGUN)
    assert begin(personalize) == ON_TRIAL


def test_a_version_as_old_as_the_live_version_is_put_on_trial(personalize):
    expect_campaign(personalize)
    expect_versions(personalize, served=ago(1), target=ago(1))
    expect_no_rollbacks(personalize)
    expect_written(personalize, **BEGUN)
    assert begin(personalize) == ON_TRIAL


def test_a_live_version_that_is_on_trial_itself_is_not_good(personalize):
    tags = {"trial": f"{OLD_VERSION} {iso(1)}", "good": FOREIGN_VERSION}
    expect_campaign(personalize, tags)
    expect_newer_target(personalize)
    expect_no_rollbacks(personalize)
    expect_written(personalize, **{**BEGUN, "good": FOREIGN_VERSION})
    assert begin(personalize) == {**ON_TRIAL, "previousVersionArn": FOREIGN_VERSION}


@pytest.mark.parametrize("good", ["none", VERSION])
def test_without_a_good_version_none_is_named(personalize, good):
    expect_campaign(personalize, {"good": good}, status="CREATE FAILED")
    expect_no_rollbacks(personalize)
    expect_written(personalize, **{**BEGUN, "good": "none"})
    assert begin(personalize, compared_with=None) == {**ON_TRIAL, "previousVersionArn": None}


def test_the_tag_never_contains_the_dollar_of_the_newest_version(personalize):
    latest = f"{SOLUTION}/$LATEST"
    expect_campaign(personalize, {"good": FOREIGN_VERSION}, solutionVersionArn=latest)
    expect_no_rollbacks(personalize)
    expect_written(personalize, **{**BEGUN, "good": FOREIGN_VERSION})
    assert begin(personalize, compared_with=latest) == {
        **ON_TRIAL,
        "previousVersionArn": FOREIGN_VERSION,
    }


def test_a_trial_keeps_the_other_tags_of_the_campaign_and_warns_of_nonsense(personalize):
    tags = {"trial": f"ended {iso(9)}", "good": "x", "previous": FOREIGN_VERSION, "verdict": "y"}
    expect_campaign(personalize, tags)
    expect_newer_target(personalize)
    expect_no_rollbacks(personalize)
    trial = f"{BEGUN['trial']} {iso(9)}"
    written = {"trial": trial, "previous": FOREIGN_VERSION, "verdict": "y"}
    expect_written(personalize, **{**BEGUN, **written})
    job = begin(personalize)
    assert job["rolledBackAt"] == iso(9)
    (warning,) = job["warnings"]
    assert warning.startswith("the tag retraining-good has the value 'x', which no run has written")


@pytest.mark.parametrize(
    "changes",
    [{"solutionVersionArn": VERSION}, {"latestCampaignUpdate": campaign_update()}],
    ids=["moved", "moving"],
)
def test_a_trial_that_an_earlier_try_has_begun_goes_on(personalize, changes):
    tags = {**BEGUN, "trial": f"{VERSION} {iso(1)}"}
    expect_campaign(personalize, tags, **changes)
    assert begin(personalize) == {**ON_TRIAL, "trialBeganAt": iso(1)}


@pytest.mark.parametrize(
    ("tags", "compared_with", "good"),
    [
        ({"good": FOREIGN_VERSION}, OLD_VERSION, OLD_VERSION),
        ({"good": FOREIGN_VERSION}, VERSION, FOREIGN_VERSION),
        ({"good": FOREIGN_VERSION}, f"{SOLUTION}/$LATEST", FOREIGN_VERSION),
        ({"good": FOREIGN_VERSION}, None, FOREIGN_VERSION),
        (
            {"good": FOREIGN_VERSION, "trial": f"{OLD_VERSION} {iso(1)}"},
            OLD_VERSION,
            FOREIGN_VERSION,
        ),
        ({"trial": "ended"}, VERSION, None),
    ],
    ids=["served before", "moved before the gate", "latest", "nothing", "on trial", "unknown"],
)
@pytest.mark.parametrize("follows", [True, False])
def test_a_version_that_a_person_has_deployed_is_put_on_trial_from_that_update(
    personalize, tags, compared_with, good, follows
):
    update = campaign_update(status="ACTIVE", creationDateTime=ago(7))
    expect_campaign(
        personalize,
        tags,
        solutionVersionArn=VERSION,
        latestCampaignUpdate=update,
        campaignConfig={"syncWithLatestSolutionVersion": follows},
    )
    trial = f"{VERSION} {iso(7)}"
    expect_written(personalize, **{**BEGUN, "trial": trial, "good": good or "none"})
    assert begin(personalize, compared_with=compared_with) == {
        **ON_TRIAL,
        "trialBeganAt": iso(7),
        "previousVersionArn": good,
    }


def test_a_campaign_that_a_person_has_created_with_the_version_is_put_on_trial(personalize):
    expect_campaign(personalize, solutionVersionArn=VERSION)
    expect_written(personalize, **{**BEGUN, "trial": f"{VERSION} {iso(500)}"})
    assert begin(personalize) == {**ON_TRIAL, "trialBeganAt": iso(500)}


# No trial begins


def test_a_campaign_that_serves_the_version_after_its_trial_is_trusted(personalize):
    expect_campaign(personalize, {"trial": "ended", "good": VERSION}, solutionVersionArn=VERSION)
    assert begin(personalize) == {**SERVED, "targetVersionArn": VERSION}


@pytest.mark.parametrize(
    ("update", "follows"),
    [
        ({"status": "ACTIVE", "creationDateTime": ago(1)}, True),
        ({"status": "ACTIVE", "creationDateTime": ago(1, seconds=1)}, False),
        ({"status": "UPDATE FAILED"}, False),
    ],
)
def test_a_campaign_that_follows_the_newest_version_serves_it_after_its_next_update(
    personalize, busy, update, follows
):
    latest = f"{SOLUTION}/$LATEST"
    changes = {
        "solutionVersionArn": latest,
        "campaignConfig": {"syncWithLatestSolutionVersion": True},
        "latestCampaignUpdate": campaign_update(solutionVersionArn=latest, **update),
    }
    expect_campaign(personalize, **changes)
    if update["status"] == "ACTIVE":
        described = version(creationDateTime=ago(2), lastUpdatedDateTime=ago(1))
        personalize.expect(
            "describe_solution_version",
            {"solutionVersion": described},
            solutionVersionArn=VERSION,
        )
    assert begin(personalize) == ({**SERVED, "targetVersionArn": VERSION} if follows else busy)


def test_a_campaign_never_moves_to_an_older_version(personalize):
    expect_campaign(personalize)
    expect_versions(personalize, served=ago(1), target=ago(1, seconds=1))
    failure = f"the campaign serves {OLD_VERSION}, which is newer than {VERSION}"
    assert begin(personalize) == {**SERVED, "phase": "SUPERSEDED", "failure": failure}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"latestCampaignUpdate": campaign_update()},
            f"the campaign is being updated to {VERSION}",
        ),
        ({"status": "CREATE IN_PROGRESS"}, "the status of the campaign is CREATE IN_PROGRESS"),
    ],
    ids=["update of a person", "creation"],
)
def test_a_busy_campaign_is_tried_again_until_the_deadline(personalize, busy, changes, reason):
    for _ in range(2):
        expect_campaign(personalize, **changes)
    assert begin(personalize) == busy
    late = begin(personalize, {**busy, "firstTriedAt": iso(3)})
    assert (late["phase"], late["failure"]) == ("ENDED", f"gave up after 3 hours: {reason}")


def test_a_campaign_whose_update_is_past_its_deadline_is_not_waited_for_again(personalize):
    update = campaign_update(creationDateTime=ago(3))
    expect_campaign(personalize, latestCampaignUpdate=update)
    job = begin(personalize)
    assert (job["phase"], job["failure"]) == (
        "ENDED",
        (
            "gave up, because an update runs for more than 3 hours: the campaign is being updated "
            f"to {VERSION}"
        ),
    )


def test_an_update_that_is_not_past_its_deadline_is_waited_for(personalize, busy):
    update = campaign_update(creationDateTime=ago(3, seconds=-1))
    expect_campaign(personalize, latestCampaignUpdate=update)
    assert begin(personalize) == busy


def test_a_campaign_that_follows_the_newest_version_is_tried_again(personalize, busy):
    expect_campaign(personalize, campaignConfig={"syncWithLatestSolutionVersion": True})
    expect_newer_target(personalize)
    late = begin(personalize, {**busy, "firstTriedAt": iso(3)})
    assert late["failure"] == (
        "gave up after 3 hours: the campaign follows the newest version by itself; turn off its "
        "syncWithLatestSolutionVersion, so that runs can move it"
    )


def test_the_gate_judges_again_if_the_campaign_serves_another_version(personalize, busy):
    for _ in range(2):
        expect_campaign(personalize)
        expect_newer_target(personalize)
    changed = {**busy, "phase": "CHANGED"}
    assert begin(personalize, compared_with=FOREIGN_VERSION) == changed
    late = begin(personalize, {**busy, "firstTriedAt": iso(3)}, compared_with=None)
    reason = "the quality gate has to judge the version again"
    assert (late["phase"], late["failure"]) == ("ENDED", f"gave up after 3 hours: {reason}")


def test_the_gate_judges_again_if_a_campaign_was_rolled_back_from_the_version(personalize, busy):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    expect_tags(personalize, VERSION, verdict="ROLLED_BACK")
    assert begin(personalize) == {**busy, "phase": "CHANGED"}


def refuse_tags(personalize, code):
    expect_campaign(personalize)
    expect_newer_target(personalize)
    expect_no_rollbacks(personalize)
    request = {"resourceArn": CAMPAIGN, "tags": api_tags(BEGUN)}
    personalize.expect_error("tag_resource", code, **request)


def test_a_campaign_that_refuses_the_tag_as_in_use_is_tried_again(personalize, busy):
    refuse_tags(personalize, "ResourceInUseException")
    assert begin(personalize) == busy


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("AccessDeniedException", ClientError),
        ("TooManyTagsException", ClientError),
        ("ThrottlingException", Throttled),
    ],
)
def test_no_trial_begins_if_it_cannot_be_written(personalize, code, error):
    refuse_tags(personalize, code)
    with pytest.raises(error, match=code):
        begin(personalize)


# A trial ends

PASSED, FAILED = probing(phase="PASSED"), probing(phase="FAILED", failure="0 results")
ROLLED_BACK = {"phase": "ACTIVE", "rolledBackAt": iso(minutes=1)}
PROBED = probed_settings(**PROBE)
(VERDICT,) = verdict_tags(PROBED, CAMPAIGN, VERSION, "ROLLED_BACK", OLD_VERSION).values()
(VERDICT_WHILE_SERVED,) = verdict_tags(PROBED, CAMPAIGN, VERSION, "ROLLED_BACK", VERSION).values()
BACK = f"ended {iso(minutes=1)}"
NO_VERDICT = f"{VERSION} gets no verdict, and the next run deploys it again"


def end(personalize, written, *, settings_=PROBED, update=None, **results):
    """End the trial with these results, and expect these tags to be written."""
    expect_written(personalize, **written)
    document = {
        "update": update_on_trial(**(update or {})),
        "probing": None,
        "rollback": None,
        "rollbackProbing": None,
        **results,
    }
    return end_trial(personalize.client, settings_, CAMPAIGN, document)


@pytest.mark.parametrize(("good", "previous"), [(OLD_VERSION, OLD_VERSION), (None, "none")])
def test_a_version_that_has_passed_is_good(personalize, good, previous):
    written = {"trial": f"ended {iso(9)}", "good": VERSION, "previous": previous}
    update = {"previousVersionArn": good, "rolledBackAt": iso(9)}
    ended = end(personalize, written, update=update, probing=PASSED)
    assert ended == {"outcome": "DEPLOYED", "failure": None}


def test_a_version_that_a_person_has_replaced_is_neither_good_nor_bad(personalize):
    ended = end(personalize, {"trial": "ended"}, probing=probing(phase="MOVED"))
    assert ended == {"outcome": "FAILED", "failure": None}


def test_a_version_that_was_rolled_back_gets_a_verdict(personalize):
    results = {"probing": FAILED, "rollback": ROLLED_BACK, "rollbackProbing": PASSED}
    ended = end(personalize, {"trial": BACK, "verdict": VERDICT}, **results)
    assert ended == {"outcome": "ROLLED_BACK", "failure": None}


@pytest.mark.parametrize(
    ("again", "failure"),
    [
        (
            FAILED,
            (
                "the probe is at fault, because the previous version answers as badly: 0 results; "
                "correct the probe"
            ),
        ),
        (None, "the previous version was not probed"),
    ],
)
def test_a_version_gets_no_verdict_if_the_good_version_does_not_pass(personalize, again, failure):
    results = {"probing": FAILED, "rollback": ROLLED_BACK, "rollbackProbing": again}
    ended = end(personalize, {"trial": BACK}, **results)
    assert ended == {"outcome": "FAILED", "failure": f"{failure}; {NO_VERDICT}"}


@pytest.mark.parametrize("first", [None, probing(phase="NEAR")])
def test_a_version_gets_no_verdict_if_its_probe_ended_with_an_error(personalize, first):
    results = {"probing": first, "rollback": ROLLED_BACK, "rollbackProbing": PASSED}
    ended = end(personalize, {"trial": BACK}, **results)
    error = "the probe ended with an error before it had judged the version"
    assert ended == {"outcome": "FAILED", "failure": f"{error}; {NO_VERDICT}"}


def test_a_version_gets_no_verdict_without_a_probe(personalize):
    results = {"probing": None, "rollback": ROLLED_BACK, "rollbackProbing": PASSED}
    ended = end(personalize, {"trial": BACK}, settings_=settings(), **results)
    assert ended["failure"] == f"the previous version was not probed; {NO_VERDICT}"


def test_a_version_that_cannot_be_rolled_back_gets_a_verdict_while_it_is_served(personalize):
    results = {"probing": FAILED, "rollback": {"phase": "SKIPPED"}}
    written = {"trial": "ended", "verdict": VERDICT_WHILE_SERVED}
    assert end(personalize, written, **results) == {"outcome": "FAILED", "failure": None}


def test_a_version_that_a_person_has_replaced_during_the_rollback_gets_no_verdict(personalize):
    results = {"probing": FAILED, "rollback": {"phase": "ENDED"}}
    assert end(personalize, {"trial": "ended"}, **results)["outcome"] == "FAILED"
