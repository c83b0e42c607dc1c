"""Proves that each resource type is created, read, updated, replaced and deleted as defined.

`resource_types.yaml` has the inputs of a resource of each type, and changes of them. What the real
provider does is cited in `resources.py`. `test_provider_plugin.py` proves the way over gRPC.
"""

import itertools
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from provider_support import UNKNOWN, Engine, Resource, Type, archive, function_inputs
from ruamel.yaml import YAML
from small_stack import ACCOUNT, allow, create_role, invoke, policy, trust

from emulator.deployer import wire
from emulator.deployer.errors import DeploymentError
from emulator.deployer.resources import RESOURCE_TYPES
from emulator.deployer.translation import parse_document

LAMBDA_ROLE = f"arn:aws:iam::{ACCOUNT}:role/types-lambda"
NUMBERS = itertools.count()


def returning(value):
    """Return the archive of a function that returns a value."""
    return archive(f"sha-{value}", f"def handler(*_):\n    return {value!r}\n")


def code_hash(code):
    """Return the hash of an archive as Lambda shows it."""
    return b64encode(sha256(wire.read_zip(code, "code")).digest()).decode()


def read_yaml(name):
    """Read a file of this folder with the archives of functions, as its first lines explain."""
    yaml = YAML(typ="safe")
    yaml.constructor.add_constructor("!code", lambda _, node: returning(node.value))
    yaml.constructor.add_constructor("!hash", lambda _, node: code_hash(returning(node.value)))
    return yaml.load(Path(__file__).with_name(name).read_text())


TYPES = read_yaml("resource_types.yaml")
BY_HAND = read_yaml("changes_by_hand.yaml")


@pytest.fixture(scope="module", autouse=True)
def existing(aws, engine):
    """Create the resources that the files name."""
    for name in ("one", "two"):
        aws.client("iam").create_policy(PolicyName=name, PolicyDocument=policy(allow("*")))
    for name in ("lambda", "other-lambda", "states", "other-states", "scheduler"):
        service = name.removeprefix("other-")
        create_role(aws, f"types-{name}", trust(service), allow(["logs:*", "lambda:*"]))
    function = function_inputs(LAMBDA_ROLE, returning("old"), name="types")
    engine.create(Type.FUNCTION, "types", function)
    engine.create(Type.RULE, "types", {"name": "types", "scheduleExpression": "rate(1 day)"})
    for type_token in (Type.GROUP, Type.TOPIC, Type.QUEUE, Type.LOG_GROUP):
        engine.create(type_token, "types", {"name": "types"})


def changed_inputs(inputs, change):
    """Return the inputs after a change, without those that become None."""
    return {key: value for key, value in (inputs | change).items() if value is not None}


def assert_current(engine, resource):
    """Assert that the service has every input and every output of a resource."""
    refreshed = engine.read(resource)
    assert refreshed.inputs == resource.inputs, "the service has other inputs"
    assert refreshed.outputs == resource.outputs, "a refresh would show a change"


@pytest.mark.parametrize("type_token", TYPES)
def test_a_resource_is_created_as_previewed_updated_in_place_and_deleted(engine, type_token):
    resource_type = RESOURCE_TYPES[type_token]
    inputs = TYPES[type_token]["inputs"]
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
        new_inputs = changed_inputs(inputs, change)
        diff = engine.diff(resource, new_inputs)
        changed_tags = {"tagsAll"} if "tags" in change else set()
        assert (diff.changed, diff.replacing) == ({*change} | changed_tags, set()), change
        changed = engine.update(resource, new_inputs)
        assert_current(engine, changed)
        as_before = engine.read(changed._replace(inputs=resource.inputs)).inputs
        for name in inputs.keys() - new_inputs.keys() - {"tags", *resource_type.write_only.split()}:
            unset = (
                resource_type.defaults.get(name),
                parse_document(resource_type.removal_values.get(name)),
            )
            assert parse_document(as_before.get(name)) in unset, f"{name} was removed"
        resource = engine.update(changed, inputs)
        assert_current(engine, resource)
    engine.delete(resource)
    if type_token != Type.TOPIC_POLICY:
        assert engine.read(resource) is None, "it does not exist any more"
    engine.delete(resource)  # A resource that does not exist is no error.


