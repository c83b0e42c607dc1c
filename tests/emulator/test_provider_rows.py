"""Proves that the provider creates, reads, updates, replaces and deletes each resource type.

The calls go over gRPC to the emulator. What the real provider does is cited in the table.
"""

import json
import re
from typing import NamedTuple

import pytest
from provider_support import (
    COMPOSITE_ALARM,
    DASHBOARD,
    FUNCTION,
    GROUP,
    INVOCATION,
    LOG_GROUP,
    MACHINE,
    METRIC_ALARM,
    METRIC_FILTER,
    PERMISSION,
    QUEUE,
    ROLE,
    ROLE_POLICY,
    RULE,
    SCHEDULE,
    SUBSCRIPTION,
    TARGET,
    TOPIC,
    TOPIC_POLICY,
    Resource,
    archive,
    function_inputs,
    provider,
    short_struct,
)
from small_stack import ACCOUNT, REGION, allow, policy, trust, waiting

from emulator.deployer import wire
from emulator.deployer.resources import ROWS

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
SECOND_KEY = KEY.replace("1111", "6666", 1)
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:one"


def policy_arn(name):
    """Return the ARN of a managed policy."""
    return f"arn:aws:iam::{ACCOUNT}:policy/{name}"


def machine_arn(name):
    """Return the ARN of a state machine."""
    return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"


FIRST_CODE, SECOND_CODE = (
    archive(f"sha-{number}", work=f"def handler(*_):\n    return {number}\n") for number in (1, 2)
)


class Lifecycle(NamedTuple):
    """The inputs of a resource and changes of them.

    An input that becomes None is removed. `[role]` stands for a value of the fixture `existing`.
    """

    inputs: dict
    updates: list[dict]
    """The changes that AWS can make in place."""
    replacements: list[dict]
    """The changes of one input each that need a new resource."""


