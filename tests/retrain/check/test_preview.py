"""Proves what is read from previews of the Pulumi CLI, most of which were recorded.

`damaged.json` is a stack that somebody has broken by hand in 16 ways, and `not_deployed.json` one
with changes of its file, in which an alarm was also changed by hand. Only resources that are
interesting were kept. `denied.json` is a preview in which three reads were denied.
"""

import json
from pathlib import Path

import pytest

from retrain.check.preview import (
    UNKNOWN_VALUE,
    Change,
    find_error,
    find_refreshed_states,
    list_changes,
)

PREVIEWS = Path(__file__).with_name("previews")
PARENT = "urn:pulumi:prod::films::personalize-retraining:index:RetrainingPipeline"
ALARM = f"{PARENT}$aws:cloudwatch/metricAlarm:MetricAlarm::late"
TOPIC = f"{PARENT}$aws:sns/topic:Topic::reports"


def recorded(name):
    return json.loads((PREVIEWS / f"{name}.json").read_text())


@pytest.mark.parametrize("name", ["damaged", "topic_deleted", "not_deployed"])
def test_golden_changes_of_a_recorded_preview(name, golden):
    document = recorded(name)
    lines = [": ".join(filter(None, change)) for change in list_changes(document)]
    golden(f"preview_{name}.txt", "\n".join([*lines, ""]))
    assert find_error(document) is None


def test_a_denied_read_is_named_with_its_resource_and_the_summary_is_left_out():
    reason = (
        "An error occurred (AccessDeniedException) when calling the X operation: not authorized"
    )
    text = f"LogGroup retraining-dev-functions: Preview failed: {reason}"
    assert find_error(recorded("denied")) == text

    failed = {"severity": "error", "message": "error: preview failed\n"}
    warning = {"severity": "warning", "message": "warning: old"}
    assert find_error({"diagnostics": [warning, failed]}) == "preview failed", "the only reason"


def change(old, new, *, op="update", state=None, urn=ALARM, **more):
    """Return the steps of a resource whose property `it` differs in state, cloud and program."""
    cloud = {"inputs": {"it": old}, "outputs": {"it": old}}
    refreshed = {"inputs": {"it": state}, "outputs": {"it": state}} if state else cloud
    program = {"inputs": {"it": new}, **more}
    return [
        {"op": "refresh", "urn": urn, "oldState": refreshed},
        {"op": op, "urn": urn, "oldState": cloud, "newState": program, "diffReasons": ["it"]},
    ]


def changes(*steps):
    return [(kind, details) for kind, _, details in list_changes({"steps": steps})]


START = "arn:aws:logs:eu-west-1:123456789012:log-group:" + "a" * 40


@pytest.mark.parametrize(
    "steps, expected",
    [
        (change(1, 2), [("not deployed", "it: 1 -> 2")]),
        (change(1, 2, op="replace"), [("not deployed", "it: 1 -> 2")]),
        (change(9, 1, state=1), [("by hand", "it: 1 -> 9")]),
        (change(9, 2, state=1), [("by hand", "it: 1 -> 9"), ("not deployed", "it: 1 -> 2")]),
        (change(9, UNKNOWN_VALUE, state=1), [("by hand", "it: 1 -> 9"), ("follows", "it")]),
        (change(1, UNKNOWN_VALUE), [("follows", "it")]),
        (change('{"a": [1, 2]}', '{"a": [1, 3]}'), [("not deployed", "it.a[1]: 2 -> 3")]),
        (change([1, 2], [1]), [("not deployed", "it[1]: 2 -> (none)")]),
        (change("{no document", "x"), [("not deployed", "it: {no document -> x")]),
        (
            change({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}, {"__defaults": []}),
            [("not deployed", "it.a: 1 -> (none); it.b: 1 -> (none); it.c: 1 -> (none); 2 more")],
        ),
        (
            change(f"{START}b", f"{START}c"),
            [("not deployed", f"it: {START[:60]}... -> {START[:60]}...")],
        ),
        (
            change("[secret]", "[secret]"),
            [("not deployed", "it, whose values are not shown")],
        ),
    ],
)
def test_a_property_was_changed_by_hand_or_is_not_deployed(steps, expected):
    assert changes(*steps) == expected


CREATED_TOPIC = [
    {"op": "refresh", "urn": TOPIC, "oldState": {"modified": "today"}},
    {"op": "create", "urn": TOPIC, "newState": {}},
]


@pytest.mark.parametrize(
    "topic, expected",
    [
        (CREATED_TOPIC, [("deleted", ""), ("follows", "it")]),
        (CREATED_TOPIC[1:], [("not deployed", "a new resource"), ("follows", "it")]),
        (
            change("a", "b", op="replace", urn=TOPIC),
            [("not deployed", "it: a -> b"), ("follows", "it")],
        ),
        ([], [("not deployed", "it: reports-1 -> reports-2")]),
    ],
    ids=["deleted", "new", "replaced", "unchanged"],
)
def test_what_mentions_a_resource_that_gets_another_arn_follows_from_it(topic, expected):
    alarm = change("reports-1", "reports-2", propertyDependencies={"it": [TOPIC]})
    assert changes(*topic, *alarm) == expected


def test_a_property_that_the_program_leaves_out_is_compared_by_the_outputs():
    refreshed, planned = change(None, None)
    refreshed["oldState"] = {"inputs": {}, "outputs": {"it": -1}}
    planned["oldState"] = {"inputs": {}, "outputs": {"it": 0}}
    planned["newState"] = {"inputs": {}}
    assert changes(refreshed, planned) == [("by hand", "it: -1 -> 0")]


def test_other_resources_of_the_stack_are_not_examined():
    other = "urn:pulumi:prod::films::aws:sns/topic:Topic::mine"
    steps = [*change(1, 2, urn=other), *change(3, 4)]
    document = {"steps": [*steps, {"op": "same", "urn": TOPIC, "oldState": {}}]}
    assert list_changes(document) == [Change("not deployed", "MetricAlarm late", "it: 3 -> 4")]
    assert [*find_refreshed_states(document)] == [ALARM]


def test_without_a_refresh_the_state_stands_for_the_cloud():
    _, planned = change(1, 2)
    removed = {"op": "delete", "urn": TOPIC, "oldState": {}}
    assert changes(planned, removed) == [
        ("not deployed", "it: 1 -> 2"),
        ("not deployed", "no longer in the program"),
    ]
