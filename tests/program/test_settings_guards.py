"""Proves the messages about markers, quality gates, probes and limits."""

import pytest

import settings
from components.rules.metrics import METRIC_NAMES
from tests.program.sample_stack import (
    GATE,
    MARKER,
    PROBE,
    Refused,
    changed,
    error_of,
    one_problem,
    refused,
    refused_without_value,
)

RULE = f"{GATE}[0]"
SIZE = "datasets.users.minRelativeSize"
NDCG = "normalized_discounted_cumulative_gain"
FIELDS = "userId, itemId, or userId with an inputList"
NOT_A_SHARE = "is not a share; expected a number from 0 to 1"
NOT_A_METRIC = "is not a metric of Personalize"
NO_MINIMUM = "is not a possible minimum of a metric; expected a number above 0 and at most 1"
NO_TIME = (
    "is not a possible number of minutes; expected a number above 0 and at most 1440, which is a "
    "day"
)
LONG_KEY = "x" * 1025


def refused_probe(field, probe, message):
    """Return a row for a probe with a field that the message shows, unless it is empty."""
    value = f"{probe[field]!r} " if probe[field] and not isinstance(probe[field], list) else ""
    return Refused({PROBE: probe}, f"{PROBE}.{field}: {value}{message}")


REFUSED = {
    "a percentage as relative size": refused(SIZE, 50, f"{NOT_A_SHARE}, for 50 percent, 0.5"),
    "a negative relative size": refused(SIZE, -0.5, f"{NOT_A_SHARE}, for example 0.5"),
    "a relative size that is not a number": refused(
        SIZE, float("nan"), f"{NOT_A_SHARE}, for example 0.5"
    ),
    "an empty marker": refused_without_value(
        MARKER, "", "empty; leave it out or name an object, for example 's3://bucket/_SUCCESS'"
    ),
    "a marker outside S3": refused(
        MARKER,
        "_SUCCESS",
        "is not a location in S3; expected for example 's3://bucket/_SUCCESS'",
    ),
    "a marker in an impossible bucket": refused(
        MARKER,
        "s3://My_Bucket/_SUCCESS",
        (
            "has 'My_Bucket' as bucket, which is not a valid name of a bucket; "
            "expected for example 's3://bucket/_SUCCESS'"
        ),
    ),
    "a bucket as marker": refused(
        MARKER,
        "s3://bucket/",
        "is a whole bucket; name a file or a prefix in it, for example 's3://bucket/_SUCCESS'",
    ),
    "a prefix as marker": refused(
        MARKER,
        "s3://bucket/done/",
        "is a prefix; name the object that is written last, for example 's3://bucket/_SUCCESS'",
    ),
    "a marker with a long key": refused(
        MARKER,
        f"s3://bucket/{LONG_KEY}",
        "has a key of 1025 bytes, but S3 accepts at most 1024; choose a shorter key",
    ),
    "a marker with an unknown placeholder": refused(
        MARKER,
        "s3://bucket/{Date}/_SUCCESS",
        (
            "has the unknown placeholder '{Date}'; "
            "the only placeholder is {date}, the day of the run as 2026-11-29"
        ),
    ),
    "a marker among the files to import": Refused(
        {
            "datasets.users.dataLocation": "s3://bucket/{date}/users/",
            MARKER: "s3://bucket/{date}/users/parts/_SUCCESS",
        },
        (
            f"{MARKER}: 's3://bucket/{{date}}/users/parts/_SUCCESS' lies inside "
            "datasets.users.dataLocation; "
            "move it outside, for example to 's3://bucket/{date}/users.SUCCESS'"
        ),
    ),
    "a marker among the files of another dataset": Refused(
        {
            "datasets.interactions.dataLocation": "s3://bucket/interactions/",
            MARKER: "s3://bucket/interactions/users.done",
        },
        (
            f"{MARKER}: 's3://bucket/interactions/users.done' lies inside "
            "datasets.interactions.dataLocation; "
            "move it outside, for example to 's3://bucket/interactions.users.done'"
        ),
    ),
    "a gate without rules": refused_without_value(
        GATE,
        [],
        "an empty list; add a rule, or write 'qualityGateEnabled: false' to deploy "
        "every new version",
    ),
    "an empty metric": refused_without_value(
        f"{RULE}.metric", "", f"missing; the metric to check, for example '{NDCG}_at_10'"
    ),
    "an abbreviated metric": refused(
        f"{RULE}.metric", "NDCG@10", f"{NOT_A_METRIC}; did you mean {NDCG}_at_10?"
    ),
    "an abbreviated metric in words": refused(
        f"{RULE}.metric", "ndcg at 5", f"{NOT_A_METRIC}; did you mean {NDCG}_at_5?"
    ),
    "the beginning of a metric": refused(
        f"{RULE}.metric", "MRR", f"{NOT_A_METRIC}; did you mean mean_reciprocal_rank_at_25?"
    ),
    "a metric in camel case": refused(
        f"{RULE}.metric", "precisionAt5", f"{NOT_A_METRIC}; did you mean precision_at_5?"
    ),
    "a metric that resembles no other": refused(
        f"{RULE}.metric", "loss", f"{NOT_A_METRIC}; the metrics are {', '.join(METRIC_NAMES)}"
    ),
    "two rules for a metric": Refused(
        {f"{GATE}[1]": {"metric": f"{NDCG}_at_10", "minimum": 0.1}},
        (
            f"{GATE}[1].metric: '{NDCG}_at_10' already has a rule in {RULE}.metric; combine both "
            f"rules into one"
        ),
    ),
    "a rule without a threshold": refused_without_value(
        RULE,
        {"metric": "coverage"},
        "has no threshold; give maxDrop, minimum or both, as in 'maxDrop: 0.25'",
    ),
    "a percentage as drop": refused(f"{RULE}.maxDrop", 25, f"{NOT_A_SHARE}, for 25 percent, 0.25"),
    "a negative drop": refused(f"{RULE}.maxDrop", -0.1, f"{NOT_A_SHARE}, for example 0.25"),
    "a drop of more than everything": refused(
        f"{RULE}.maxDrop", 101, f"{NOT_A_SHARE}, for example 0.25"
    ),
    "a minimum of zero": refused(f"{RULE}.minimum", 0, NO_MINIMUM),
    "a minimum that no version reaches": refused(f"{RULE}.minimum", 1.5, NO_MINIMUM),
    "a probe without a request": refused_without_value(
        PROBE, {"minResults": 5}, f"has nothing to request; set {FIELDS}"
    ),
    "a probe by user and by item": refused_without_value(
        PROBE,
        {"userId": "u1", "itemId": "i1"},
        f"has userId and itemId, which are two requests; keep only {FIELDS}",
    ),
    "a probe that ranks for an item": refused_without_value(
        PROBE,
        {"itemId": "i1", "inputList": ["i2"]},
        f"has itemId and inputList, which are two requests; keep only {FIELDS}",
    ),
    "a probe that ranks for nobody": refused_probe(
        "inputList", {"inputList": ["i1"]}, "needs the user for whom it is ranked; add userId"
    ),
    "a probe with an empty user": refused_probe(
        "userId", {"userId": ""}, "empty; expected an id of 1 to 256 characters"
    ),
    "a probe with a long item": refused_probe(
        "itemId", {"itemId": "x" * 257}, "is 257 characters long; use an id of at most 256"
    ),
    "a probe with nothing to rank": refused_probe(
        "inputList",
        {"userId": "u1", "inputList": []},
        "a list of 0 items; expected 1 to 500 items",
    ),
    "a probe with more items than the API accepts": refused_probe(
        "inputList",
        {"userId": "u1", "inputList": [f"i{number}" for number in range(501)]},
        "a list of 501 items; expected 1 to 500 items",
    ),
    "lists that are too long for an execution": Refused(
        {PROBE: {"userId": "u1", "inputList": [f"{number:0>256}" for number in range(118)]}},
        (
            "solutions: the inputLists of all probes have 30208 characters, and an execution "
            "carries at most 30000; shorten them, because a few items show whether a campaign ranks"
        ),
    ),
    "a probe with an empty item": Refused(
        {PROBE: {"userId": "u1", "inputList": ["i1", ""]}},
        f"{PROBE}.inputList[1]: empty; expected an id of 1 to 256 characters",
    ),
    "a probe that expects no result": Refused(
        {PROBE: {"userId": "u1", "minResults": 0}},
        f"{PROBE}.minResults: 0 is not a possible number of results; expected 1 to 500",
    ),
    "a probe that expects more results than the API returns": refused_probe(
        "minResults",
        {"userId": "u1", "minResults": 501},
        "is not a possible number of results; expected 1 to 500",
    ),
    "a probe that expects more results than it ranks": refused_probe(
        "minResults",
        {"userId": "u1", "inputList": ["i1", "i2"], "minResults": 3},
        "is not a possible number of results; expected 1 to 2",
    ),
    "a probe without time": Refused(
        {PROBE: {"userId": "u1", "minutes": 0}}, f"{PROBE}.minutes: 0 {NO_TIME}"
    ),
    "a probe of more than a day": refused_probe(
        "minutes", {"userId": "u1", "minutes": 1440.5}, NO_TIME
    ),
    "a word that resembles a choice": refused(
        "autoTraining", "Refused", "is unknown; did you mean refuse?"
    ),
    "a word that resembles no choice": refused(
        "autoTraining", "off", "is unknown; expected warn or refuse"
    ),
    "a negative number of trainings": refused(
        "limits.maxTrainingsPerMonth",
        -1,
        ("is not a number of trainings; expected a whole number of 1 or more, or 0 for no limit"),
    ),
    "a negative time to settle": refused(
        "limits.settleSeconds",
        -1,
        "is not between 0 and 3600; expected a number of seconds, for example 180",
    ),
    "a time to settle of more than an hour": refused(
        "limits.settleSeconds",
        3601,
        "is not between 0 and 3600; expected a number of seconds, for example 180",
    ),
    "the old form of a gate that is off": refused_without_value(
        GATE, False, "false is the old form; write 'qualityGateEnabled: false'"
    ),
    "the old form of a gate that is off, as text": refused_without_value(
        GATE, "false", "false is the old form; write 'qualityGateEnabled: false'"
    ),
    "the old form of no monthly limit": refused_without_value(
        "limits.maxTrainingsPerMonth",
        None,
        "null is the old form; write 'maxTrainingsPerMonth: 0'",
    ),
}


@pytest.mark.parametrize(("changes", "line"), REFUSED.values(), ids=REFUSED)
def test_a_setting_that_breaks_a_rule_is_refused(changes, line):
    assert error_of(changed(changes)) == one_problem(line)


@pytest.mark.parametrize(
    "changes",
    [
        {MARKER: "s3://movies-exports/users.csv.done"},
        {MARKER: "s3://movies-exports/interactions-done"},
        {SIZE: 1},
        {f"{RULE}.maxDrop": 1},
        {PROBE: {"userId": "u1", "inputList": [f"i{number}" for number in range(500)]}},
        {PROBE: {"userId": "u1", "inputList": [f"{number:0>250}" for number in range(120)]}},
        {PROBE: {"itemId": "x" * 256, "minResults": 500, "minutes": 1440}},
    ],
)
def test_a_setting_at_the_edge_of_a_rule_is_accepted(changes):
    settings.parse(changed(changes))
