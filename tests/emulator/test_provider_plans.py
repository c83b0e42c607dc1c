"""Proves what a preview shows: complete inputs, exact differences, known and unknown outputs.

Also proves that no call of a preview or a refresh changes the account.
"""

import json

import pytest
from provider_support import (
    UNKNOWN,
    Resource,
    Type,
    archive,
    function_inputs,
    message,
    provider,
    schedule_inputs,
)
from small_stack import policy

TRUST = policy()
FUNCTION_INPUTS = function_inputs(
    "arn:aws:iam::123456789012:role/worker", archive("sha-1", work="x = 1\n")
)


def in_state(engine, type_token, inputs, outputs=None):
    """Return a resource that is in the engine's state, but not in the account."""
    complete = engine.checked(type_token, "worker", inputs)
    return Resource(type_token, "worker", "the-id", complete, complete | (outputs or {}))


def difference(engine, resource, inputs):
    """Return the changes between a resource and new inputs."""
    complete = engine.checked(resource.type, resource.name, inputs, resource.inputs)
    return engine.diff(resource, complete)


def test_check_adds_the_inputs_that_the_provider_decides(engine):
    assert engine.checked(Type.QUEUE, "queue", {"tags": {"team": "ranking"}}) == {
        "name": "queue-19b2585",
        "messageRetentionSeconds": 345600,
        "tags": {"team": "ranking"},
        "tagsAll": {"team": "ranking"},
        "__defaults": ["messageRetentionSeconds", "name"],
    }, "as the bridge of Pulumi's own provider does"


def test_an_automatic_name_comes_from_the_seed_and_stays(engine):
    first = engine.checked(Type.QUEUE, "q", {}, seed=b"one")
    assert engine.checked(Type.QUEUE, "q", {}, seed=b"one")["name"] == first["name"]
    assert engine.checked(Type.QUEUE, "q", {}, seed=b"two")["name"] != first["name"]
    assert engine.checked(Type.QUEUE, "q", {}, first, seed=b"two")["name"] == first["name"], (
        "an existing resource keeps its name"
    )


def test_a_name_that_the_program_no_longer_sets_becomes_automatic(engine):
    named = engine.checked(Type.QUEUE, "q", {"name": "mine"})
    assert "name" not in named["__defaults"], "the program has set the name"
    assert engine.checked(Type.QUEUE, "q", {}, named)["name"] == "q-19b2585"


def test_unknown_values_stay_unknown(engine):
    schedule = schedule_inputs(UNKNOWN, UNKNOWN, flexibleTimeWindow=UNKNOWN, name=UNKNOWN)
    inputs = engine.checked(Type.SCHEDULE, "nightly", schedule)
    assert {name: inputs[name] for name in schedule} == schedule, "also inside a block"
    assert engine.checked(Type.QUEUE, "q", {"tags": UNKNOWN})["tagsAll"] == UNKNOWN


def test_a_document_becomes_text(engine):
    document = {"Version": "2012-10-17", "Statement": [{"Resource": "*"}]}
    inputs = {"role": "r", "policy": document}
    text = '{"Statement": [{"Resource": "*"}], "Version": "2012-10-17"}'
    assert engine.checked(Type.ROLE_POLICY, "p", inputs)["policy"] == text
    document["Statement"][0]["Resource"] = UNKNOWN
    assert engine.checked(Type.ROLE_POLICY, "p", inputs)["policy"] == UNKNOWN


def test_default_tags_reach_the_resource_and_its_own_tags_win(aws):
    tags = json.dumps({"tags": {"team": "platform", "stage": "dev"}})
    with provider(aws, defaultTags=tags) as engine:
        queue = engine.create(Type.QUEUE, "default-tags", {"tags": {"team": "ranking"}})
        queue_tags = aws.client("sqs").list_queue_tags(QueueUrl=queue.id)["Tags"]
        untagged = engine.checked(Type.QUEUE, "q", {})
    assert queue.outputs["tags"] == {"team": "ranking"}, "only the tags of the program"
    assert queue.outputs["tagsAll"] == queue_tags == {"team": "ranking", "stage": "dev"}
    assert untagged["tagsAll"] == {"team": "platform", "stage": "dev"}