LIFECYCLES = {
    ROLE: Lifecycle(
        {
            "assumeRolePolicy": trust("lambda"),
            "description": "works",
            "maxSessionDuration": 7200,
            "permissionsBoundary": policy_arn("one"),
            "tags": {"team": "ranking", "cost": "1"},
        },
        updates=[
            {"assumeRolePolicy": trust("states")},
            {"description": "rests"},
            {"description": None},
            {"maxSessionDuration": None},
            {"permissionsBoundary": policy_arn("two")},
            {"permissionsBoundary": None},
            {"tags": {"team": "search"}},
        ],
        replacements=[{"path": "/other/"}, {"name": "mine"}],
    ),
    ROLE_POLICY: Lifecycle(
        {"role": "[role]", "policy": policy(allow("s3:GetObject"))},
        updates=[{"policy": policy(allow("s3:PutObject"))}],
        replacements=[{"role": "other"}, {"name": "mine"}],
    ),
    FUNCTION: Lifecycle(
        function_inputs(
            "[roleArn]",
            FIRST_CODE,
            architectures=["arm64"],
            publish=True,
            description="works",
            timeout=60,
            memorySize=256,
            environment={"variables": {"MODE": "fast"}},
            loggingConfig={"logFormat": "JSON", "applicationLogLevel": "INFO"},
            tracingConfig={"mode": "Active"},
            kmsKeyArn=KEY,
            reservedConcurrentExecutions=3,
            tags={"team": "ranking"},
        ),
        updates=[
            {"code": SECOND_CODE},
            {"description": None},
            {"handler": "work.other"},
            {"runtime": "python3.13"},
            {"architectures": ["x86_64"]},
            {"timeout": None, "memorySize": 512},
            {"environment": {"variables": {"MODE": "slow"}}},
            {"environment": None},
            {"loggingConfig": {"logFormat": "Text"}},
            {"tracingConfig": {"mode": "PassThrough"}},
            {"kmsKeyArn": None},
            {"role": "[otherRoleArn]"},
            {"reservedConcurrentExecutions": 5},
            {"reservedConcurrentExecutions": None},
            {"publish": None},
            {"tags": None},
        ],
        replacements=[{"name": "mine"}],
    ),
    INVOCATION: Lifecycle(
        {"functionName": "[function]", "input": json.dumps({"n": 1})},
        updates=[],
        replacements=[
            {"functionName": "other"},
            {"input": json.dumps({"n": 2})},
            {"qualifier": "1"},
        ],
    ),
    PERMISSION: Lifecycle(
        {
            "function": "[function]",
            "action": "lambda:InvokeFunction",
            "principal": "events.amazonaws.com",
            "sourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/changes",
            "sourceAccount": ACCOUNT,
        },
        updates=[],
        replacements=[
            {"principal": "s3.amazonaws.com"},
            {"sourceArn": None},
            {"sourceAccount": None},
            {"action": "lambda:GetFunction"},
            {"function": "other"},
            {"qualifier": "1"},
            {"statementId": "mine"},
        ],
    ),
    MACHINE: Lifecycle(
        {
            "roleArn": "[statesRoleArn]",
            "definition": json.dumps(waiting(1)),
            "loggingConfiguration": {
                "level": "ERROR",
                "includeExecutionData": False,
                "logDestination": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/one:*",
            },
            "tracingConfiguration": {"enabled": True},
            "encryptionConfiguration": {
                "type": "CUSTOMER_MANAGED_KMS_KEY",
                "kmsKeyId": KEY,
                "kmsDataKeyReusePeriodSeconds": 300,
            },
            "tags": {"team": "ranking"},
        },
        updates=[
            {"definition": json.dumps(waiting(2))},
            {"roleArn": "[otherStatesRoleArn]"},
            {"loggingConfiguration": {"level": "OFF"}},
            {"tracingConfiguration": {"enabled": False}},
            {"encryptionConfiguration": {"type": "AWS_OWNED_KEY"}},
            {"tags": {"team": "search", "cost": "1"}},
        ],
        replacements=[{"type": "EXPRESS"}, {"name": "mine"}],
    ),
    GROUP: Lifecycle(
        {"tags": {"team": "ranking", "cost": "1", "owner": "me"}},
        updates=[{"tags": {"owner": "you"}}],
        replacements=[{"name": "mine"}],
    ),
    SCHEDULE: Lifecycle(
        {
            "groupName": "[group]",
            "description": "every night",
            "scheduleExpression": "cron(0 3 * * ? *)",
            "scheduleExpressionTimezone": "Europe/Berlin",
            "state": "DISABLED",
            "flexibleTimeWindow": {"mode": "FLEXIBLE", "maximumWindowInMinutes": 5},
            "target": {
                "arn": machine_arn("one"),
                "roleArn": "[schedulerRoleArn]",
                "input": "{}",
                "retryPolicy": {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 9},
                "deadLetterConfig": {"arn": QUEUE_ARN},
            },
            "kmsKeyArn": KEY,
        },
        updates=[
            {"description": None},
            {"scheduleExpression": "rate(7 days)"},
            {"scheduleExpressionTimezone": None},
            {"state": None},
            {"flexibleTimeWindow": {"mode": "OFF"}},
            {"kmsKeyArn": SECOND_KEY},
            {"target": {"arn": machine_arn("two"), "roleArn": "[schedulerRoleArn]"}},
        ],
        replacements=[{"groupName": "other"}, {"name": "mine"}],
    ),
    RULE: Lifecycle(
        {
            "description": "status changes",
            "eventPattern": json.dumps({"source": ["aws.states"]}),
            "state": "ENABLED",
            "tags": {"team": "ranking", "cost": "1"},
        },
        updates=[
            {"description": None},
            {"eventPattern": json.dumps({"source": ["aws.s3"]})},
            {"state": "DISABLED"},
            {"roleArn": "[roleArn]"},
            {"tags": {"team": "search"}},
        ],
        replacements=[{"eventBusName": "other"}, {"name": "mine"}],
    ),
    TARGET: Lifecycle(
        {
            "rule": "[rule]",
            "arn": "[functionArn]",
            "inputTransformer": {
                "inputPaths": {"arn": "$.detail.executionArn"},
                "inputTemplate": "<arn>",
            },
            "retryPolicy": {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 4},
            "deadLetterConfig": {"arn": QUEUE_ARN},
        },
        updates=[
            {"arn": QUEUE_ARN},
            {"inputTransformer": None, "input": '{"a": 1}'},
            {"retryPolicy": {"maximumRetryAttempts": 5}},
            {"deadLetterConfig": None},
        ],
        replacements=[{"rule": "other"}, {"eventBusName": "other"}, {"targetId": "mine"}],
    ),
    LOG_GROUP: Lifecycle(
        {"retentionInDays": 90, "kmsKeyId": KEY, "tags": {"team": "ranking", "cost": "1"}},
        updates=[
            {"retentionInDays": 30},
            {"retentionInDays": None},
            {"kmsKeyId": SECOND_KEY},
            {"kmsKeyId": None},
            {"tags": {"team": "search"}},
        ],
        replacements=[{"logGroupClass": "INFREQUENT_ACCESS"}, {"name": "/mine"}],
    ),
    QUEUE: Lifecycle(
        {
            "messageRetentionSeconds": 1209600,
            "visibilityTimeoutSeconds": 45,
            "sqsManagedSseEnabled": True,
            "tags": {"team": "ranking", "cost": "1"},
        },
        updates=[
            {"messageRetentionSeconds": 600},
            {"messageRetentionSeconds": None},
            {"visibilityTimeoutSeconds": None},
            {"sqsManagedSseEnabled": None, "kmsMasterKeyId": KEY},
            {"tags": {"team": "search"}},
        ],
        replacements=[{"name": "mine"}],
    ),
    TOPIC: Lifecycle(
        {"displayName": "Reports", "kmsMasterKeyId": KEY, "tags": {"team": "ranking"}},
        updates=[
            {"displayName": "Alarms"},
            {"displayName": None},
            {"kmsMasterKeyId": None},
            {"tags": {"team": "search"}},
        ],
        replacements=[{"name": "mine"}],
    ),
    TOPIC_POLICY: Lifecycle(
        {"arn": "[topicArn]", "policy": policy(allow("sns:Publish"))},
        updates=[{"policy": policy(allow("sns:Subscribe"))}],
        replacements=[{"arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:other"}],
    ),
    METRIC_ALARM: Lifecycle(
        {
            "alarmActions": ["[topicArn]"],
            "alarmDescription": "A run failed.",
            "comparisonOperator": "GreaterThanOrEqualToThreshold",
            "evaluationPeriods": 3,
            "datapointsToAlarm": 2,
            "threshold": 1,
            "metricName": "ExecutionsFailed",
            "namespace": "AWS/States",
            "dimensions": {"StateMachineArn": machine_arn("one")},
            "statistic": "Sum",
            "period": 300,
            "treatMissingData": "notBreaching",
            "tags": {"team": "ranking", "cost": "1"},
        },
        updates=[
            {"alarmActions": None, "okActions": ["[topicArn]"]},
            {"alarmDescription": None},
            {"threshold": 2, "period": 60},
            {"datapointsToAlarm": None},
            {"treatMissingData": None},
            {"dimensions": {"StateMachineArn": machine_arn("two")}},
            {"actionsEnabled": False},
            {"warmUpConfiguration": {"warmUpPeriodDurationInMinutes": 90}},
            {"tags": {"team": "search"}},
            {
                "metricName": None,
                "namespace": None,
                "dimensions": None,
                "statistic": None,
                "period": None,
                "metricQueries": [
                    {"id": "age", "expression": "FILL(m1, 100000)", "returnData": True},
                    {
                        "id": "m1",
                        "metric": {
                            "namespace": "Sample",
                            "metricName": "AgeHours",
                            "dimensions": {"Pipeline": "one"},
                            "period": 3600,
                            "stat": "Maximum",
                        },
                    },
                ],
            },
        ],
        replacements=[{"name": "mine"}],
    ),
    COMPOSITE_ALARM: Lifecycle(
        {
            "alarmName": "unhealthy",
            "alarmRule": "ALARM([alarm])",
            "alarmDescription": "The pipeline is unhealthy.",
            "okActions": ["[topicArn]"],
            "tags": {"team": "ranking"},
        },
        updates=[
            {"alarmRule": "ALARM([alarm]) OR OK([alarm])"},
            {"alarmDescription": None, "okActions": None},
            {"tags": {"team": "search"}},
        ],
        replacements=[{"alarmName": "mine"}, {"actionsEnabled": False}],
    ),
    DASHBOARD: Lifecycle(
        {"dashboardName": "sample", "dashboardBody": json.dumps({"widgets": []})},
        updates=[{"dashboardBody": json.dumps({"widgets": [], "start": "-P28D"})}],
        replacements=[{"dashboardName": "mine"}],
    ),
    METRIC_FILTER: Lifecycle(
        {
            "logGroupName": "[logGroup]",
            "pattern": '{ $.level = "ERROR" }',
            "metricTransformation": {"name": "Errors", "namespace": "Sample", "value": "1"},
        },
        updates=[
            {"pattern": '{ $.level = "WARN" }'},
            {
                "metricTransformation": {
                    "name": "Errors",
                    "namespace": "Sample",
                    "value": "$.count",
                    "unit": "Count",
                }
            },
        ],
        replacements=[{"logGroupName": "other"}, {"name": "mine"}],
    ),
    SUBSCRIPTION: Lifecycle(
        {
            "topic": "[topicArn]",
            "protocol": "sqs",
            "endpoint": QUEUE_ARN,
            "filterPolicy": json.dumps({"outcome": ["FAILED"]}),
            "rawMessageDelivery": True,
        },
        updates=[
            {"filterPolicy": json.dumps({"outcome": ["DEPLOYED"]})},
            {"filterPolicy": None},
            {"rawMessageDelivery": None},
        ],
        replacements=[
            {"topic": "other"},
            {"protocol": "lambda"},
            {"endpoint": QUEUE_ARN.replace(":one", ":two")},
        ],
    ),
}


