"""Proves that a refresh shows what people have changed by hand, and nothing else.

`test_provider_types.py` proves that a refresh shows no change of a resource that nobody changed.
"""

import json

import pytest
from provider_support import Type, archive, function_inputs, message, provider, schedule_inputs
from small_stack import allow, policy, trust

DEFAULT_TAGS = {"stage": "dev"}


@pytest.fixture(scope="module")
def engine(aws):
    """Yield an engine that is connected to a provider with default tags."""
    with provider(aws, defaultTags=json.dumps({"tags": DEFAULT_TAGS})) as engine:
        yield engine


@pytest.fixture(scope="module")
def roles(engine):
    """Create a role for each service that needs one. Return service -> ARN."""
    created = {
        service: engine.create(Type.ROLE, f"drift-{service}", {"assumeRolePolicy": trust(service)})
        for service in ("lambda", "scheduler")
    }
    return {service: role.outputs["arn"] for service, role in created.items()}


def drift(engine, resource):
    """Return the new values of the inputs and outputs that a refresh would change in the state.

    The code of a function is not compared.
    """
    refreshed = engine.read(resource)
    states = ((resource.inputs, refreshed.inputs), (resource.outputs, refreshed.outputs))
    return tuple(
        {
            name: after.get(name)
            for name in {*before, *after} - {"code"}
            if before.get(name) != after.get(name)
        }
        for before, after in states
    )


def corrections(engine, resource):
    """Return the inputs that the next `up` of the unchanged program would change."""
    refreshed = engine.read(resource)
    decided_by_provider = {*resource.inputs["__defaults"], "tagsAll", "__defaults"}
    declared = {
        name: value for name, value in resource.inputs.items() if name not in decided_by_provider
    }
    complete = engine.checked(resource.type, resource.name, declared, refreshed.inputs)
    return engine.diff(refreshed, complete)["diffs"]


def test_a_schedule_that_was_disabled_in_the_console_is_found_and_enabled_again(aws, engine, roles):
    group = engine.create(Type.GROUP, "drift", {})
    inputs = schedule_inputs(group.id, roles["scheduler"], state="ENABLED")
    schedule = engine.create(Type.SCHEDULE, "drift", inputs)
    scheduler = aws.client("scheduler")
    current = scheduler.get_schedule(Name=schedule.inputs["name"], GroupName=group.id)
    request = {name: current[name] for name in ("Name", "GroupName")}
    scheduler.update_schedule(
        **request,
        State="DISABLED",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={**current["Target"], "Arn": "arn:aws:states:eu-west-1:123456789012:other"},
    )
    target = {"Arn": "arn:aws:states:eu-west-1:123456789012:other", "RoleArn": roles["scheduler"]}
    changed = {"state": "DISABLED", "scheduleExpression": "rate(1 day)", "target": target}
    assert drift(engine, schedule) == (changed, changed)
    assert corrections(engine, schedule) == sorted(changed)


TRUST = {"assumeRolePolicy": trust("lambda")}
OTHER_POLICY = policy(allow("sqs:*"))
RATE = "rate(1 day)"
BY_HAND = {
    "a removed retention": (
        Type.LOG_GROUP,
        {"name": "/drift", "retentionInDays": 90},
        lambda aws: aws.client("logs").delete_retention_policy(logGroupName="/drift"),
        {"retentionInDays": None},
    ),
    "a removed description": (
        Type.RULE,
        {"name": "drift", "scheduleExpression": RATE, "description": "works"},
        lambda aws: aws.client("events").put_rule(
            Name="drift", ScheduleExpression=RATE, Description=""
        ),
        {"description": None},
    ),
    "an edited policy": (
        Type.ROLE,
        {"name": "drift", **TRUST},
        lambda aws: aws.client("iam").update_assume_role_policy(
            RoleName="drift", PolicyDocument=OTHER_POLICY
        ),
        {"assumeRolePolicy": json.loads(OTHER_POLICY)},
    ),
    "nothing, for an input that the program does not declare": (
        Type.ROLE,
        {"name": "drift-silent", **TRUST},
        lambda aws: aws.client("iam").update_role(RoleName="drift-silent", Description="by hand"),
        {},
    ),
    "nothing, for a document in another spelling": (
        Type.ROLE,
        {
            "name": "drift-spelling",
            "assumeRolePolicy": json.dumps(json.loads(trust("lambda")), indent=2),
        },
        lambda _aws: None,
        {},
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_change_by_hand_is_found(aws, engine, name):
    type_token, inputs, change, found = BY_HAND[name]
    resource = engine.create(type_token, "drift", inputs)
    change(aws)
    assert drift(engine, resource) == (found, found)
    assert corrections(engine, resource) == [*found]


def test_edited_tags_are_found(aws, engine):
    queue = engine.create(Type.QUEUE, "drift", {"tags": {"team": "ranking", "cost": "1"}})
    sqs = aws.client("sqs")
    sqs.tag_queue(QueueUrl=queue.id, Tags={"team": "search", "owner": "me"})
    sqs.untag_queue(QueueUrl=queue.id, TagKeys=["cost"])
    changed = {
        "tags": {"team": "search", "owner": "me"},
        "tagsAll": {"team": "search", "owner": "me", **DEFAULT_TAGS},
    }
    assert drift(engine, queue) == (changed, changed), "default tags are only in tagsAll"
    assert corrections(engine, queue) == ["tags", "tagsAll"]


def test_a_default_tag_that_was_removed_is_found(aws, engine):
    queue = engine.create(Type.QUEUE, "drift-default", {"tags": {"team": "ranking"}})
    aws.client("sqs").untag_queue(QueueUrl=queue.id, TagKeys=["stage"])
    changed = {"tagsAll": {"team": "ranking"}}
    assert drift(engine, queue) == (changed, changed)


def test_code_that_was_changed_in_the_console_is_found_by_its_hash(engine, roles):
    inputs = function_inputs(roles["lambda"], archive("sha-1", work="x = 1\n"))
    function = engine.create(Type.FUNCTION, "drift", inputs)
    updated = engine.update(function, inputs | {"code": archive("sha-2", work="longer = 'code'\n")})
    assert drift(engine, function) == ({}, {"codeSha256": updated.outputs["codeSha256"]}), (
        "the service does not return the archive"
    )


def test_a_log_group_whose_name_begins_another_is_read(engine):
    longer = engine.create(Type.LOG_GROUP, "drift-longer", {"name": "drift-prefix-0"})
    group = engine.create(Type.LOG_GROUP, "drift-prefix", {"name": "drift-prefix"})
    engine.delete(group)
    assert engine.read(group) is None, "the name of the other log group only begins so"
    engine.delete(longer)


def test_a_resource_that_was_deleted_by_hand_is_gone(aws, engine):
    group = engine.create(Type.LOG_GROUP, "drift-gone", {"retentionInDays": 90})
    aws.client("logs").delete_log_group(logGroupName=group.id)
    assert engine.read(group) is None
    assert message(engine.update, group, {}) == (
        "An error occurred (ResourceNotFoundException) when calling the DeleteRetentionPolicy"
        f" operation: The specified log group does not exist: {group.id}"
    )
