"""Proves what a preview shows: complete inputs, exact differences, known and unknown outputs.

Also proves that no call of a preview or a refresh changes the account.
"""

import json

import pytest
from provider_support import UNKNOWN, Engine, Resource, Type, archive, function_inputs
from ruamel.yaml import YAML
from small_stack import policy

from emulator.deployer.translation import satisfies

TRUST = policy()
FUNCTION = function_inputs("arn:aws:iam::123456789012:role/one", archive("sha-1", "x = 1\n"))


def in_state(engine, type_token, inputs, **outputs):
    """Return a resource that is in the engine's state, but not in the account."""
    complete = engine.checked(type_token, "worker", inputs)
    return Resource(type_token, "worker", "the-id", complete, complete | outputs)


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
    assert engine.checked(Type.QUEUE, "q", {}, seed=b"one") == first
    assert engine.checked(Type.QUEUE, "q", {}, seed=b"two") != first
    assert engine.checked(Type.QUEUE, "q", {}, first, seed=b"two") == first, "it keeps its name"

    named = engine.checked(Type.QUEUE, "q", {"name": "mine"})
    assert "name" not in named["__defaults"], "the program has set the name"
    assert engine.checked(Type.QUEUE, "q", {}, named)["name"] == "q-19b2585"


def test_unknown_values_stay_unknown(engine):
    target = {"arn": UNKNOWN, "roleArn": UNKNOWN}
    window = {"flexibleTimeWindow": UNKNOWN, "scheduleExpression": "rate(1 day)"}
    schedule = {"groupName": UNKNOWN, "name": UNKNOWN, "target": target, **window}
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
    engine = Engine(aws, team="platform", stage="dev")
    queue = engine.create(Type.QUEUE, "default-tags", {"tags": {"team": "ranking"}})
    queue_tags = aws.client("sqs").list_queue_tags(QueueUrl=queue.id)["Tags"]
    assert queue.outputs["tags"] == {"team": "ranking"}, "only the tags of the program"
    assert queue.outputs["tagsAll"] == queue_tags == {"team": "ranking", "stage": "dev"}

    untagged = engine.checked(Type.QUEUE, "q", {})
    assert untagged["tagsAll"] == {"team": "platform", "stage": "dev"}


def test_each_input_of_the_golden_file_is_refused_with_the_reason(engine, golden):
    archives = {
        "<path>": {**archive("sha"), "path": "."},
        "<assets>": {**archive("sha"), "assets": {"x.py": {"text": ""}}},
    }

    def answer(line):
        type_name, _, text = line.partition(" ")
        inputs = YAML(typ="safe").load(text)
        inputs |= {key: archives.get(str(value), value) for key, value in inputs.items()}
        refused = engine.check(Type[type_name], "r", {**inputs, "secret": 1}).failures
        assert refused.pop("secret") == "secret: unknown or not supported", "each one is reported"
        assert refused.keys() == inputs.keys()
        return [*refused.values()]

    golden.answers("refused_inputs.txt", answer)


def test_only_another_meaning_is_a_difference(engine):
    """An archive is compared by its hash, and a document by its meaning."""
    function = in_state(engine, Type.FUNCTION, FUNCTION)
    role = in_state(engine, Type.ROLE, {"assumeRolePolicy": TRUST})
    spaced = json.dumps(json.loads(TRUST), indent=2, sort_keys=True)
    role_policy = in_state(engine, Type.ROLE_POLICY, {"role": "r", "policy": TRUST})
    machine = in_state(engine, Type.MACHINE, {"tags": {"a": "1"}, "definition": "{}"})
    for resource, inputs, changed, replacing in (
        (function, FUNCTION | {"code": archive("sha-1", "x = 2\n")}, set(), set()),
        (function, FUNCTION | {"code": archive("sha-2", "")}, {"code"}, set()),
        (role, {"assumeRolePolicy": spaced}, set(), set()),
        (role, {"assumeRolePolicy": "no JSON"}, {"assumeRolePolicy"}, set()),
        (role_policy, {"role": UNKNOWN, "policy": TRUST}, {"role"}, {"role"}),
        (machine, {"tags": {"a": "2"}, "definition": "{}"}, {"tags", "tagsAll"}, set()),
    ):
        diff = engine.diff(resource, inputs)
        assert (diff.changed, diff.replacing, diff.delete_before_replace) == (
            changed,
            replacing,
            False,
        )


OLD_OUTPUTS = {"arn": "arn:f", "version": "3", "qualifiedArn": "arn:f:3", "codeSha256": "abc"}
NEW_VERSION = {"version": UNKNOWN, "qualifiedArn": UNKNOWN}


@pytest.mark.parametrize(
    "change, unknown",
    [
        ({"code": archive("sha-2", "")}, NEW_VERSION),
        ({"timeout": 60}, NEW_VERSION),
        ({"tags": {"team": "search"}}, {}),
    ],
    ids=["code", "configuration", "tags"],
)
def test_a_new_version_of_a_function_is_not_known_before_it_is_published(engine, change, unknown):
    inputs = FUNCTION | {"publish": True, "environment": {}}
    function = in_state(engine, Type.FUNCTION, inputs, **OLD_OUTPUTS)
    outputs = engine.preview(Type.FUNCTION, "worker", FUNCTION | {"publish": True}, function)
    assert "environment" not in outputs, "a removed input is not shown"
    outputs = engine.preview(Type.FUNCTION, "worker", inputs | change, function)
    assert {name: outputs[name] for name in OLD_OUTPUTS} == OLD_OUTPUTS | unknown


def test_a_refresh_accepts_more_members_of_a_block_and_another_spelling_of_a_document():
    block = {"a": [{"b": 1, "more": 2}], "more": 3}
    assert satisfies(block, {"a": [{"b": 1}]})
    assert satisfies({"policy": '{"a": 1}'}, {"policy": '{"a":1}'})
    for wanted in ({"a": [{"b": 2}]}, {"a": []}, {"c": 1}, {"a": {"b": 1}}):
        assert not satisfies(block, wanted), wanted


def test_a_refresh_only_reads(aws, engine):
    inputs = {"assumeRolePolicy": TRUST, "tags": {"team": "ranking"}}
    role = engine.create(Type.ROLE, "read-only", inputs)
    aws.control("DELETE", "calls")
    engine.read(role)
    assert {call["action"] for call in aws.calls()} == {"iam:GetRole"}
