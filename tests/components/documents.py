"""The IAM documents that tests expect, and the ARNs that the recording engine returns."""

import hashlib

from tests.components.recording import ORGANIZATION, PROJECT, STACK
from tests.components.sample import NAME, PERSONALIZE

COMPOSITE_ALARM = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
FUNCTION = "aws:lambda/function:Function"
INVOCATION = "aws:lambda/invocation:Invocation"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
LOG_METRIC_FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
METRIC_ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
QUEUE_TYPE = "aws:sqs/queue:Queue"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
SCHEDULE = "aws:scheduler/schedule:Schedule"
SCHEDULE_GROUP = "aws:scheduler/scheduleGroup:ScheduleGroup"
STATE_MACHINE = "aws:sfn/stateMachine:StateMachine"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
TOPIC_TYPE = "aws:sns/topic:Topic"

TAGS = {"team": "discovery", "retraining-pipeline": NAME}
"""The tags of the resources of the pipeline `deployed`."""
HOME = "eu-west-1:123456789012"
MACHINE = f"arn:aws:states:{HOME}:stateMachine:{NAME}-1234567"
EXECUTIONS = f"arn:aws:states:{HOME}:execution:{NAME}-1234567:*"
TOPIC = f"arn:aws:sns:{HOME}:{NAME}-1234567"
DASHBOARD_URL = (
    "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
    f"#dashboards/dashboard/{NAME}-1234567"
)
QUEUE = f"arn:aws:sqs:{HOME}:{NAME}-dead-letters-1234567"
GROUP = f"arn:aws:scheduler:{HOME}:schedule-group/{NAME}-1234567"
JOB_PREFIX = hashlib.sha256(GROUP.encode()).hexdigest()[:8]
FORMER_JOB_PREFIX = hashlib.sha256(f"{ORGANIZATION}/{PROJECT}/{STACK}/{NAME}".encode()).hexdigest()[
    :8
]
FUNCTIONS_LOGS = f"arn:aws:logs:{HOME}:log-group:{NAME}-functions-1234567"
IMPORT_JOBS = [
    f"{PERSONALIZE}:dataset-import-job/{prefix}-*" for prefix in (JOB_PREFIX, FORMER_JOB_PREFIX)
]
"""The import jobs of the pipeline. The next release removes the former prefix."""
ALL_IMPORT_JOBS = [f"{PERSONALIZE}:dataset-import-job/*"]


def function_arn(name):
    """Return the ARN of the function of a step. `name` is the step with hyphens."""
    return f"arn:aws:lambda:{HOME}:function:{NAME}-{name}-1234567"


def document(*statements):
    """Return a policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions, resources, **condition):
    """Return a statement of a policy."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement


def trust(service, **condition):
    """Return the trust policy of a service."""
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": f"{service}.amazonaws.com"},
    }
    return document({**statement, "Condition": condition} if condition else statement)