@pytest.fixture(scope="module")
def engine(aws):
    """Yield an engine that is connected to a provider for the emulator."""
    with provider(aws) as engine:
        yield engine


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
        role = engine.create(ROLE, name, {"assumeRolePolicy": trust(service)})
        engine.create(ROLE_POLICY, name, {"role": role.id, "policy": policy(allow("logs:*"))})
        values |= {key: role.id, f"{key}Arn": role.outputs["arn"]}
    inputs = function_inputs(values["roleArn"], FIRST_CODE)
    function = engine.create(FUNCTION, "lifecycle", inputs)
    return {
        **values,
        "function": function.id,
        "functionArn": function.outputs["arn"],
        "group": engine.create(GROUP, "lifecycle", {}).id,
        "rule": engine.create(RULE, "lifecycle", {"scheduleExpression": "rate(1 day)"}).id,
        "topicArn": engine.create(TOPIC, "lifecycle", {}).id,
        "logGroup": engine.create(LOG_GROUP, "lifecycle", {}).id,
        "alarm": engine.create(METRIC_ALARM, "lifecycle", ALARM).id,
    }


ALARM = {
    "comparisonOperator": "GreaterThanOrEqualToThreshold",
    "evaluationPeriods": 1,
    "threshold": 1,
    "metricName": "Errors",
    "namespace": "Sample",
    "statistic": "Sum",
    "period": 60,
}
"""The inputs of an alarm that a composite alarm can name."""


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


