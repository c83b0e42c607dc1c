"""Proves that each resource type is created, read, updated, replaced and deleted as its row says.

`resource_types.yaml` has the inputs of a resource of each type, and changes of them. What the real
provider does is cited in the rows. `test_provider_plugin.py` proves the way over gRPC.
"""

import itertools
import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from provider_support import UNKNOWN, Engine, Resource, Type, archive, function_inputs
from ruamel.yaml import YAML
from small_stack import ACCOUNT, REGION, allow, invoke, policy, trust, waiting

from emulator.deployer import wire
from emulator.deployer.errors import DeploymentError
from emulator.deployer.resources import ROWS
from emulator.deployer.translation import parse_document

TYPES = YAML(typ="safe").load(Path(__file__).with_name("resource_types.yaml").read_text())
NUMBERS = itertools.count()


def returning(value):
    """Return the archive of a function that returns a value."""
    return archive(f"sha-{value}", work=f"def handler(*_):\n    return {value!r}\n")


def code_hash(code):
    """Return the hash of an archive as Lambda shows it."""
    return b64encode(sha256(wire.zip_file(code, "code")).digest()).decode()


@pytest.fixture(scope="module")
def existing(aws, engine):
    """Create the resources that the inputs of TYPES name. Return the values by name."""
    for name in ("one", "two"):
        aws.client("iam").create_policy(PolicyName=name, PolicyDocument=policy(allow("*")))
    roles = {
        name: engine.create(Type.ROLE, name, {"assumeRolePolicy": trust(name.split("-")[-1])})
        for name in ("lambda", "other-lambda", "states", "other-states", "scheduler")
    }
    for role in roles.values():
        permissions = policy(allow(["logs:*", "lambda:*"]))
        engine.create(Type.ROLE_POLICY, role.name, {"role": role.id, "policy": permissions})
    role_arn = roles["lambda"].outputs["arn"]
    function = engine.create(Type.FUNCTION, "types", function_inputs(role_arn, returning("old")))
    rule = engine.create(Type.RULE, "types", {"scheduleExpression": "rate(1 day)"})
    actions = ("s3:GetObject", "s3:PutObject", "sns:Publish", "sns:Subscribe")

    return {
        **{f"role {name}": role.id for name, role in roles.items()},
        **{f"arn {name}": role.outputs["arn"] for name, role in roles.items()},
        **{f"trusts {service}": trust(service) for service in ("lambda", "states")},
        **{f"allows {action}": policy(allow(action)) for action in actions},
        **{f"policy {name}": f"arn:aws:iam::{ACCOUNT}:policy/{name}" for name in ("one", "two")},
        **{f"waits {number}": json.dumps(waiting(number)) for number in (1, 2)},
        **{f"key {number}": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{number}" for number in (1, 2)},
        **{f"code {number}": returning(number) for number in (1, 2)},
        **{f"hash {number}": code_hash(returning(number)) for number in (1, 2)},
        "function": function.id,
        "function arn": function.outputs["arn"],
        "group": engine.create(Type.GROUP, "types", {}).id,
        "rule": rule.id,
        "topic": engine.create(Type.TOPIC, "types", {}).id,
        "queue arn": engine.create(Type.QUEUE, "types", {}).outputs["arn"],
        "log group": engine.create(Type.LOG_GROUP, "types", {}).id,
        "spaced trust": json.dumps(json.loads(trust("lambda")), indent=2),
        "log arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/one:*",
    }


def filled(value, existing):
    """Return a value in which `[name]` is replaced by the existing value."""
    if isinstance(value, dict):
        return {key: filled(item, existing) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, existing) for item in value]
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"\[([\w: -]+)\]", value)
    if whole:
        return existing[whole[1]]

    return re.sub(r"\[([a-z ]+)\]", lambda match: existing[match[1]], value)


def changed_inputs(inputs, change):
    """Return the inputs after a change, without those that become None."""
    return {key: value for key, value in (inputs | change).items() if value is not None}


def assert_current(engine, resource):
    """Assert that the service has every input and every output of a resource."""
    refreshed = engine.read(resource)
    assert refreshed.inputs == resource.inputs, "the service has other inputs"
    assert refreshed.outputs == resource.outputs, "a refresh would show a change"