NOT_SUPPORTED = "is not supported, only a zip file, or an AssetArchive of files and texts"
REMOTE_ASSET = archive("sha", assets={"x.py": {"uri": "https://example.com/x.py"}})
REFUSED = [
    (Type.QUEUE, {"fifoQueue": True}, "fifoQueue: unknown or not supported"),
    (Type.ROLE, {"tags": ["team"]}, "tags: a mapping was expected, not ['team']"),
    (
        Type.ROLE,
        {"tags": {"a": "v" * 257}},
        "tags[0].Value: 257 characters is more than AWS allows, 256",
    ),
    (
        Type.SCHEDULE,
        {"description": "d" * 513},
        "description: 513 characters is more than AWS allows, 512",
    ),
    (Type.SCHEDULE, {"state": "PAUSED"}, "state: 'PAUSED' is not one of ENABLED, DISABLED"),
    (
        Type.SCHEDULE,
        {"flexibleTimeWindow": "OFF"},
        "flexibleTimeWindow: a block was expected, not 'OFF'",
    ),
    (
        Type.SCHEDULE,
        {"target": {"retryPolicy": {"attempts": 3}}},
        "target.retryPolicy.attempts: unknown or not supported",
    ),
    (
        Type.SCHEDULE,
        {"name": "every night"},
        r"name: 'every night' does not match AWS's pattern [0-9a-zA-Z\-_.]+",
    ),
    (
        Type.FUNCTION,
        {"environment": {"variables": []}},
        "environment.variables: a mapping was expected, not []",
    ),
    (Type.FUNCTION, {"memorySize": 64}, "memorySize: 64 is less than AWS allows, 128"),
    (
        Type.FUNCTION,
        {"architectures": ["arm64", "x86_64"]},
        "architectures: 2 items is more than AWS allows, 1",
    ),
    (Type.FUNCTION, {"architectures": "arm64"}, "architectures: a list was expected, not 'arm64'"),
    (Type.FUNCTION, {"code": {**archive("sha"), "path": "."}}, f"code: {NOT_SUPPORTED}"),
    (Type.FUNCTION, {"code": "handler"}, "code: a block was expected, not 'handler'"),
    (Type.FUNCTION, {"code": REMOTE_ASSET}, f"code[x.py]: {NOT_SUPPORTED}"),
]


@pytest.mark.parametrize(("type_token", "inputs", "reason"), REFUSED)
def test_an_input_is_refused_with_the_reason(engine, type_token, inputs, reason):
    (name,) = inputs
    assert engine.check(type_token, "r", inputs)[1] == {name: reason}


def test_all_refused_inputs_are_reported_by_name(engine):
    _, failures = engine.check(Type.FUNCTION, "f", {"memorySize": 64, "timeout": 0, "secret": 1})
    assert failures.keys() == {"memorySize", "timeout", "secret"}
    assert message(engine.check, "aws:kms/key:Key", "k", {}) == (
        "aws:kms/key:Key is not supported by the emulator's provider"
    )


def test_a_secret_is_read_as_its_value(engine):
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
    inputs = engine.checked(Type.QUEUE, "q", {"kmsMasterKeyId": {**secret, "value": "alias/mine"}})
    assert inputs["kmsMasterKeyId"] == "alias/mine"


NOTHING = {"changes": "DIFF_NONE", "diffs": [], "replaces": [], "deleteBeforeReplace": False}
CHANGED = NOTHING | {"changes": "DIFF_SOME"}


def test_an_archive_is_compared_by_its_hash(engine):
    resource = in_state(engine, Type.FUNCTION, FUNCTION_INPUTS)
    moved = FUNCTION_INPUTS | {"code": archive("sha-1", elsewhere="")}
    assert difference(engine, resource, moved) == NOTHING, "its hash is equal"
    changed = FUNCTION_INPUTS | {"code": archive("sha-2", work="")}
    assert difference(engine, resource, changed) == CHANGED | {"diffs": ["code"]}


