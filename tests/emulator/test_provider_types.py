"""Proves that the provider creates, reads, updates, replaces and deletes each resource type.

The calls go over gRPC to the emulator. What the real provider does is cited in the rows.
"""

import re
from dataclasses import replace

import pytest
from provider_support import UNKNOWN, Resource, Type, function_inputs, short_struct
from resource_types import FIRST_CODE, LIFECYCLES
from small_stack import allow, policy, trust

from emulator.deployer import wire
from emulator.deployer.resources import ROWS
from emulator.deployer.translation import parse_document


@pytest.fixture(scope="module")
def existing(aws, engine):
    """Create the resources that the inputs of LIFECYCLES name. Return their ids and ARNs."""
    for name in ("one", "two"):
        aws.client("iam").create_policy(PolicyName=name, PolicyDocument=policy(allow("*")))
    roles = {
        "role": ("lambda", "lifecycle"),
        "otherRole": ("lambda", "lifecycle-other"),
        "statesRole": ("states", "lifecycle-states"),
        "otherStatesRole": ("states", "lifecycle-states-other"),
        "schedulerRole": ("scheduler", "lifecycle-scheduler"),
    }
    values = {}
    for key, (service, name) in roles.items():
        role = engine.create(Type.ROLE, name, {"assumeRolePolicy": trust(service)})
        engine.create(Type.ROLE_POLICY, name, {"role": role.id, "policy": policy(allow("logs:*"))})
        values |= {key: role.id, f"{key}Arn": role.outputs["arn"]}
    inputs = function_inputs(values["roleArn"], FIRST_CODE)
    function = engine.create(Type.FUNCTION, "lifecycle", inputs)
    return {
        **values,
        "function": function.id,
        "functionArn": function.outputs["arn"],
        "group": engine.create(Type.GROUP, "lifecycle", {}).id,
        "rule": engine.create(Type.RULE, "lifecycle", {"scheduleExpression": "rate(1 day)"}).id,
        "topicArn": engine.create(Type.TOPIC, "lifecycle", {}).id,
        "queueArn": engine.create(Type.QUEUE, "lifecycle", {}).outputs["arn"],
        "logGroup": engine.create(Type.LOG_GROUP, "lifecycle", {}).id,
    }


def filled(value, existing):
    """Return a value in which `[name]` is replaced by the existing resource."""
    if isinstance(value, str):
        return re.sub(r"\[(\w+)\]", lambda match: existing[match[1]], value)
    if isinstance(value, dict):
        return {key: filled(item, existing) for key, item in value.items()}
    return [filled(item, existing) for item in value] if isinstance(value, list) else value


def apply_change(inputs, change):
    """Return the inputs after a change, without those that become None."""
    return {key: value for key, value in (inputs | change).items() if value is not None}


def assert_current(engine, resource):
    """Assert that the service has every input and every output of a resource."""
    refreshed = engine.read(resource)
    # The engine sends no content of archives to Read.
    sent_inputs, sent_outputs = (
        wire.from_struct(short_struct(properties))
        for properties in (resource.inputs, resource.outputs)
    )
    assert refreshed.inputs == sent_inputs, "the service has other inputs"
    assert refreshed.outputs == sent_outputs, "a refresh would show a change"


@pytest.mark.parametrize("type_token", LIFECYCLES)
def test_a_resource_is_created_as_previewed_and_deleted(engine, existing, type_token):
    inputs = filled(LIFECYCLES[type_token].inputs, existing)
    previewed = engine.preview_create(type_token, "created", inputs)
    resource = engine.create(type_token, "created", inputs)
    assert previewed.keys() == resource.outputs.keys(), "a preview shows each output"
    known = {name for name, value in previewed.items() if value != UNKNOWN}
    assert {name: previewed[name] for name in known} == {
        name: resource.outputs[name] for name in known
    }
    assert None not in resource.outputs.values(), "the response has each output"
    assert_current(engine, resource)
    engine.delete(resource)
    if type_token != Type.TOPIC_POLICY:
        assert engine.read(resource) is None, "it does not exist any more"
    engine.delete(resource)  # A resource that does not exist is no error.


