"""Tests of the tags that say which version of a campaign is on trial and which is good."""

import pytest

from functions.personalize.trial_tags import (
    Trial,
    TrialTags,
    ended_value,
    read_trial_tags,
    tags_at_begin,
)
from tests.functions.samples import NOW, OLD_VERSION, SOLUTION, VERSION, ago, iso

NOTHING = TrialTags(None, None, None, None, "none", [])
TRIAL = Trial(VERSION, NOW)


def read(**tags):
    """Return what the tags say. The keys have no `retraining-` here."""
    return read_trial_tags({f"retraining-{key}": value for key, value in tags.items()}, SOLUTION)


def warning(key, value):
    """Return the warning about a tag with this value."""
    return (
        f"the tag retraining-{key} has the value {value[:60]!r}, which no run has written, so it "
        "is ignored; remove the tag"
    )


def test_a_campaign_without_tags_has_no_trial_and_no_good_version():
    assert read() == NOTHING


def test_what_begins_a_trial_is_read_again():
    before = TrialTags(None, None, None, OLD_VERSION, "any", [])
    written = tags_at_begin(TRIAL, OLD_VERSION, before)
    assert read_trial_tags(written, SOLUTION) == before._replace(trial=TRIAL, good=OLD_VERSION)


def test_the_first_trial_of_a_campaign_reserves_every_tag_that_ends_it():
    assert tags_at_begin(TRIAL, None, NOTHING) == {
        "retraining-trial": f"{VERSION} {NOW.isoformat()}",
        "retraining-good": "none",
        "retraining-previous": "none",
        "retraining-verdict": "none",
    }


def test_a_trial_keeps_the_time_of_the_last_rollback():
    written = tags_at_begin(TRIAL, None, NOTHING._replace(rolled_back_at=iso(5)))
    assert read_trial_tags(written, SOLUTION).rolled_back_at == iso(5)


@pytest.mark.parametrize("rolled_back_at", [None, iso(5)])
def test_an_ended_trial_is_read_again(rolled_back_at):
    tags = read(trial=ended_value(rolled_back_at))
    assert tags == NOTHING._replace(rolled_back_at=rolled_back_at)


@pytest.mark.parametrize(
    "value",
    [
        "nonsense",
        "",
        VERSION,
        f"{VERSION} yesterday",
        f"{VERSION} 2026-11-29T03:00:00",
        f"{VERSION} {iso(-1)}",
        f"{VERSION} {iso(1)} soon",
        f"{VERSION} {iso(1)} {iso(2)} {iso(3)}",
        f"{SOLUTION}-2/new {iso(1)}",
        f"{SOLUTION}/$LATEST {iso(1)}",
        f"ended {iso(1)} {iso(2)}",
        "ended once",
    ],
)
def test_a_trial_that_no_run_has_written_is_ignored_with_a_warning(value):
    assert read(trial=value) == NOTHING._replace(warnings=[warning("trial", value)])


@pytest.mark.parametrize("key", ["good", "previous"])
def test_a_version_that_no_run_has_written_is_ignored_with_a_warning(key):
    assert read(**{key: "x"}) == NOTHING._replace(warnings=[warning(key, "x")])


def test_a_clock_that_is_a_little_fast_does_not_matter():
    began_at = ago(minutes=-5)
    assert read(trial=f"{VERSION} {began_at.isoformat()}").trial == Trial(VERSION, began_at)
