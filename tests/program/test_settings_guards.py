"""Settings of the guards that break a rule - marker, gate, probe: the whole message of each."""

import pytest

import settings
from components.rules.metrics import NAMES
from tests.program.sample_stack import changed, one_problem

GATE = "solutions[0].qualityGate"
RULE = f"{GATE}[0]"
PROBE = "solutions[0].campaigns[0].probe"
MARKER = "datasets.users.readyMarker"
NDCG = "normalized_discounted_cumulative_gain"
WAYS = "userId, itemId, or userId with an inputList"
LONG_KEY = "x" * 1025
BROKEN = {
    # Size and marker of an export.
    "a relative size is a share": (
        {"datasets.users.minRelativeSize": 50},
        (
            "datasets.users.minRelativeSize: 50 is no share; "
            "expected a number from 0 to 1: for 50 percent, 0.5"
        ),
    ),
    "a relative size is not negative": (
        {"datasets.users.minRelativeSize": "-0.5"},
        (
            "datasets.users.minRelativeSize: -0.5 is no share; "
            "expected a number from 0 to 1: for example 0.5"
        ),
    ),
    "a relative size is a number": (
        {"datasets.users.minRelativeSize": float("nan")},
        (
            "datasets.users.minRelativeSize: nan is no share; "
            "expected a number from 0 to 1: for example 0.5"
        ),
    ),
    "a marker is not empty": (
        {MARKER: ""},
        f"{MARKER}: empty; leave it out or name an object, for example 's3://bucket/_SUCCESS'",
    ),
    "a marker is in S3": (
        {MARKER: "_SUCCESS"},
        (f"{MARKER}: '_SUCCESS' is no location in S3; expected one like 's3://bucket/_SUCCESS'"),
    ),
    "a marker's bucket has a bucket's name": (
        {MARKER: "s3://My_Bucket/_SUCCESS"},
        (
            f"{MARKER}: 's3://My_Bucket/_SUCCESS' has 'My_Bucket' as bucket, "
            "which is no bucket's name; expected one like 's3://bucket/_SUCCESS'"
        ),
    ),
    "a marker is no whole bucket": (
        {MARKER: "s3://bucket/"},
        (
            f"{MARKER}: 's3://bucket/' is a whole bucket; "
            "name a file or a prefix in it, for example 's3://bucket/_SUCCESS'"
        ),
    ),
    "a marker is an object": (
        {MARKER: "s3://bucket/done/"},
        (
            f"{MARKER}: 's3://bucket/done/' is a prefix; "
            "name the object that is written last, for example 's3://bucket/_SUCCESS'"
        ),
    ),
    "a marker's key is short": (
        {MARKER: f"s3://bucket/{LONG_KEY}"},
        f"{MARKER}: 's3://bucket/{LONG_KEY}' has a key of 1025 bytes; S3 takes at most 1024",
    ),
    "a marker has no placeholder but the date": (
        {MARKER: "s3://bucket/{Date}/_SUCCESS"},
        (
            f"{MARKER}: 's3://bucket/{{Date}}/_SUCCESS' has the unknown placeholder '{{Date}}'; "
            "known is {date}, the day of the run as 2026-11-29"
        ),
    ),
    "a marker is not among the files to import": (
        {
            "datasets.users.dataLocation": "s3://bucket/{date}/users/",
            MARKER: "s3://bucket/{date}/users/parts/_SUCCESS",
        },
        (
            f"{MARKER}: 's3://bucket/{{date}}/users/parts/_SUCCESS' lies inside "
            "datasets.users.dataLocation, where every file is imported; "
            "keep it beside, for example 's3://bucket/{date}/users.SUCCESS'"
        ),
    ),
    "a marker is not among another dataset's files": (
        {
            "datasets.interactions.dataLocation": "s3://bucket/interactions/",
            MARKER: "s3://bucket/interactions/users.done",
        },
        (
            f"{MARKER}: 's3://bucket/interactions/users.done' lies inside "
            "datasets.interactions.dataLocation, where every file is imported; "
            "keep it beside, for example 's3://bucket/interactions.users.done'"
        ),
    ),
    # The gate.
    "a gate has a rule": (
        {GATE: []},
        f"{GATE}: an empty list; to deploy every new version, write 'qualityGateEnabled: false'",
    ),
    "a metric is not empty": (
        {f"{RULE}.metric": ""},
        f"{RULE}.metric: missing; the metric to judge, for example '{NDCG}_at_10'",
    ),
    "a metric is abbreviated": (
        {f"{RULE}.metric": "NDCG@10"},
        f"{RULE}.metric: 'NDCG@10' is no metric of Personalize; did you mean {NDCG}_at_10?",
    ),
    "a metric is abbreviated in words": (
        {f"{RULE}.metric": "ndcg at 5"},
        f"{RULE}.metric: 'ndcg at 5' is no metric of Personalize; did you mean {NDCG}_at_5?",
    ),
    "a metric is cut short": (
        {f"{RULE}.metric": "MRR"},
        (
            f"{RULE}.metric: 'MRR' is no metric of Personalize; "
            "did you mean mean_reciprocal_rank_at_25?"
        ),
    ),
    "a metric is written in camel case": (
        {f"{RULE}.metric": "precisionAt5"},
        f"{RULE}.metric: 'precisionAt5' is no metric of Personalize; did you mean precision_at_5?",
    ),
    "a metric like no other": (
        {f"{RULE}.metric": "loss"},
        f"{RULE}.metric: 'loss' is no metric of Personalize; known are {', '.join(NAMES)}",
    ),
    "a metric is judged once": (
        {f"{GATE}[1]": {"metric": f"{NDCG}_at_10", "minimum": 0.1}},
        f"{GATE}[1].metric: '{NDCG}_at_10' is judged twice; {RULE}.metric is the same",
    ),
    "a rule judges something": (
        {RULE: {"metric": "coverage"}},
        f"{RULE}: judges nothing; give maxDrop, minimum or both, as in 'maxDrop: 0.25'",
    ),
    "a drop is a share": (
        {f"{RULE}.maxDrop": 25},
        f"{RULE}.maxDrop: 25 is no share; expected a number from 0 to 1: for 25 percent, 0.25",
    ),
    "a drop is not negative": (
        {f"{RULE}.maxDrop": -0.1},
        f"{RULE}.maxDrop: -0.1 is no share; expected a number from 0 to 1: for example 0.25",
    ),
    "a drop is no more than all": (
        {f"{RULE}.maxDrop": 101},
        f"{RULE}.maxDrop: 101 is no share; expected a number from 0 to 1: for example 0.25",
    ),
    "a minimum is positive": (
        {f"{RULE}.minimum": 0},
        (
            f"{RULE}.minimum: 0 is no value that a metric has to reach; "
            "expected one above 0 and at most 1"
        ),
    ),
    "a minimum can be reached": (
        {f"{RULE}.minimum": "1.5"},
        (
            f"{RULE}.minimum: 1.5 is no value that a metric has to reach; "
            "expected one above 0 and at most 1"
        ),
    ),
    # The probe.
    "a probe asks for something": (
        {PROBE: {"minResults": 5}},
        f"{PROBE}: asks for nothing; give {WAYS}",
    ),
    "a probe asks by user or by item": (
        {PROBE: {"userId": "u1", "itemId": "i1"}},
        f"{PROBE}: asks in two ways, with userId and itemId; keep {WAYS}",
    ),
    "a probe ranks for a user and not for an item": (
        {PROBE: {"itemId": "i1", "inputList": ["i2"]}},
        f"{PROBE}: asks in two ways, with itemId and inputList; keep {WAYS}",
    ),
    "a probe ranks for somebody": (
        {PROBE: {"inputList": ["i1"]}},
        f"{PROBE}.inputList: is ranked for a user; add userId",
    ),
    "a probe's user is not empty": (
        {PROBE: {"userId": ""}},
        f"{PROBE}.userId: empty; expected an id of 1 to 256 characters",
    ),
    "a probe's item is short": (
        {PROBE: {"itemId": "x" * 257}},
        f"{PROBE}.itemId: '{'x' * 257}' is 257 characters long; an id has at most 256",
    ),
    "a probe ranks something": (
        {PROBE: {"userId": "u1", "inputList": []}},
        f"{PROBE}.inputList: a list of 0 items; expected 1 to 500",
    ),
    "a probe ranks at most what the runtime takes": (
        {PROBE: {"userId": "u1", "inputList": [f"i{number}" for number in range(501)]}},
        f"{PROBE}.inputList: a list of 501 items; expected 1 to 500",
    ),
    "all probes' lists fit into the workflow": (
        {PROBE: {"userId": "u1", "inputList": [f"{number:0>256}" for number in range(118)]}},
        (
            "solutions: their probes' inputLists hold 30208 characters, and the workflow carries "
            "at most 30000; a few items show whether a campaign ranks"
        ),
    ),
    "a probe's items are not empty": (
        {PROBE: {"userId": "u1", "inputList": ["i1", ""]}},
        f"{PROBE}.inputList[1]: empty; expected an id of 1 to 256 characters",
    ),
    "a probe wants a result": (
        {PROBE: {"userId": "u1", "minResults": 0}},
        f"{PROBE}.minResults: 0 is not what an answer may have; expected 1 to 500",
    ),
    "a probe wants at most what the runtime gives": (
        {PROBE: {"userId": "u1", "minResults": "501"}},
        f"{PROBE}.minResults: 501 is not what an answer may have; expected 1 to 500",
    ),
    "a probe wants no more than it gives to rank": (
        {PROBE: {"userId": "u1", "inputList": ["i1", "i2"], "minResults": 3}},
        f"{PROBE}.minResults: 3 is not what an answer may have; expected 1 to 2",
    ),
    "a probe takes time": (
        {PROBE: {"userId": "u1", "minutes": 0}},
        f"{PROBE}.minutes: 0 is no time to ask in; expected above 0 and at most 1440, a day",
    ),
    "a probe ends the same day": (
        {PROBE: {"userId": "u1", "minutes": "1440.5"}},
        f"{PROBE}.minutes: 1440.5 is no time to ask in; expected above 0 and at most 1440, a day",
    ),
    # Money.
    "automatic training is one of two": (
        {"autoTraining": "Refused"},
        "autoTraining: 'Refused' is unknown; did you mean refuse?",
    ),
    "automatic training like neither": (
        {"autoTraining": "off"},
        "autoTraining: 'off' is unknown; expected warn or refuse",
    ),
    "a month has no negative number of trainings": (
        {"limits.maxTrainingsPerMonth": -1},
        (
            "limits.maxTrainingsPerMonth: -1 is no number of trainings; "
            "expected a whole number of 1 or more, or 0 for no limit"
        ),
    ),
    # Forms of earlier releases.
    "a gate is not turned off by false": (
        {GATE: False},
        f"{GATE}: false is the old form; write 'qualityGateEnabled: false'",
    ),
    "a gate is not turned off by false as text": (
        {GATE: "false"},
        f"{GATE}: false is the old form; write 'qualityGateEnabled: false'",
    ),
    "no monthly limit is not null": (
        {"limits.maxTrainingsPerMonth": None},
        "limits.maxTrainingsPerMonth: null is the old form; write 'maxTrainingsPerMonth: 0'",
    ),
}


@pytest.mark.parametrize(("changes", "line"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_told_with_its_key_the_value_and_the_way_out(changes, line):
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(changed(changes))
    assert str(caught.value) == one_problem(line), "the whole message, and no other problem"


@pytest.mark.parametrize(
    "changes",
    [
        {MARKER: "s3://movies-exports/users.csv.done"},
        {MARKER: "s3://movies-exports/interactions-done"},
        {"datasets.users.minRelativeSize": 1},
        {f"{RULE}.maxDrop": 1},
        {PROBE: {"userId": "u1", "inputList": [f"i{number}" for number in range(500)]}},
        {PROBE: {"userId": "u1", "inputList": [f"{number:0>250}" for number in range(120)]}},
        {PROBE: {"itemId": "x" * 256, "minResults": 500, "minutes": 1440}},
    ],
)
def test_what_is_just_within_the_rules_is_taken(changes):
    settings.parse(changed(changes))