@pytest.mark.parametrize("type_token", TYPES)
def test_a_resource_is_created_as_previewed_updated_in_place_and_deleted(
    engine, existing, type_token
):
    row = ROWS[type_token]
    inputs = filled(TYPES[type_token]["inputs"], existing)
    previewed = engine.preview(type_token, "sample", inputs)
    resource = engine.create(type_token, "sample", inputs)
    assert previewed.keys() == resource.outputs.keys(), "a preview shows each output"
    assert {
        name: resource.outputs[name]
        for name, value in previewed.items()
        if value not in (UNKNOWN, resource.outputs[name]) and name != "code"
    } == {}, "a preview shows what it knows"
    assert None not in resource.outputs.values(), "the response has each output"

    assert_current(engine, resource)
    for change in TYPES[type_token]["updates"]:
        new_inputs = changed_inputs(inputs, filled(change, existing))
        diff = engine.diff(resource, new_inputs)
        all_tags = {"tagsAll"} & ({"tagsAll"} if "tags" in change else set())
        assert (diff.changed, diff.replacing) == ({*change} | all_tags, set()), change
        changed = engine.update(resource, new_inputs)
        assert_current(engine, changed)
        as_before = engine.read(changed._replace(inputs=resource.inputs)).inputs
        for name in inputs.keys() - new_inputs.keys() - {"tags", *row.unreadable.split()}:
            unset = (row.defaults.get(name), parse_document(row.unset.get(name)))
            assert parse_document(as_before.get(name)) in unset, f"{name} was removed"
        resource = engine.update(changed, inputs)
        assert_current(engine, resource)
    engine.delete(resource)
    if type_token != Type.TOPIC_POLICY:
        assert engine.read(resource) is None, "it does not exist any more"
    engine.delete(resource)  # A resource that does not exist is no error.


@pytest.mark.parametrize("type_token", TYPES)
def test_an_input_that_aws_cannot_change_replaces_the_resource(engine, existing, type_token):
    inputs = filled(TYPES[type_token]["inputs"], existing)
    row = ROWS[type_token]
    complete = engine.checked(type_token, "replaced", inputs)
    resource = Resource(type_token, "replaced", "the-id", complete, complete)
    for change in TYPES[type_token]["replacements"]:
        new_inputs = changed_inputs(inputs, filled(change, existing))
        diff = engine.diff(resource, new_inputs)
        assert (diff.changed, diff.replacing) == ({*change}, {*change})
        has_fixed_name = bool(row.name_pattern) and row.name_input in new_inputs
        assert diff.delete_first == has_fixed_name, "two resources cannot have one name"


def test_each_type_and_each_input_is_tried():
    assert TYPES.keys() == ROWS.keys()
    for type_token, row in ROWS.items():
        inputs, updates, replacements = TYPES[type_token].values()
        replacing = {name for change in replacements for name in change}
        updated = {name for change in updates for name in change}
        assert {*inputs} | updated | replacing == {*row.inputs.split()}
        assert replacing == {*row.replacing.split()}


@pytest.mark.parametrize("type_token", [name for name, row in ROWS.items() if row.name_pattern])
def test_a_name_is_checked_against_its_rule(engine, type_token):
    row = ROWS[type_token]

    def refusal(name):
        refused = engine.check(type_token, "named", {row.name_input: name}).refused
        return refused.get(row.name_input)

    reason = f"does not match AWS's pattern {row.name_pattern}"
    in_pattern = re.search(r"1,(\d+)}$", row.name_pattern)
    longest = int(in_pattern[1]) if in_pattern else row.fields[row.name_input].shape.metadata["max"]
    long_name = "n" * (longest + 1)
    limit = f"{longest + 1} characters is more than AWS allows, {longest}"
    too_long = f"{long_name!r} {reason}" if in_pattern else limit
    assert refusal(long_name) == f"{row.name_input}: {too_long}"
    assert refusal("n" * longest) is None, "the limit itself is allowed"
    assert refusal("a-name") is None, "letters and hyphens are allowed in each name"
    assert refusal("a\tname") == f"{row.name_input}: 'a\\tname' {reason}"


# Functions and state machines


@pytest.fixture
def inputs(existing):
    """Return the inputs of a published function that returns 'old'."""
    code = returning("old")
    return function_inputs(existing["arn lambda"], code, publish=True, timeout=20)


@pytest.fixture
def function(engine, inputs):
    """Create a function for one test."""
    return engine.create(Type.FUNCTION, f"function-{next(NUMBERS)}", inputs)


def test_new_code_becomes_a_new_version(aws, engine, function, inputs):
    updated = engine.update(function, inputs | {"code": returning("new")})
    assert (function.outputs["version"], updated.outputs["version"]) == ("1", "2")
    assert updated.outputs["qualifiedArn"] == f"{updated.outputs['arn']}:2"
    assert updated.outputs["codeSha256"] != function.outputs["codeSha256"]

    arns = (function.outputs["qualifiedArn"], updated.outputs["qualifiedArn"], function.id)
    results = [invoke(aws, arn, {}) for arn in arns]
    assert results == ["old", "new", "new"], "the old version stays, and a name is the latest"


@pytest.mark.parametrize(
    "change, version",
    [({"memorySize": 256}, "2"), ({"tags": {"team": "ranking"}}, "1"), ({"publish": False}, "1")],
)
def test_only_code_and_configuration_become_a_new_version(aws, engine, function, change, version):
    updated = engine.update(function, function.inputs | change)
    assert updated.outputs["version"] == version
    client = aws.client("lambda")
    versions = client.list_versions_by_function(FunctionName=function.id)["Versions"]
    assert versions[-1]["Version"] == version

    first = client.get_function_configuration(FunctionName=function.outputs["qualifiedArn"])
    assert first["MemorySize"] == 128, "a published version never changes"


