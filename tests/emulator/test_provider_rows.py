"""Proves the life of each resource type: created, read, updated in place, replaced, deleted.

Over gRPC and against the emulator; what the real provider does is in the rows' sources.
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
    RULE,
    SCHEDULE,
    Resource,
    allow,
    archive,
    elided,
    provider,
    raw,
    trust,
)

from emulator.deployer import wire
from emulator.deployer.resources import ROWS

ACCOUNT, REGION = "123456789012", "eu-west-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
OTHER_KEY = KEY.replace("1111", "6666", 1)
TARGET = "aws:cloudwatch/eventTarget:EventTarget"
PERMISSION = "aws:lambda/permission:Permission"
QUEUE_POLICY = "aws:sqs/queuePolicy:QueuePolicy"
TOPIC = "aws:sns/topic:Topic"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"


def policy_arn(name):
    return f"arn:aws:iam::{ACCOUNT}:policy/{name}"


def waiting(seconds):
    state = {"Type": "Wait", "Seconds": seconds, "End": True}
    return json.dumps({"StartAt": "Wait", "States": {"Wait": state}})


FIRST, SECOND = (archive(f"sha-{n}", work=f"def handler(*_):\n    return {n}\n") for n in (1, 2))

LIVES = {
    ROLE: (
        {
            "assumeRolePolicy": trust("lambda"),
            "description": "works",
            "maxSessionDuration": 7200,
            "permissionsBoundary": policy_arn("one"),
            "managedPolicyArns": [policy_arn("one"), policy_arn("two")],
            "tags": {"team": "ranking", "cost": "1"},
        },
        [
            ({"assumeRolePolicy": trust("states")}, ["assumeRolePolicy"]),
            ({"description": "rests"}, ["description"]),
            ({"description": None}, ["description"]),
            ({"maxSessionDuration": None}, ["maxSessionDuration"]),
            ({"permissionsBoundary": policy_arn("two")}, ["permissionsBoundary"]),
            ({"permissionsBoundary": None}, ["permissionsBoundary"]),
            ({"managedPolicyArns": [policy_arn("two")]}, ["managedPolicyArns"]),
            ({"managedPolicyArns": None}, ["managedPolicyArns"]),
            ({"tags": {"team": "search"}}, ["tags", "tagsAll"]),
        ],
        [
            {"path": "/other/"},
            {"name": "mine"},
        ],
    ),
    ROLE_POLICY: (
        {"role": "{role}", "policy": allow("s3:GetObject")},
        [
            ({"policy": allow("s3:PutObject")}, ["policy"]),
        ],
        [
            {"role": "other"},
            {"name": "mine"},
        ],
    ),
    FUNCTION: (
        {
            "role": "{roleArn}",
            "code": FIRST,
            "handler": "work.handler",
            "runtime": "python3.12",
            "architectures": ["arm64"],
            "publish": True,
            "description": "works",
            "timeout": 60,
            "memorySize": 256,
            "environment": {"variables": {"MODE": "fast"}},
            "loggingConfig": {"logFormat": "JSON", "applicationLogLevel": "INFO"},
            "tracingConfig": {"mode": "Active"},
            "kmsKeyArn": KEY,
            "reservedConcurrentExecutions": 3,
            "tags": {"team": "ranking"},
        },
        [
            ({"code": SECOND}, ["code"]),
            ({"description": None}, ["description"]),
            ({"handler": "work.other"}, ["handler"]),
            ({"runtime": "python3.13"}, ["runtime"]),
            ({"architectures": ["x86_64"]}, ["architectures"]),
            ({"timeout": None, "memorySize": 512}, ["memorySize", "timeout"]),
            ({"environment": {"variables": {"MODE": "slow"}}}, ["environment"]),
            ({"environment": None}, ["environment"]),
            ({"loggingConfig": {"logFormat": "Text"}}, ["loggingConfig"]),
            ({"tracingConfig": {"mode": "PassThrough"}}, ["tracingConfig"]),
            ({"kmsKeyArn": None}, ["kmsKeyArn"]),
            ({"role": "{otherRoleArn}"}, ["role"]),
            ({"reservedConcurrentExecutions": 5}, ["reservedConcurrentExecutions"]),
            ({"reservedConcurrentExecutions": None}, ["reservedConcurrentExecutions"]),
            ({"publish": None}, ["publish"]),
            ({"tags": None}, ["tags", "tagsAll"]),
        ],
        [
            {"name": "mine"},
        ],
    ),
    PERMISSION: (
        {
            "function": "{function}",
            "action": "lambda:InvokeFunction",
            "principal": "events.amazonaws.com",
            "sourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/changes",
            "sourceAccount": ACCOUNT,
        },
        [],
        [
            {"principal": "s3.amazonaws.com"},
            {"sourceArn": None},
            {"sourceAccount": None},
            {"action": "lambda:GetFunction"},
            {"function": "other"},
            {"qualifier": "1"},
            {"statementId": "mine"},
        ],
    ),
    MACHINE: (
        {
            "roleArn": "{statesRoleArn}",
            "definition": waiting(1),
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
        [
            ({"definition": waiting(2)}, ["definition"]),
            ({"roleArn": "{otherStatesRoleArn}"}, ["roleArn"]),
            ({"loggingConfiguration": {"level": "OFF"}}, ["loggingConfiguration"]),
            ({"tracingConfiguration": {"enabled": False}}, ["tracingConfiguration"]),
            (
                {"encryptionConfiguration": {"type": "AWS_OWNED_KEY"}},
                ["encryptionConfiguration"],
            ),
            ({"tags": {"team": "search", "cost": "1"}}, ["tags", "tagsAll"]),
        ],
        [
            {"type": "EXPRESS"},
            {"name": "mine"},
        ],
    ),
    GROUP: (
        {"tags": {"team": "ranking", "cost": "1", "owner": "me"}},
        [
            ({"tags": {"owner": "you"}}, ["tags", "tagsAll"]),
        ],
        [
            {"name": "mine"},
        ],
    ),
    SCHEDULE: (
        {
            "groupName": "{group}",
            "description": "every night",
            "scheduleExpression": "cron(0 3 * * ? *)",
            "scheduleExpressionTimezone": "Europe/Berlin",
            "state": "DISABLED",
            "startDate": "2099-01-01T00:00:00Z",
            "flexibleTimeWindow": {"mode": "FLEXIBLE", "maximumWindowInMinutes": 5},
            "target": {
                "arn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:one",
                "roleArn": "{schedulerRoleArn}",
                "input": "{{}}",
                "retryPolicy": {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 9},
                "deadLetterConfig": {"arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:one"},
            },
            "kmsKeyArn": KEY,
        },
        [
            ({"description": None}, ["description"]),
            ({"scheduleExpression": "rate(7 days)"}, ["scheduleExpression"]),
            ({"scheduleExpressionTimezone": None}, ["scheduleExpressionTimezone"]),
            ({"state": None}, ["state"]),
            ({"startDate": None}, ["startDate"]),
            ({"flexibleTimeWindow": {"mode": "OFF"}}, ["flexibleTimeWindow"]),
            ({"kmsKeyArn": OTHER_KEY}, ["kmsKeyArn"]),
            (
                {
                    "target": {
                        "arn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:two",
                        "roleArn": "{schedulerRoleArn}",
                    }
                },
                ["target"],
            ),
        ],
        [
            {"groupName": "other"},
            {"name": "mine"},
        ],
    ),
    RULE: (
        {
            "description": "status changes",
            "eventPattern": json.dumps({"source": ["aws.states"]}),
            "state": "ENABLED",
            "tags": {"team": "ranking", "cost": "1"},
        },
        [
            ({"description": None}, ["description"]),
            ({"eventPattern": json.dumps({"source": ["aws.s3"]})}, ["eventPattern"]),
            ({"state": "DISABLED"}, ["state"]),
            ({"roleArn": "{roleArn}"}, ["roleArn"]),
            ({"tags": {"team": "search"}}, ["tags", "tagsAll"]),
        ],
        [
            {"eventBusName": "other"},
            {"name": "mine"},
        ],
    ),
    TARGET: (
        {
            "rule": "{rule}",
            "arn": "{functionArn}",
            "inputTransformer": {
                "inputPaths": {"arn": "$.detail.executionArn"},
                "inputTemplate": "<arn>",
            },
            "retryPolicy": {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 4},
            "deadLetterConfig": {"arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:one"},
        },
        [
            ({"arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:one"}, ["arn"]),
            (
                {"inputTransformer": None, "input": '{{"a": 1}}'},
                ["input", "inputTransformer"],
            ),
            ({"retryPolicy": {"maximumRetryAttempts": 5}}, ["retryPolicy"]),
            ({"deadLetterConfig": None}, ["deadLetterConfig"]),
        ],
        [
            {"rule": "other"},
            {"eventBusName": "other"},
            {"targetId": "mine"},
        ],
    ),
    LOG_GROUP: (
        {"retentionInDays": 90, "kmsKeyId": KEY, "tags": {"team": "ranking", "cost": "1"}},
        [
            ({"retentionInDays": 30}, ["retentionInDays"]),
            ({"retentionInDays": None}, ["retentionInDays"]),
            ({"kmsKeyId": OTHER_KEY}, ["kmsKeyId"]),
            ({"kmsKeyId": None}, ["kmsKeyId"]),
            ({"tags": {"team": "search"}}, ["tags", "tagsAll"]),
        ],
        [
            {"logGroupClass": "INFREQUENT_ACCESS"},
            {"name": "/mine"},
        ],
    ),
    QUEUE: (
        {
            "messageRetentionSeconds": 1209600,
            "visibilityTimeoutSeconds": 45,
            "sqsManagedSseEnabled": True,
            "tags": {"team": "ranking", "cost": "1"},
        },
        [
            ({"messageRetentionSeconds": 600}, ["messageRetentionSeconds"]),
            ({"messageRetentionSeconds": None}, ["messageRetentionSeconds"]),
            ({"visibilityTimeoutSeconds": None}, ["visibilityTimeoutSeconds"]),
            (
                {"sqsManagedSseEnabled": None, "kmsMasterKeyId": KEY},
                ["kmsMasterKeyId", "sqsManagedSseEnabled"],
            ),
            ({"tags": {"team": "search"}}, ["tags", "tagsAll"]),
        ],
        [
            {"name": "mine"},
        ],
    ),
    QUEUE_POLICY: (
        {"queueUrl": "{queueUrl}", "policy": allow("sqs:SendMessage", Principal="*")},
        [
            ({"policy": allow("sqs:ReceiveMessage", Principal="*")}, ["policy"]),
        ],
        [
            {"queueUrl": "https://other"},
        ],
    ),
    TOPIC: (
        {"displayName": "Reports", "kmsMasterKeyId": KEY, "tags": {"team": "a", "cost": "1"}},
        [
            ({"displayName": "News"}, ["displayName"]),
            ({"displayName": None}, ["displayName"]),
            ({"kmsMasterKeyId": None}, ["kmsMasterKeyId"]),
            ({"tags": {"team": "b"}}, ["tags", "tagsAll"]),
        ],
        [
            {"name": "mine"},
        ],
    ),
    TOPIC_POLICY: (
        {"arn": "{topicArn}", "policy": allow("sns:Publish", Principal="*")},
        [
            ({"policy": allow("sns:Subscribe", Principal="*")}, ["policy"]),
        ],
        [
            {"arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:other"},
        ],
    ),
    SUBSCRIPTION: (
        {
            "topic": "{topicArn}",
            "protocol": "sqs",
            "endpoint": "{queueArn}",
            "filterPolicy": json.dumps({"outcome": ["FAILED"]}),
            "rawMessageDelivery": True,
        },
        [
            ({"filterPolicy": json.dumps({"outcome": ["DEPLOYED"]})}, ["filterPolicy"]),
            ({"filterPolicy": None}, ["filterPolicy"]),
            ({"rawMessageDelivery": None}, ["rawMessageDelivery"]),
        ],
        [
            {"endpoint": "a@example.com"},
            {"protocol": "email"},
            {"topic": "other"},
        ],
    ),
    ALARM: (
        {
            "alarmDescription": "a run failed",
            "namespace": "AWS/States",
            "metricName": "ExecutionsFailed",
            "dimensions": {"StateMachineArn": "one"},
            "statistic": "Sum",
            "period": 3600,
            "evaluationPeriods": 3,
            "datapointsToAlarm": 2,
            "threshold": 8.5,
            "comparisonOperator": "GreaterThanOrEqualToThreshold",
            "treatMissingData": "notBreaching",
            "alarmActions": ["{topicArn}"],
            "tags": {"team": "ranking", "cost": "1"},
        },
        [
            ({"threshold": 2}, ["threshold"]),
            ({"alarmDescription": None}, ["alarmDescription"]),
            ({"dimensions": {"StateMachineArn": "two"}}, ["dimensions"]),
            ({"treatMissingData": None}, ["treatMissingData"]),
            ({"datapointsToAlarm": None}, ["datapointsToAlarm"]),
            (
                {"alarmActions": None, "actionsEnabled": False},
                ["actionsEnabled", "alarmActions"],
            ),
            ({"tags": {"team": "search"}}, ["tags", "tagsAll"]),
        ],
        [
            {"name": "mine"},
        ],
    ),
    DASHBOARD: (
        {"dashboardName": "overview", "dashboardBody": json.dumps({"widgets": []})},
        [
            (
                {"dashboardBody": json.dumps({"widgets": [], "start": "-P7D"})},
                ["dashboardBody"],
            ),
        ],
        [
            {"dashboardName": "mine"},
        ],
    ),
}
"""Type -> its inputs, its changes in place with the names that Diff answers, and its changes of one
input that replace the resource. An input that becomes None is removed. The fixture `existing` fills
in {role}, {function} and so on."""


@pytest.fixture(scope="module")
def engine(aws):
    with provider(aws) as engine:
        yield engine


@pytest.fixture(scope="module")
def existing(aws, engine):
    """Create the resources that the inputs of LIVES name. Return their ids, ARNs and URLs."""
    for name in ("one", "two"):
        document = allow("*")
        aws.client("iam").create_policy(PolicyName=name, PolicyDocument=document)
    roles = {
        "role": ("lambda", "lives"),
        "otherRole": ("lambda", "lives-other"),
        "statesRole": ("states", "lives-states"),
        "otherStatesRole": ("states", "lives-states-other"),
        "schedulerRole": ("scheduler", "lives-scheduler"),
    }
    found = {}
    for key, (service, name) in roles.items():
        role = engine.create(ROLE, name, {"assumeRolePolicy": trust(service)})
        grant = {"role": role.id, "policy": allow("logs:*")}
        engine.create(ROLE_POLICY, name, grant)
        found |= {key: role.id, f"{key}Arn": role.outputs["arn"]}
    function = engine.create(
        FUNCTION,
        "lives",
        {
            "role": found["roleArn"],
            "code": FIRST,
            "handler": "work.handler",
            "runtime": "python3.12",
        },
    )
    queue = engine.create(QUEUE, "lives", {})
    return {
        **found,
        "function": function.id,
        "functionArn": function.outputs["arn"],
        "group": engine.create(GROUP, "lives", {}).id,
        "rule": engine.create(RULE, "lives", {"scheduleExpression": "rate(1 day)"}).id,
        "queueUrl": queue.id,
        "queueArn": queue.outputs["arn"],
        "topicArn": engine.create(TOPIC, "lives", {}).id,
    }


def filled(value, existing):
    """Return a value with the existing resources filled in."""
    if isinstance(value, str) and "{" in value and not value.startswith('{"'):
        return value.format(**existing)
    if isinstance(value, dict):
        return {key: filled(item, existing) for key, item in value.items()}
    return [filled(item, existing) for item in value] if isinstance(value, list) else value


def changed(inputs, change):
    return {key: value for key, value in (inputs | change).items() if value is not None}


def test_each_type_has_a_life_here():
    assert LIVES.keys() == ROWS.keys()


@pytest.mark.parametrize("kind", LIVES)
def test_a_resource_is_read_as_it_was_made_and_deleted(engine, existing, kind):
    inputs = filled(LIVES[kind][0], existing)
    resource = engine.create(kind, "made", inputs)
    try:
        found = engine.read(resource)
        assert found.inputs == kept(resource.inputs), "a refresh finds what was asked for"
        assert found.outputs == kept(resource.outputs), "a refresh finds what was made"
    finally:
        engine.delete(resource)
    if kind != TOPIC_POLICY:  # a topic always has one
        assert engine.read(resource) is None, "it is gone"
    engine.delete(resource)  # what is gone already is no error


def kept(properties):
    """Return properties as the engine sends them to Read, without the content of archives."""
    return wire.properties(wire.structure(elided(raw(properties))))


STEPS = [
    pytest.param(kind, change, names, id=f"{kind.rpartition(':')[2]}-{'-'.join(names)}-{place}")
    for kind, (_, changes, _) in LIVES.items()
    for place, (change, names) in enumerate(changes)
]


@pytest.mark.parametrize(("kind", "change", "names"), STEPS)
def test_an_update_in_place_sets_what_has_changed(engine, existing, kind, change, names):
    inputs = filled(LIVES[kind][0], existing)
    resource = engine.create(kind, "changed", inputs)
    try:
        new = changed(inputs, filled(change, existing))
        answer = engine.diff(resource, engine.checked(kind, "changed", new, resource.inputs))
        assert answer["diffs"] == names, "what the preview shows"
        assert answer["replaces"] == [], "AWS can change it"
        updated = resource = engine.update(resource, new)
        found = engine.read(updated)
        assert found.inputs == kept(updated.inputs), "the service has the new values"
        assert found.outputs == kept(updated.outputs), "and a refresh finds no other"
    finally:
        engine.delete(resource)


REPLACING = [
    pytest.param(kind, change, id=f"{kind.rpartition(':')[2]}-{next(iter(change))}")
    for kind, (_, _, changes) in LIVES.items()
    for change in changes
]


@pytest.mark.parametrize(("kind", "change"), REPLACING)
def test_an_input_that_aws_cannot_change_replaces_the_resource(engine, existing, kind, change):
    inputs = filled(LIVES[kind][0], existing)
    row = ROWS[kind]
    old = engine.checked(kind, "replaced", inputs)
    new = engine.checked(kind, "replaced", changed(inputs, change), old)
    answer = engine.diff(Resource(kind, "replaced", "the-id", old, old), new)
    assert (answer["diffs"], answer["replaces"]) == ([*change], [*change])
    assert set(answer["detailedDiff"].values()) <= {
        "ADD_REPLACE",
        "DELETE_REPLACE",
        "UPDATE_REPLACE",
    }, "each detail says that it replaces"
    named = row.name is not None and row.name_input in changed(inputs, change)
    assert answer["deleteBeforeReplace"] == named, "only a name of the program's own is in the way"


def test_each_replacing_input_is_tried():
    tried = {kind: {next(iter(c)) for c in changes} for kind, (_, _, changes) in LIVES.items()}
    assert tried == {kind: row.replaces for kind, row in ROWS.items()}
