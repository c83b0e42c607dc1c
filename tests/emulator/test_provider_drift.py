"""Proves that a refresh finds what people have changed by hand, and nothing else.

Over gRPC and against the emulator; `test_provider_rows.py` proves that nothing is found where
nothing was changed.
"""

import json

import pytest
from provider_support import (
    FUNCTION,
    GROUP,
    LOG_GROUP,
    MACHINE,
    QUEUE,
    ROLE,
    ROLE_POLICY,
    SCHEDULE,
    archive,
    message,
    provider,
)
from small_stack import allow, policy, trust

DEFAULT_TAGS = {"stage": "dev"}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def engine(aws):
    with provider(aws, defaultTags=json.dumps({"tags": DEFAULT_TAGS})) as engine:
        yield engine


@pytest.fixture(scope="module")
def roles(engine):
    services = ("lambda", "states", "scheduler")
    created = {
        service: engine.create(ROLE, f"drift-{service}", {"assumeRolePolicy": trust(service)})
        for service in services
    }
    return {service: role.outputs["arn"] for service, role in created.items()}


def drift(engine, resource):
    """Return the inputs and the outputs that a refresh would change in the state."""
    found = engine.read(resource)

    def differing(before, now):
        return {
            name: now.get(name)
            for name in {*before, *now}
            if name != "code" and before.get(name) != now.get(name)
        }

    return (
        differing(resource.inputs, found.inputs),
        differing(resource.outputs, found.outputs),
    )


def undone(engine, resource):
    """Return what the next `up` of the unchanged program would change."""
    found = engine.read(resource)
    declared = {
        name: value
        for name, value in resource.inputs.items()
        if name not in resource.inputs["__defaults"] and name not in {"tagsAll", "__defaults"}
    }
    return engine.diff(found, engine.checked(found.type, found.name, declared, found.inputs))


def test_a_schedule_that_was_disabled_in_the_console_is_found_and_enabled_again(aws, engine, roles):
    group = engine.create(GROUP, "drift", {})
    schedule = engine.create(
        SCHEDULE,
        "drift",
        {
            "groupName": group.id,
            "state": "ENABLED",
            "scheduleExpression": "cron(0 3 * * ? *)",
            "flexibleTimeWindow": {"mode": "OFF"},
            "target": {
                "arn": "arn:aws:states:eu-west-1:123456789012:stateMachine:one",
                "roleArn": roles["scheduler"],
                "input": '{"trigger": "schedule"}',
            },
        },
    )
    scheduler = aws.client("scheduler")
    now = scheduler.get_schedule(Name=schedule.inputs["name"], GroupName=group.id)
    fields = ("Name", "GroupName", "Target", "FlexibleTimeWindow")
    changed = {"State": "DISABLED", "ScheduleExpression": "rate(1 day)"}
    scheduler.update_schedule(**{name: now[name] for name in fields}, **changed)

    found = {"state": "DISABLED", "scheduleExpression": "rate(1 day)"}
    assert drift(engine, schedule) == (found, found)
    assert undone(engine, schedule)["detailedDiff"] == dict.fromkeys(found, "UPDATE")


def test_another_retention_is_found(aws, engine):
    group = engine.create(LOG_GROUP, "drift", {"retentionInDays": 90})
    aws.client("logs").delete_retention_policy(logGroupName=group.id)
    found = {"retentionInDays": 0}
    assert drift(engine, group) == (found, found)


def test_an_edited_policy_is_found(aws, engine):
    role = engine.create(ROLE, "drift-policy", {"assumeRolePolicy": trust("lambda")})
    inputs = {"role": role.id, "policy": policy(allow("s3:*"))}
    role_policy = engine.create(ROLE_POLICY, "drift", inputs)
    edited = {"policy": policy(allow("sqs:*"))}
    aws.client("iam").put_role_policy(
        RoleName=role.id, PolicyName=role_policy.inputs["name"], PolicyDocument=edited["policy"]
    )
    assert drift(engine, role_policy) == (edited, edited)