def test_a_policy_is_compared_by_its_meaning(engine):
    resource = in_state(engine, Type.ROLE, {"assumeRolePolicy": TRUST})
    spaced = json.dumps(json.loads(TRUST), indent=2, sort_keys=True)
    assert difference(engine, resource, {"assumeRolePolicy": spaced}) == NOTHING
    changed = difference(engine, resource, {"assumeRolePolicy": "no JSON"})
    assert changed == CHANGED | {"diffs": ["assumeRolePolicy"]}


def test_each_input_that_differs_is_listed(engine):
    before = {"tags": {"team": "ranking"}, "definition": "{}", "roleArn": "r"}
    after = before | {"tracingConfiguration": {"enabled": True}, "tags": {"team": "search"}}
    resource = in_state(engine, Type.MACHINE, before)
    names = ["tags", "tagsAll", "tracingConfiguration"]
    assert difference(engine, resource, after) == CHANGED | {"diffs": names}


def test_an_input_that_is_not_known_yet_counts_as_changed(engine):
    resource = in_state(engine, Type.ROLE_POLICY, {"role": "r", "policy": TRUST})
    diff = difference(engine, resource, {"role": UNKNOWN, "policy": TRUST})
    assert (diff["diffs"], diff["replaces"]) == (["role"], ["role"])


def test_a_preview_of_a_new_resource_shows_the_known_outputs(engine):
    outputs = engine.preview_create(Type.LOG_GROUP, "logs", {"retentionInDays": 90})
    assert outputs == {
        "name": "logs-19b2585",
        "retentionInDays": 90,
        "tagsAll": {},
        "arn": UNKNOWN,
    }


OLD_OUTPUTS = {"arn": "arn:f", "version": "3", "qualifiedArn": "arn:f:3", "codeSha256": "abc"}
NEW_VERSION = {"version": UNKNOWN, "qualifiedArn": UNKNOWN}


@pytest.mark.parametrize(
    ("change", "unknown"),
    [
        ({"code": archive("sha-2", work="")}, NEW_VERSION),
        ({"timeout": 60}, NEW_VERSION),
        ({"tags": {"team": "search"}}, {}),
    ],
    ids=["code", "configuration", "tags"],
)
def test_a_new_version_of_a_function_is_not_known_before_it_is_published(engine, change, unknown):
    inputs = FUNCTION_INPUTS | {"publish": True}
    function = in_state(engine, Type.FUNCTION, inputs, OLD_OUTPUTS)
    outputs = engine.update(function, inputs | change, preview=True).outputs
    assert {name: outputs[name] for name in OLD_OUTPUTS} == OLD_OUTPUTS | unknown


def test_a_preview_does_not_show_a_removed_input(engine):
    function = in_state(engine, Type.FUNCTION, FUNCTION_INPUTS | {"tags": {"team": "search"}})
    outputs = engine.update(function, FUNCTION_INPUTS, preview=True).outputs
    assert "tags" not in outputs, "the old outputs have it"


def test_a_preview_sends_no_request(aws, engine):
    aws.control("DELETE", "calls")
    role = in_state(engine, Type.ROLE, {"assumeRolePolicy": TRUST})
    changed = {"assumeRolePolicy": TRUST, "tags": {"team": "search"}}
    engine.preview_create(Type.ROLE, "worker", {"assumeRolePolicy": TRUST})
    engine.update(role, changed, preview=True)
    difference(engine, role, changed)
    assert aws.calls() == []


def test_a_refresh_only_reads(aws, engine):
    inputs = {"assumeRolePolicy": TRUST, "tags": {"team": "ranking"}}
    role = engine.create(Type.ROLE, "read-only", inputs)
    aws.control("DELETE", "calls")
    engine.read(role)
    assert {call["action"] for call in aws.calls()} == {"iam:GetRole"}
