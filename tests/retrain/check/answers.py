"""Clients of AWS with prepared answers, and an account whose services give them."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

from botocore.exceptions import ClientError

from components.alarms import ALARMS
from tests.retrain.in_process import account
from tests.world import ACCOUNT, REGION, TOPIC

NAME = "retraining"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{NAME}-0a1b2c3d"
LAMBDA = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"
CHANGED_AT = datetime(2026, 11, 27, 3, tzinfo=UTC)
"""When somebody last changed the schedules."""
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead-letters"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{NAME}"
PERSONALIZE = {"Service": "personalize.amazonaws.com"}
ALARM_SOURCE = {"ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"}}


class Client:
    """A client whose answer to an operation is a response, an error code, or a function."""

    def __init__(self, base=None, **answers):
        self.base = base
        self.answers = answers

    def __getattr__(self, operation):
        if operation not in self.answers:
            return getattr(self.base, operation)

        def call(**request):
            answer = self.answers[operation]
            answer = answer(**request) if callable(answer) else answer
            if isinstance(answer, str):
                raise ClientError({"Error": {"Code": answer}}, operation)
            return dict(answer)

        return call

    def get_paginator(self, operation):
        """Return a paginator whose only page is the answer."""
        if operation not in self.answers:
            return self.base.get_paginator(operation)
        return SimpleNamespace(paginate=lambda **request: [getattr(self, operation)(**request)])


def statement(action, resource, principal=PERSONALIZE, **changes):
    where = {"Principal": principal, "Action": action, "Resource": resource}
    return {"Effect": "Allow", **where, **changes}


def document(*statements):
    return {"Version": "2012-10-17", "Statement": [*statements]}


READ = (
    statement("s3:GetObject", "arn:aws:s3:::exports/*"),
    statement("s3:ListBucket", "arn:aws:s3:::exports"),
)
TRUST = document(statement("sts:AssumeRole", "*"))
TOPIC_POLICY = document(
    statement("sns:Publish", TOPIC, {"Service": "cloudwatch.amazonaws.com"}, Condition=ALARM_SOURCE)
)


def simulated(denied=(), **more):
    """Return how IAM simulates policies that deny these actions."""

    def answer(ActionNames, **_):  # noqa: N803  # boto3's name
        words = {True: "implicitDeny", False: "allowed"}
        return {
            "EvaluationResults": [
                {"EvalActionName": action, "EvalDecision": words[action in denied], **more}
                for action in ActionNames
            ]
        }

    return answer


def function(FunctionName, **changes):  # noqa: N803  # boto3's name
    step = FunctionName.split(":")[6]
    return {
        "State": "Active",
        "Role": f"{ROLE}-{step}",
        "Handler": f"functions.{step}.handler",
        "LoggingConfig": {"LogGroup": "functions"},
        **changes,
    }


def subscription(address, arn="arn"):
    return {"SubscriptionArn": arn, "Endpoint": address, "Protocol": "email"}


def schedule(GroupName, Name, **changes):  # noqa: N803  # boto3's names
    arn = MACHINE if Name == "runs" else f"{LAMBDA}:watch_pipeline"
    target = {"Arn": arn, "RoleArn": f"{ROLE}-schedule", "DeadLetterConfig": {"Arn": QUEUE}}
    expression = {"ScheduleExpression": "rate(7 days)", "ScheduleExpressionTimezone": "UTC"}
    fields = {"Target": target, "GroupName": GroupName, "LastModificationDate": CHANGED_AT}
    return {"State": "ENABLED", **expression, **fields, **changes}


def rule(name=f"{NAME}-close-run-0a1b2c3", machine=MACHINE, state="ENABLED"):
    pattern = json.dumps({"detail": {"stateMachineArn": [machine]}})
    return {"Name": name, "State": state, "EventPattern": pattern}


def rules(*rows):
    """Return how EventBridge lists these rules."""

    def answer(NamePrefix):  # noqa: N803  # boto3's name
        return {"Rules": [row for row in rows if row["Name"].startswith(NamePrefix)]}

    return answer


def alarm(name, **changes):
    return {
        "AlarmName": f"{NAME}-{name}-0a1b2c3",
        "StateReason": "too many",
        "Dimensions": [{"Name": "StateMachineArn", "Value": MACHINE}],
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
        "StateValue": "OK",
        **changes,
    }


@contextmanager
def healthy(group):
    """Deploy a dataset group into an account in which nothing is missing."""
    with account(group) as prod:
        prod.services = services(prod.pipeline.bucket)
        yield prod


def services(bucket):
    """Return the services of an account in which nothing is missing, by boto3's names."""
    schedules = [
        {"Name": name, "Target": schedule(NAME, name)["Target"]} for name in ("runs", "watch")
    ]
    return {
        "s3": Client(
            bucket,
            head_bucket={},
            get_bucket_policy=text(document(*READ)),
            get_bucket_notification_configuration={"ResponseMetadata": {}},
        ),
        "iam": Client(
            get_role=role(TRUST),
            simulate_principal_policy=simulated(),
            list_role_policies={"PolicyNames": []},
            list_attached_role_policies={"AttachedPolicies": []},
        ),
        "kms": Client(
            describe_key={"KeyMetadata": {"KeyState": "Enabled"}},
            get_key_policy=text(document()),
        ),
        "lambda": Client(get_function_configuration=function),
        "scheduler": Client(list_schedules={"Schedules": schedules}, get_schedule=schedule),
        "events": Client(
            list_rules=rules(rule()),
            list_targets_by_rule={"Targets": [{"Arn": f"{LAMBDA}:close_run"}]},
        ),
        "logs": Client(
            describe_metric_filters=metric_filters,
            describe_log_groups={"logGroups": [{"logGroupName": "functions"}]},
        ),
        "sqs": Client(get_queue_url={"QueueUrl": "https://sqs"}),
        "cloudwatch": Client(describe_alarms={"MetricAlarms": [alarm(row.name) for row in ALARMS]}),
        "sns": Client(
            get_topic_attributes=topic(TOPIC_POLICY),
            get_subscription_attributes={"Attributes": {}},
            list_subscriptions_by_topic={"Subscriptions": [subscription("team@example.com")]},
        ),
    }


def metric_filters(**request):
    """Answer with the filter of the functions' errors, if the request asks for its metric."""
    filters = []
    if request["metricNamespace"] == f"PersonalizeRetraining/{NAME}":
        filters.append({"logGroupName": "functions"})
    return {"metricFilters": filters}


def text(policy):
    """Return the answer that contains a policy."""
    return {"Policy": json.dumps(policy)}


def topic(policy):
    """Return the answer with the policy of a topic."""
    return {"Attributes": {"Policy": json.dumps(policy)}}


def role(trust):
    """Return the answer with the trust policy of a role."""
    return {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": trust}}
