"""The table of the resource types: the inputs of a resource of each type, and changes of them.

`test_provider_types.py` creates, reads, updates, replaces and deletes them.
"""

import json
from typing import NamedTuple

from provider_support import archive, function_inputs
from small_stack import ACCOUNT, REGION, allow, policy, trust, waiting

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
ALARM = {
    "comparisonOperator": "GreaterThanOrEqualToThreshold",
    "evaluationPeriods": 1,
    "threshold": 1,
    "metricName": "ExecutionsFailed",
    "namespace": "AWS/States",
    "statistic": "Sum",
    "period": 300,
}
"""The inputs of an alarm about one metric."""


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
    "aws:iam/role:Role": Lifecycle(
        {
            "assumeRolePolicy": trust("lambda"),
            "permissionsBoundary": policy_arn("one"),
            "tags": {"team": "ranking", "cost": "1"},
        },
        updates=[
            {"assumeRolePolicy": trust("states")},
            {"permissionsBoundary": policy_arn("two")},
            {"permissionsBoundary": None},
            {"tags": {"team": "search"}},
        ],
        replacements=[{"name": "mine"}],
    ),
    "aws:iam/rolePolicy:RolePolicy": Lifecycle(
        {"role": "[role]", "policy": policy(allow("s3:GetObject"))},
        updates=[{"policy": policy(allow("s3:PutObject"))}],
        replacements=[{"role": "other"}, {"name": "mine"}],
    ),
    "aws:lambda/function:Function": Lifecycle(
        function_inputs(
            "[roleArn]",
            FIRST_CODE,
            architectures=["arm64"],
            publish=True,
            timeout=60,
            memorySize=256,
            environment={"variables": {"MODE": "fast"}},
            loggingConfig={"logFormat": "JSON", "applicationLogLevel": "INFO"},
            tracingConfig={"mode": "Active"},
            tags={"team": "ranking"},
        ),
        updates=[
            {"code": SECOND_CODE},
            {"handler": "work.other"},
            {"runtime": "python3.13"},
            {"architectures": ["x86_64"]},
            {"timeout": None, "memorySize": 512},
            {"environment": {"variables": {"MODE": "slow"}}},
            {"environment": None},
            {"loggingConfig": {"logFormat": "Text"}},
            {"tracingConfig": {"mode": "PassThrough"}},
            {"role": "[otherRoleArn]"},
            {"publish": None},
            {"tags": None},
        ],
        replacements=[{"name": "mine"}],
    ),
    "aws:lambda/permission:Permission": Lifecycle(
        {
            "function": "[function]",
            "action": "lambda:InvokeFunction",
            "principal": "events.amazonaws.com",
            "sourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/changes",
        },
        updates=[],
        replacements=[
            {"principal": "s3.amazonaws.com"},
            {"sourceArn": None},
            {"action": "lambda:GetFunction"},
            {"function": "other"},
            {"statementId": "mine"},
        ],
    ),
    "aws:sfn/stateMachine:StateMachine": Lifecycle(
        {
            "roleArn": "[statesRoleArn]",
            "definition": json.dumps(waiting(1)),
            "loggingConfiguration": {
                "level": "ERROR",
                "includeExecutionData": False,
                "logDestination": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/one:*",
            },
            "tracingConfiguration": {"enabled": True},
            "tags": {"team": "ranking"},
        },
        updates=[
            {"definition": json.dumps(waiting(2))},
            {"roleArn": "[otherStatesRoleArn]"},
            {"loggingConfiguration": {"level": "OFF"}},
            {"tracingConfiguration": {"enabled": False}},
            {"tags": {"team": "search", "cost": "1"}},
        ],
        replacements=[{"type": "EXPRESS"}, {"name": "mine"}],
    ),
    "aws:scheduler/scheduleGroup:ScheduleGroup": Lifecycle(
        {"tags": {"team": "ranking", "cost": "1", "owner": "me"}},
        updates=[{"tags": {"owner": "you"}}],
        replacements=[{"name": "mine"}],
    ),
    "aws:scheduler/schedule:Schedule": Lifecycle(
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
        },
        updates=[
            {"description": None},
            {"scheduleExpression": "rate(7 days)"},
            {"scheduleExpressionTimezone": None},
            {"state": None},
            {"flexibleTimeWindow": {"mode": "OFF"}},
            {"target": {"arn": machine_arn("two"), "roleArn": "[schedulerRoleArn]"}},
        ],
        replacements=[{"groupName": "other"}, {"name": "mine"}],
    ),
    "aws:cloudwatch/eventRule:EventRule": Lifecycle(
        {
            "description": "status changes",
            "eventPattern": json.dumps({"source": ["aws.states"]}),
            "state": "ENABLED",
            "tags": {"team": "ranking", "cost": "1"},
        },
        updates=[
            {"description": None},
            {"eventPattern": json.dumps({"source": ["aws.s3"]})},
            {"scheduleExpression": "rate(1 day)"},
            {"state": "DISABLED"},
            {"tags": {"team": "search"}},
        ],
        replacements=[{"name": "mine"}],
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Lifecycle(
        {
            "rule": "[rule]",
            "arn": "[functionArn]",
            "inputTransformer": {
                "inputPaths": {"arn": "$.detail.executionArn"},
                "inputTemplate": "<arn>",
            },
        },
        updates=[{"arn": QUEUE_ARN}, {"inputTransformer": None, "input": '{"a": 1}'}],
        replacements=[{"rule": "other"}, {"targetId": "mine"}],
    ),
    "aws:cloudwatch/logGroup:LogGroup": Lifecycle(
        {"retentionInDays": 90, "kmsKeyId": KEY, "tags": {"team": "ranking", "cost": "1"}},
        updates=[
            {"retentionInDays": 30},
            {"retentionInDays": None},
            {"kmsKeyId": SECOND_KEY},
            {"kmsKeyId": None},
            {"tags": {"team": "search"}},
        ],
        replacements=[{"name": "/mine"}],
    ),
    "aws:sqs/queue:Queue": Lifecycle(
        {
            "messageRetentionSeconds": 1209600,
            "sqsManagedSseEnabled": True,
            "tags": {"team": "ranking", "cost": "1"},
        },
        updates=[
            {"messageRetentionSeconds": 600},
            {"messageRetentionSeconds": None},
            {"sqsManagedSseEnabled": None, "kmsMasterKeyId": KEY},
            {"tags": {"team": "search"}},
        ],
        replacements=[{"name": "mine"}],
    ),
    "aws:sns/topic:Topic": Lifecycle(
        {"displayName": "Reports", "kmsMasterKeyId": KEY, "tags": {"team": "ranking"}},
        updates=[
            {"displayName": "Alarms"},
            {"displayName": None},
            {"kmsMasterKeyId": None},
            {"tags": {"team": "search"}},
        ],
        replacements=[{"name": "mine"}],
    ),
    "aws:sns/topicPolicy:TopicPolicy": Lifecycle(
        {"arn": "[topicArn]", "policy": policy(allow("sns:Publish"))},
        updates=[{"policy": policy(allow("sns:Subscribe"))}],
        replacements=[{"arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:other"}],
    ),
    "aws:sns/topicSubscription:TopicSubscription": Lifecycle(
        {"topic": "[topicArn]", "protocol": "sqs", "endpoint": QUEUE_ARN},
        updates=[],
        replacements=[
            {"topic": "other"},
            {"protocol": "lambda"},
            {"endpoint": QUEUE_ARN.replace(":one", ":two")},
        ],
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Lifecycle(
        {
            "alarmActions": ["[topicArn]"],
            "alarmDescription": "A run failed.",
            **ALARM,
            "dimensions": {"StateMachineArn": machine_arn("one")},
            "treatMissingData": "notBreaching",
            "tags": {"team": "ranking", "cost": "1"},
        },
        updates=[
            {"alarmActions": None, "okActions": ["[topicArn]"]},
            {"alarmDescription": None},
            {"threshold": 2, "period": 60},
            {"comparisonOperator": "LessThanThreshold", "evaluationPeriods": 3},
            {"treatMissingData": None},
            {"dimensions": {"StateMachineArn": machine_arn("two")}},
            {"warmUpConfiguration": {"warmUpPeriodDurationInMinutes": 90}},
            {"tags": {"team": "search"}},
        ],
        replacements=[{"name": "mine"}],
    ),
    "aws:cloudwatch/dashboard:Dashboard": Lifecycle(
        {"dashboardName": "sample", "dashboardBody": json.dumps({"widgets": []})},
        updates=[{"dashboardBody": json.dumps({"widgets": [], "start": "-P28D"})}],
        replacements=[{"dashboardName": "mine"}],
    ),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": Lifecycle(
        {
            "logGroupName": "[logGroup]",
            "pattern": '{ $.level = "ERROR" }',
            "metricTransformation": {"name": "Errors", "namespace": "Sample", "value": "1"},
        },
        updates=[
            {"pattern": '{ $.level = "WARN" }'},
            {"metricTransformation": {"name": "Users", "namespace": "Sample", "value": "$.count"}},
        ],
        replacements=[{"logGroupName": "other"}, {"name": "mine"}],
    ),
}