@pytest.mark.parametrize("type_token", LIFECYCLES)
def test_an_update_in_place_sets_what_has_changed(engine, existing, type_token):
    row, inputs = ROWS[type_token], filled(LIFECYCLES[type_token].inputs, existing)
    resource = engine.create(type_token, "changed", inputs)
    for change in LIFECYCLES[type_token].updates:
        new_inputs = apply_change(inputs, filled(change, existing))
        complete = engine.checked(type_token, "changed", new_inputs, resource.inputs)
        diff = engine.diff(resource, complete)
        all_tags = ["tagsAll"] if "tags" in change else []
        assert diff["diffs"] == sorted([*change, *all_tags]), "the preview shows the change"
        assert diff["replaces"] == [], f"AWS can change {[*change]} in place"
        changed = engine.update(resource, new_inputs)
        assert_current(engine, changed)
        as_before = engine.read(replace(changed, inputs=resource.inputs)).inputs
        for name in inputs.keys() - new_inputs.keys() - {"tags", *row.unreadable.split()}:
            unset = (row.defaults.get(name), row.unset.get(name))
            assert parse_document(as_before.get(name)) in unset, f"{name} was removed"
        resource = engine.update(changed, inputs)
        assert_current(engine, resource)
    engine.delete(resource)


@pytest.mark.parametrize("type_token", LIFECYCLES)
def test_an_input_that_aws_cannot_change_replaces_the_resource(engine, existing, type_token):
    inputs = filled(LIFECYCLES[type_token].inputs, existing)
    row = ROWS[type_token]
    for change in LIFECYCLES[type_token].replacements:
        new_inputs = apply_change(inputs, change)
        old = engine.checked(type_token, "replaced", inputs)
        new = engine.checked(type_token, "replaced", new_inputs, old)
        diff = engine.diff(Resource(type_token, "replaced", "the-id", old, old), new)
        assert (diff["diffs"], diff["replaces"]) == ([*change], [*change])
        has_fixed_name = bool(row.name_pattern) and row.name_input in new_inputs
        assert diff["deleteBeforeReplace"] == has_fixed_name, "two resources cannot have one name"


def test_each_type_and_each_input_is_tried():
    tried, tried_replacements = {}, {}
    for type_token, lifecycle in LIFECYCLES.items():
        replacing = {name for change in lifecycle.replacements for name in change}
        updated = {name for change in lifecycle.updates for name in change}
        tried[type_token] = {*lifecycle.inputs, *updated, *replacing}
        tried_replacements[type_token] = replacing
    assert tried == {type_token: {*row.inputs.split()} for type_token, row in ROWS.items()}
    assert tried_replacements == {
        type_token: {*row.replacing.split()} for type_token, row in ROWS.items()
    }


@pytest.mark.parametrize("type_token", [name for name, row in ROWS.items() if row.name_pattern])
def test_a_name_is_checked_against_its_rule(engine, type_token):
    row = ROWS[type_token]

    def refusal(name):
        _, failures = engine.check(type_token, "named", {row.name_input: name})
        return failures.get(row.name_input)

    reason = f"does not match AWS's pattern {row.name_pattern}"
    longest = re.search(r"1,(\d+)}$", row.name_pattern)
    if longest:
        longest = int(longest[1])
        name = "n" * (longest + 1)
        assert refusal(name) == f"{row.name_input}: {name!r} {reason}"
    else:
        longest = row.fields[row.name_input].shape.metadata["max"]
        limit = f"{longest + 1} characters is more than AWS allows, {longest}"
        assert refusal("n" * (longest + 1)) == f"{row.name_input}: {limit}"
    assert refusal("n" * longest) is None, "the limit itself is allowed"
    assert refusal("a-name") is None, "letters and hyphens are allowed in each name"
    assert refusal("a\tname") == f"{row.name_input}: 'a\\tname' {reason}"


def test_a_permission_allows_what_it_says(aws, engine, existing):
    inputs = filled(LIFECYCLES[Type.PERMISSION].inputs, existing)
    permission = engine.create(Type.PERMISSION, "statement", inputs)
    policy_text = aws.client("lambda").get_policy(FunctionName=existing["function"])["Policy"]
    assert f'"Sid": "{permission.id}"' in policy_text
    assert inputs["sourceArn"] in policy_text
    engine.delete(permission)
