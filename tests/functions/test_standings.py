"""Tests of what is read about the campaigns at the end of a run."""

import pytest

from functions import clock as functions_clock
from functions.personalize.standings import read_standings
from tests.functions.samples import (
    CAMPAIGN,
    OLD_VERSION,
    VERSION,
    campaign,
    campaign_settings,
    iso,
    settings,
    solution_settings,
)
from tests.world import campaign_arn

MAIL = campaign_arn("mail")
TWO_CAMPAIGNS = settings(
    solutions=[
        solution_settings(campaigns=[campaign_settings(), campaign_settings(campaignArn=MAIL)])
    ]
)


def expect(personalize, arn, trial=None, **changes):
    """Expect a campaign to be described and its tags to be read."""
    personalize.expect("describe_campaign", {"campaign": campaign(**changes)}, campaignArn=arn)
    tags = [{"tagKey": "retraining-trial", "tagValue": trial}] if trial else []
    personalize.expect("list_tags_for_resource", {"tags": tags}, resourceArn=arn)


def test_each_campaign_is_read_with_its_trial(personalize):
    expect(personalize, CAMPAIGN, solutionVersionArn=VERSION, trial=f"{VERSION} {iso(1)}")
    expect(personalize, MAIL, status="CREATE FAILED")
    assert read_standings(personalize.client, TWO_CAMPAIGNS) == {
        CAMPAIGN: {"servedVersionArn": VERSION, "versionOnTrial": VERSION},
        MAIL: {"servedVersionArn": None, "versionOnTrial": None},
    }


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_a_campaign_that_cannot_be_read_is_left_out(personalize, code):
    personalize.expect_error("describe_campaign", code, campaignArn=CAMPAIGN)
    expect(personalize, MAIL)
    assert read_standings(personalize.client, TWO_CAMPAIGNS) == {
        MAIL: {"servedVersionArn": OLD_VERSION, "versionOnTrial": None}
    }


def test_after_a_minute_no_more_campaigns_are_read(personalize, clock, monkeypatch):
    expect(personalize, CAMPAIGN)
    monkeypatch.setattr(functions_clock, "now", _slow_clock(clock))
    assert list(read_standings(personalize.client, TWO_CAMPAIGNS)) == [CAMPAIGN]


def _slow_clock(clock):
    """Return a clock on which half a minute passes between two looks."""

    def now():
        clock.advance(30)
        return clock.now()

    return now
