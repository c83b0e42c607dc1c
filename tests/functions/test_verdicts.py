"""Tests of the verdicts about versions: what they say, and how long they hold."""

import pytest

from functions.personalize.verdicts import rollback_reasons, valid_verdict, verdict_tags
from tests.functions.samples import (
    CAMPAIGN,
    FOREIGN_VERSION,
    OLD_VERSION,
    PROBE,
    RULES,
    VERSION,
    campaign,
    campaign_settings,
    probed_settings,
    settings,
    solution_settings,
)
from tests.world import campaign_arn

MAIL = campaign_arn("mail")


def settings_with(rules=RULES, probe=None):
    campaigns = [campaign_settings(probe=probe), campaign_settings(campaignArn=MAIL)]
    return settings(solutions=[solution_settings(qualityGate=rules, campaigns=campaigns)])


def written(verdict, live=OLD_VERSION, **changes):
    return verdict_tags(settings_with(**changes), CAMPAIGN, VERSION, verdict, live)


def valid(tags, version=VERSION, live=OLD_VERSION, **changes):
    return valid_verdict(settings_with(**changes), CAMPAIGN, tags, version, live)


def test_a_verdict_names_the_version_and_hashes_of_the_rules_and_of_the_live_version():
    (value,) = written("REJECTED").values()
    version, verdict, rules, live = value.split(" ")
    assert (version, verdict, len(rules), len(live)) == (VERSION, "REJECTED", 8, 8)


@pytest.mark.parametrize("verdict", ["REJECTED", "ROLLED_BACK"])
def test_a_verdict_holds_while_nothing_changes(verdict):
    assert valid(written(verdict)) == verdict


@pytest.mark.parametrize("tags", [{}, {"retraining-verdict": "none"}, written("REJECTED")])
def test_another_version_has_no_verdict(tags):
    assert valid(tags, version=FOREIGN_VERSION) is None


@pytest.mark.parametrize("verdict", ["REJECTED", "ROLLED_BACK"])
@pytest.mark.parametrize("live", [FOREIGN_VERSION, None])
def test_a_verdict_does_not_hold_for_another_live_version(verdict, live):
    assert valid(written(verdict), live=live) is None


def test_a_rejection_does_not_hold_after_a_change_of_the_gate():
    assert valid(written("REJECTED"), rules=[]) is None
    assert valid(written("REJECTED"), probe=PROBE) == "REJECTED", "the probe does not matter"


def test_a_rollback_does_not_count_after_a_change_of_the_probe():
    assert valid(written("ROLLED_BACK"), probe=PROBE) is None
    assert valid(written("ROLLED_BACK"), rules=[]) == "ROLLED_BACK", "the gate does not matter"


# Campaigns that were rolled back from a version


def expect_tags(personalize, arn, value=None):
    tags = [{"tagKey": "retraining-verdict", "tagValue": value}] if value else []
    personalize.expect("list_tags_for_resource", {"tags": tags}, resourceArn=arn)


def expect_campaign(personalize, served=OLD_VERSION):
    response = {"campaign": campaign(solutionVersionArn=served)}
    personalize.expect("describe_campaign", response, campaignArn=CAMPAIGN)


def reasons(personalize, settings_=None):
    """Return why the version is refused for the campaign mail."""
    settings_ = settings_ or settings_with()
    return list(rollback_reasons(personalize.client, settings_, MAIL, VERSION))


def test_a_version_without_a_verdict_is_not_refused(personalize):
    for arn in (VERSION, CAMPAIGN, MAIL):
        expect_tags(personalize, arn)
    assert reasons(personalize) == []


def test_the_rollback_of_another_campaign_of_the_solution_counts(personalize):
    expect_tags(personalize, VERSION)
    expect_tags(personalize, CAMPAIGN, *written("ROLLED_BACK").values())
    expect_campaign(personalize)
    expect_tags(personalize, MAIL)
    assert reasons(personalize) == [f"{CAMPAIGN} was rolled back from {VERSION}"]


@pytest.mark.parametrize(
    ("verdict", "served"), [("REJECTED", OLD_VERSION), ("ROLLED_BACK", FOREIGN_VERSION)]
)
def test_no_other_verdict_of_another_campaign_counts(personalize, verdict, served):
    expect_tags(personalize, VERSION)
    expect_tags(personalize, CAMPAIGN, *written(verdict).values())
    expect_campaign(personalize, served)
    expect_tags(personalize, MAIL)
    assert reasons(personalize) == []


def test_a_campaign_that_does_not_exist_any_more_has_no_verdict(personalize):
    expect_tags(personalize, VERSION)
    for arn in (CAMPAIGN, MAIL):
        personalize.expect_error(
            "list_tags_for_resource", "ResourceNotFoundException", resourceArn=arn
        )
    assert reasons(personalize) == []


@pytest.mark.parametrize(("value", "count"), [("ROLLED_BACK", 1), ("REJECTED", 0)])
def test_of_the_verdicts_of_earlier_releases_only_a_rollback_counts(personalize, value, count):
    expect_tags(personalize, VERSION, value)
    expect_tags(personalize, CAMPAIGN)
    messages = [f"a campaign was rolled back from {VERSION}"] * count
    assert list(rollback_reasons(personalize.client, probed_settings(), CAMPAIGN, VERSION)) == (
        messages
    )