def test_each_type_has_a_lifecycle_here():
    assert LIFECYCLES.keys() == ROWS.keys()


@pytest.mark.parametrize("type_token", LIFECYCLES)
def test_a_preview_shows_each_output_that_the_resource_will_have(engine, existing, type_token):
    inputs = filled(LIFECYCLES[type_token].inputs, existing)
    previewed = engine.preview_create(type_token, "previewed", inputs)
    resource = engine.create(type_token, "previewed", inputs)
    engine.delete(resource)
    assert previewed.keys() == resource.outputs.keys()


@pytest.mark.parametrize("type_token", LIFECYCLES)
def test_a_resource_is_read_as_it_was_created_and_can_be_deleted(engine, existing, type_token):
    resource = engine.create(type_token, "created", filled(LIFECYCLES[type_token].inputs, existing))
    try:
        refreshed = engine.read(resource)
        assert refreshed.inputs == as_sent(resource.inputs), "the service has every input"
        assert refreshed.outputs == as_sent(resource.outputs), "a refresh shows no change"
    finally:
        engine.delete(resource)
    if type_token not in (TOPIC_POLICY, INVOCATION):  # A topic always has a policy.
        assert engine.read(resource) is None, "it does not exist any more"
    engine.delete(resource)  # A resource that does not exist is no error.