def test_an_edited_definition_is_found(aws, engine, roles):
    state = {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}
    definition = json.dumps({"StartAt": "Wait", "States": state})
    inputs = {"roleArn": roles["states"], "definition": definition}
    machine = engine.create(MACHINE, "drift", inputs)
    edited = definition.replace("1", "2")
    aws.client("stepfunctions").update_state_machine(stateMachineArn=machine.id, definition=edited)
    assert drift(engine, machine) == ({"definition": edited}, {"definition": edited})


def test_edited_tags_are_found(aws, engine):
    queue = engine.create(QUEUE, "drift", {"tags": {"team": "ranking", "cost": "1"}})
    sqs = aws.client("sqs")
    sqs.tag_queue(QueueUrl=queue.id, Tags={"team": "search", "owner": "me"})
    sqs.untag_queue(QueueUrl=queue.id, TagKeys=["cost"])
    found = {
        "tags": {"team": "search", "owner": "me"},
        "tagsAll": {"team": "search", "owner": "me", **DEFAULT_TAGS},
    }
    assert drift(engine, queue) == (found, found), "default tags are not the program's"
    assert undone(engine, queue)["detailedDiff"] == {
        "tags.cost": "ADD",
        "tags.owner": "DELETE",
        "tags.team": "UPDATE",
        "tagsAll.cost": "ADD",
        "tagsAll.owner": "DELETE",
        "tagsAll.team": "UPDATE",
    }


def test_a_tag_on_a_resource_without_tags_is_found(aws, engine):
    queue = engine.create(QUEUE, "drift-untagged", {})
    aws.client("sqs").tag_queue(QueueUrl=queue.id, Tags={"owner": "me"})
    found = {"tagsAll": {"owner": "me", **DEFAULT_TAGS}}
    assert drift(engine, queue) == (found, found), "the program has no tags that it could be in"
    assert undone(engine, queue)["detailedDiff"] == {"tagsAll.owner": "DELETE"}


def test_a_default_tag_that_was_removed_is_found(aws, engine):
    queue = engine.create(QUEUE, "drift-default", {"tags": {"team": "ranking"}})
    aws.client("sqs").untag_queue(QueueUrl=queue.id, TagKeys=["stage"])
    found = {"tagsAll": {"team": "ranking"}}
    assert drift(engine, queue) == (found, found)


def test_code_that_was_changed_in_the_console_shows_in_its_hash(engine, roles):
    code = archive("sha-1", work="def handler(*_):\n    return 1\n")
    function = engine.create(
        FUNCTION,
        "drift",
        {
            "role": roles["lambda"],
            "code": code,
            "handler": "work.handler",
            "runtime": "python3.12",
        },
    )
    other = engine.update(function, function.inputs | {"code": archive("sha-2", work="x = 1\n")})
    inputs, outputs = drift(engine, function)
    assert inputs == {}, "the service does not tell what the archive was"
    assert outputs == {
        name: other.outputs[name] for name in ("codeSha256", "lastModified", "sourceCodeSize")
    }


def test_an_input_that_is_left_to_aws_is_not_found(aws, engine):
    role = engine.create(ROLE, "drift-silent", {"assumeRolePolicy": trust("lambda")})
    aws.client("iam").update_role(RoleName=role.id, Description="by hand", MaxSessionDuration=3600)
    assert drift(engine, role) == ({}, {}), "the next `up` would not change it"


def test_a_document_keeps_the_spelling_of_the_program(engine):
    spaced = json.dumps(json.loads(trust("lambda")), indent=2)
    role = engine.create(ROLE, "drift-spelling", {"assumeRolePolicy": spaced})
    assert drift(engine, role) == ({}, {}), "it means what the service has"


def test_what_was_deleted_by_hand_is_gone(aws, engine):
    group = engine.create(LOG_GROUP, "drift-gone", {"kmsKeyId": KEY})
    aws.client("logs").delete_log_group(logGroupName=group.id)
    assert engine.read(group) is None
    assert message(engine.update, group, {}) == (
        "An error occurred (ResourceNotFoundException) when calling the DisassociateKmsKey"
        f" operation: The specified log group does not exist: {group.id}"
    )
