"""IAM documents as the tests write them, and the ARNs that the recording engine gives."""

import hashlib

from tests.components.recording import ORGANIZATION, PROJECT, STACK
from tests.components.sample import NAME, PERSONALIZE

HOME = "eu-west-1:123456789012"
MACHINE = f"arn:aws:states:{HOME}:stateMachine:{NAME}-1234567"
EXECUTIONS = f"arn:aws:states:{HOME}:execution:{NAME}-1234567:*"
QUEUE = f"arn:aws:sqs:{HOME}:{NAME}-dead-letters-1234567"
GROUP = f"arn:aws:scheduler:{HOME}:schedule-group/{NAME}-1234567"
JOB_PREFIX = hashlib.sha256(GROUP.encode()).hexdigest()[:8]
FORMER_JOB_PREFIX = hashlib.sha256(f"{ORGANIZATION}/{PROJECT}/{STACK}/{NAME}".encode()).hexdigest()[
    :8
]
FUNCTIONS_LOGS = f"arn:aws:logs:{HOME}:log-group:{NAME}-functions-1234567"
IMPORT_JOBS = [
    f"{PERSONALIZE}:dataset-import-job/{each}-*" for each in (JOB_PREFIX, FORMER_JOB_PREFIX)
]
"""The import jobs of the pipeline. The next release removes the former names."""
ALL_IMPORT_JOBS = [f"{PERSONALIZE}:dataset-import-job/*"]


def function_arn(name):
    """Give the ARN of a function that belongs to a step, by its name with hyphens."""
    return f"arn:aws:lambda:{HOME}:function:{NAME}-{name}-1234567"


def document(*statements):
    """Give a policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions, resources, **condition):
    """Give a statement of a role's policy."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement


def trust(service, **condition):
    """Give the policy that lets a service assume a role."""
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": f"{service}.amazonaws.com"},
    }
    return document({**statement, "Condition": condition} if condition else statement)