def as_sent(properties):
    """Return properties as the engine sends them to Read, without the content of archives."""
    return wire.from_struct(short_struct(properties))


UPDATES = [
    pytest.param(
        type_token, change, id=f"{type_token.rpartition(':')[2]}-{'-'.join(change)}-{place}"
    )
    for type_token, lifecycle in LIFECYCLES.items()
    for place, change in enumerate(lifecycle.updates)
]


@pytest.mark.parametrize(("type_token", "change"), UPDATES)
def test_an_update_in_place_sets_what_has_changed(engine, existing, type_token, change):
    inputs = filled(LIFECYCLES[type_token].inputs, existing)
    resource = engine.create(type_token, "changed", inputs)
    try:
        new_inputs = apply_change(inputs, filled(change, existing))
        diff = engine.diff(
            resource, engine.checked(type_token, "changed", new_inputs, resource.inputs)
        )
        all_tags = ["tagsAll"] if "tags" in change else []
        assert diff["diffs"] == sorted([*change, *all_tags]), "the preview shows the change"
        assert diff["replaces"] == [], "AWS can make the change in place"
        resource = engine.update(resource, new_inputs)
        refreshed = engine.read(resource)
        assert refreshed.inputs == as_sent(resource.inputs), "the service has the new values"
        assert refreshed.outputs == as_sent(resource.outputs), "a refresh shows no change"
    finally:
        engine.delete(resource)


REPLACEMENTS = [
    pytest.param(type_token, change, id=f"{type_token.rpartition(':')[2]}-{next(iter(change))}")
    for type_token, lifecycle in LIFECYCLES.items()
    for change in lifecycle.replacements
]


@pytest.mark.parametrize(("type_token", "change"), REPLACEMENTS)
def test_an_input_that_aws_cannot_change_replaces_the_resource(
    engine, existing, type_token, change
):
    inputs = filled(LIFECYCLES[type_token].inputs, existing)
    old = engine.checked(type_token, "replaced", inputs)
    new = engine.checked(type_token, "replaced", apply_change(inputs, change), old)
    diff = engine.diff(Resource(type_token, "replaced", "the-id", old, old), new)
    assert (diff["diffs"], diff["replaces"]) == ([*change], [*change])
    assert set(diff["detailedDiff"].values()) <= {
        "ADD_REPLACE",
        "DELETE_REPLACE",
        "UPDATE_REPLACE",
    }, "each detail says that it replaces"
    row = ROWS[type_token]
    is_named = row.name_input in apply_change(inputs, change)
    has_fixed_name = row.name_rule is not None and is_named
    assert diff["deleteBeforeReplace"] == has_fixed_name, "two resources cannot have one name"


def test_each_replacing_input_is_tried():
    tried = {
        type_token: {name for change in lifecycle.replacements for name in change}
        for type_token, lifecycle in LIFECYCLES.items()
    }
    assert tried == {type_token: row.replacing_inputs for type_token, row in ROWS.items()}
