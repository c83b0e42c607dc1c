"""Proves that characters which nobody sees are refused in every text, and that ids keep theirs."""

import pytest

import settings
from tests.program.sample_stack import (
    PROBE,
    PROJECT,
    SOLUTION,
    USERS,
    changed,
    error_of,
    one_problem,
    refused,
    texts,
)

LOCATION = "datasets.users.dataLocation"
REFUSED = {
    "a no-break space in an ARN": refused(
        "solutions[0].solutionArn",
        f"{SOLUTION}\xa0",
        "contains U+00A0 (no-break space) after 'ution/movies-for-you'; write an ordinary space "
        "or nothing",
    ),
    "a space of no width in an ARN": refused(
        "datasets.users.datasetArn",
        f"\u200b{USERS}",
        "contains U+200B (zero width space) at the beginning; delete it",
    ),
    "a line break in a location": refused(
        LOCATION,
        "s3://bucket/users\n.csv",
        "contains U+000A (line break) after 's3://bucket/users'; delete it",
    ),
    "a tab in a location": refused(
        LOCATION,
        "s3://bucket/\tusers.csv",
        "contains U+0009 (tab) after 's3://bucket/'; delete it",
    ),
    "a byte-order mark in a marker": refused(
        "datasets.users.readyMarker",
        "\ufeffs3://bucket/DONE",
        "contains U+FEFF (zero width no-break space) at the beginning; delete it",
    ),
    "a space at the end of a location": refused(
        LOCATION, "s3://bucket/users.csv ", "ends with a space; delete it"
    ),
    "a space at the beginning of a role": refused(
        "importRoleArn",
        " arn:aws:iam::123456789012:role/import",
        "begins with a space; delete it",
    ),
    "a no-break space in a cron": refused(
        "retrainingRate",
        "cron(0 3\xa0? * MON *)",
        "contains U+00A0 (no-break space) after 'cron(0 3'; write an ordinary space or nothing",
    ),
    "a no-break space in a rate": refused(
        "retrainingRate",
        "7\xa0days",
        "contains U+00A0 (no-break space) after '7'; write an ordinary space or nothing",
    ),
    "a line break at the end of a time zone": refused(
        "timezone",
        "Europe/Dublin\n",
        "contains U+000A (line break) after 'Europe/Dublin'; delete it",
    ),
    "a line separator in a choice": refused(
        "autoTraining",
        "warn\u2028",
        "contains U+2028 (line separator) after 'warn'; delete it",
    ),
    "an unnamed control character in a tag": refused(
        "tags.team",
        "data\x07",
        "contains U+0007 (control character) after 'data'; delete it",
    ),
    "a carriage return in the id of an item": refused(
        f"{PROBE}.inputList",
        ["i1", "i2\r"],
        "contains U+000D (carriage return) after 'i2'; delete it",
    )._replace(
        line=f"{PROBE}.inputList[1]: 'i2\\r' contains U+000D (carriage return) after 'i2'; "
        "delete it",
        changes={PROBE: {"userId": "u1", "inputList": ["i1", "i2\r"]}},
    ),
}


@pytest.mark.parametrize(("changes", "line"), REFUSED.values(), ids=REFUSED)
def test_an_invisible_character_is_the_only_problem_of_its_setting(changes, line):
    assert error_of(changed(changes)) == one_problem(line)


def test_the_key_of_a_tag_is_shown_without_its_line_break():
    assert error_of(changed({"tags": {"te\nam": "data"}})) == one_problem(
        r"tags.te\nam: 'te\nam' contains U+000A (line break) after 'te'; delete it"
    )


def test_an_unknown_key_shows_the_character_that_makes_it_unknown():
    assert error_of(changed({"paused\u200b": True})) == one_problem(
        r"paused\u200b: unknown; did you mean paused?"
    )


def test_all_other_problems_are_reported_too():
    message = error_of(changed({"timezone": "UTC\xa0", "retrainingRate": "weekly"}))
    assert message.startswith("2 problems in the configuration of stack dev:")


@pytest.mark.parametrize("user", [" u1", "u\xa01 ", "\u200d", "a\u200db"])
def test_ids_may_have_any_space_because_the_data_may_have_it(user):
    args = settings.parse(changed({PROBE: {"userId": user}}))
    assert args.solutions[0].campaigns[0].probe.user_id == user


def test_a_tag_may_begin_with_a_space():
    assert settings.parse(changed({"tags": {" team": "data "}})).tags == {" team": "data "}


@pytest.mark.parametrize("region", ["eu-west-1\n", "eu-west-1\xa0", "ireland", "eu-west-\u0661"])
def test_a_region_that_cannot_exist_is_refused(region):
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse_stack(PROJECT, "dev", {**texts({}), "aws:region": region})
    line = f"aws:region: {region!r} is not a region; expected for example 'eu-west-1'"
    assert line in str(caught.value)