def test_a_permission_has_its_id_and_its_source_in_the_policy(aws, engine, existing):
    inputs = filled(TYPES[Type.PERMISSION]["inputs"], existing)
    permission = engine.create(Type.PERMISSION, "statement", inputs)
    policy_text = aws.client("lambda").get_policy(FunctionName=existing["function"])["Policy"]
    assert f'"Sid": "{permission.id}"' in policy_text
    assert inputs["sourceArn"] in policy_text
    engine.delete(permission)


# Changes by hand

MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:one"
SCHEDULE = {"scheduleExpression": "cron(0 3 * * ? *)", "flexibleTimeWindow": {"mode": "OFF"}}
TRUST = {"assumeRolePolicy": trust("lambda")}
DEFAULT_TAG = {"stage": "dev"}
BY_HAND = YAML(typ="safe").load(Path(__file__).with_name("changes_by_hand.yaml").read_text())


@pytest.mark.parametrize("name", BY_HAND)
def test_a_refresh_finds_a_change_by_hand_and_the_next_update_corrects_it(aws, existing, name):
    engine = Engine(aws, **DEFAULT_TAG)
    type_token, inputs, call, found = filled(BY_HAND[name], existing).values()
    resource = engine.create(type_token, "drift", inputs)
    ((operation, fields),) = call.items()
    service, method = operation.split(".")
    client = aws.client(service)
    if type_token == Type.SCHEDULE:
        current = client.get_schedule(Name=resource.inputs["name"])
        kept = ("Name", "GroupName", "FlexibleTimeWindow", "Target")
        fields = {**{key: current[key] for key in kept}, **fields}
    if type_token == Type.GROUP:
        fields = {"ResourceArn": resource.outputs["arn"], **fields}
    if type_token == Type.SUBSCRIPTION:
        fields = {"SubscriptionArn": resource.id, **fields}
    getattr(client, method)(**fields)
    refreshed = engine.read(resource)
    states = ((resource.inputs, refreshed.inputs), (resource.outputs, refreshed.outputs))
    for before, after in states:
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        assert {key: parse_document(after.get(key)) for key in changed} == {
            key: parse_document(value) for key, value in found.items()
        }

    assert engine.diff(refreshed, inputs).changed == {*found}, "the next update mends it"


def test_code_that_was_changed_by_hand_is_found_by_its_hash_and_mended(
    aws, engine, function, inputs
):
    inputs = inputs | {"codeSha256": code_hash(returning("old"))}
    function = engine.update(function, inputs)
    changed = {"ZipFile": wire.zip_file(returning("by hand"), "code"), "Publish": True}
    aws.client("lambda").update_function_code(FunctionName=function.id, **changed)
    refreshed = engine.read(function)

    assert refreshed.inputs["codeSha256"] == code_hash(returning("by hand"))
    assert engine.diff(refreshed, inputs).changed == {"codeSha256"}, "the archive is not returned"
    assert invoke(aws, engine.update(refreshed, inputs).outputs["arn"], {}) == "old"


def test_a_log_group_whose_name_begins_another_is_read(engine):
    engine.create(Type.LOG_GROUP, "longer", {"name": "prefix-0"})
    group = engine.create(Type.LOG_GROUP, "shorter", {"name": "prefix"})
    engine.delete(group)
    assert engine.read(group) is None, "the name of the other log group only begins so"


def test_a_resource_that_was_deleted_by_hand_is_gone(aws, engine):
    group = engine.create(Type.LOG_GROUP, "gone", {"retentionInDays": 90})
    aws.client("logs").delete_log_group(logGroupName=group.id)
    assert engine.read(group) is None
    with pytest.raises(DeploymentError, match="specified log group does not exist: gone-"):
        engine.update(group, {})


def test_a_role_with_a_policy_that_was_added_by_hand_is_not_deleted(aws, engine):
    role = engine.create(Type.ROLE, "held", TRUST)
    by_hand = {"PolicyName": "by-hand", "PolicyDocument": policy(allow("s3:*"))}
    aws.client("iam").put_role_policy(RoleName=role.id, **by_hand)
    with pytest.raises(DeploymentError, match="must delete all inline policies first"):
        engine.delete(role)


def test_the_schedules_of_a_deleted_group_are_deleted(engine, existing):
    group = engine.create(Type.GROUP, "left", {})
    target = {"arn": MACHINE, "roleArn": existing["arn scheduler"]}
    inputs = {**SCHEDULE, "groupName": group.id, "target": target}
    schedule = engine.create(Type.SCHEDULE, "left", inputs)
    engine.delete(group)
    assert engine.read(schedule) is None
