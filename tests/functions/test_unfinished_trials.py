"""Tests of the search for trials that earlier runs have not finished."""

from functions.personalize.unfinished_trials import unfinished_trials
from tests.functions.samples import (
    CAMPAIGN,
    OLD_VERSION,
    PROBE,
    VERSION,
    iso,
    probed_settings,
    update_on_trial,
)

BEGUN = {"trial": f"{VERSION} {iso(9)}", "good": OLD_VERSION, "previous": "none", "verdict": "none"}
"""The tags of a campaign on trial. The keys have no `retraining-` here."""
PROBED = probed_settings(**PROBE)


def expect_tags(personalize, **tags):
    api_tags = [{"tagKey": f"retraining-{key}", "tagValue": value} for key, value in tags.items()]
    personalize.expect("list_tags_for_resource", {"tags": api_tags}, resourceArn=CAMPAIGN)


def test_a_campaign_on_trial_is_found_with_its_update(personalize):
    expect_tags(personalize, **{**BEGUN, "trial": f"{VERSION} {iso(9)} {iso(99)}"})
    planned = {"campaignArn": CAMPAIGN, "isProbed": True, "durations": [1500]}
    times = {"trialBeganAt": iso(9), "rolledBackAt": iso(99)}
    update = update_on_trial(seconds=1, **times)
    assert unfinished_trials(personalize.client, PROBED) == {
        "campaigns": [{"campaign": planned, "update": update}],
        "warnings": [],
    }


def test_a_campaign_whose_trial_has_ended_is_trusted(personalize):
    expect_tags(personalize, **{**BEGUN, "trial": "ended"})
    assert unfinished_trials(personalize.client, PROBED) == {"campaigns": [], "warnings": []}


def test_a_trial_that_no_run_has_written_is_a_warning(personalize):
    expect_tags(personalize, trial="x")
    found = unfinished_trials(personalize.client, PROBED)
    assert found["campaigns"] == []
    (warning,) = found["warnings"]
    assert warning.startswith(f"{CAMPAIGN}: the tag retraining-trial has the value 'x'")


def test_a_campaign_that_does_not_exist_any_more_has_no_trial(personalize):
    request = {"resourceArn": CAMPAIGN}
    personalize.expect_error("list_tags_for_resource", "ResourceNotFoundException", **request)
    assert unfinished_trials(personalize.client, PROBED) == {"campaigns": [], "warnings": []}