@pytest.mark.parametrize("type_token", TYPES)
def test_an_input_that_aws_cannot_change_replaces_the_resource(engine, type_token):
    inputs = TYPES[type_token]["inputs"]
    resource_type = RESOURCE_TYPES[type_token]
    complete = engine.checked(type_token, "replaced", inputs)
    resource = Resource(type_token, "replaced", "the-id", complete, complete)
    for change in TYPES[type_token]["replacements"]:
        new_inputs = changed_inputs(inputs, change)
        diff = engine.diff(resource, new_inputs)
        assert (diff.changed, diff.replacing) == ({*change}, {*change})
        has_fixed_name = resource_type.name_input in new_inputs
        assert diff.delete_before_replace == has_fixed_name, "two resources cannot have one name"


def test_each_type_and_each_input_is_tried():
    assert TYPES.keys() == RESOURCE_TYPES.keys()
    for type_token, resource_type in RESOURCE_TYPES.items():
        inputs, updates, replacements = TYPES[type_token].values()
        replacing = {name for change in replacements for name in change}
        updated = {name for change in updates for name in change}
        assert {*inputs} | updated | replacing == {*resource_type.inputs.split()}
        assert replacing == {*resource_type.replace_on_changes.split()}


@pytest.mark.parametrize(
    "type_token", [name for name, described in RESOURCE_TYPES.items() if described.name_input]
)
def test_a_name_is_refused_if_aws_would_refuse_it(engine, type_token):
    resource_type = RESOURCE_TYPES[type_token]
    name_input = resource_type.name_input

    def refusal(name):
        return engine.check(type_token, "named", {name_input: name}).failures.get(name_input, "")

    in_pattern = re.search(r"1,(\d+)}$", resource_type.name_pattern)
    metadata = resource_type.fields[name_input].shape.metadata
    longest = int(in_pattern[1]) if in_pattern else metadata["max"]
    assert refusal("n" * longest) == refusal("a-name") == ""
    assert refusal("n" * (longest + 1)) != ""
    assert "pattern" in refusal("a\tname")


# Functions and state machines


@pytest.fixture
def inputs():
    """Return the inputs of a published function that returns 'old'."""
    return function_inputs(LAMBDA_ROLE, returning("old"), publish=True, timeout=20)


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


def test_a_permission_has_its_id_and_its_source_in_the_policy(aws, engine):
    inputs = TYPES[Type.PERMISSION]["inputs"]
    permission = engine.create(Type.PERMISSION, "statement", inputs)
    policy_text = aws.client("lambda").get_policy(FunctionName="types")["Policy"]
    assert f'"Sid": "{permission.id}"' in policy_text
    assert inputs["sourceArn"] in policy_text
    engine.delete(permission)


# Changes by hand


@pytest.mark.parametrize("name", BY_HAND)
def test_a_refresh_finds_a_change_by_hand_and_the_next_update_corrects_it(aws, name):
    engine = Engine(aws, stage="dev")
    type_token, inputs, call, found = BY_HAND[name].values()
    resource = engine.create(type_token, "drift", inputs)
    ((operation, fields),) = call.items()
    service, method = operation.split(".")
    fields = {key: resource.id if value == "<id>" else value for key, value in fields.items()}
    getattr(aws.client(service), method)(**fields)
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
    changed = {"ZipFile": wire.read_zip(returning("by hand"), "code"), "Publish": True}
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
    role = engine.create(Type.ROLE, "held", {"assumeRolePolicy": trust("lambda")})
    by_hand = {"PolicyName": "by-hand", "PolicyDocument": policy(allow("s3:*"))}
    aws.client("iam").put_role_policy(RoleName=role.id, **by_hand)
    with pytest.raises(DeploymentError, match="must delete all inline policies first"):
        engine.delete(role)
