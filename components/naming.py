"""What a pipeline's resources and jobs are called. Pure."""

import hashlib
import re
from collections.abc import Iterator

from .state_machine.steps import STEPS

LONGEST_ROLE_NAME = 64
"""Characters; a Lambda function's name has as many at most.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

AUTO_NAMING = 8
"""Characters that Pulumi appends: https://www.pulumi.com/docs/iac/concepts/resources/names/."""


def step_name(name: str, step: str) -> str:
    """Name the function, the role and the policy of a step in the pipeline `name`."""
    return f"{name}-{step.replace('_', '-')}"


LONGEST_NAME = LONGEST_ROLE_NAME - AUTO_NAMING - max(len(step_name("", step)) for step in STEPS)
"""Characters of a pipeline's name."""


def problems(name: str) -> Iterator[str]:
    """Yield a message for each reason why a pipeline cannot have this name."""
    if len(name) > LONGEST_NAME:
        yield (
            f"name: {name!r} is {len(name)} characters long; expected at most {LONGEST_NAME}, "
            f"since the names of roles and functions begin with it and end at {LONGEST_ROLE_NAME} "
            f"characters; choose a shorter one"
        )
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_-]*", name):
        yield (
            f"name: {name!r} is no beginning for the name of a Lambda function; expected letters, "
            f"digits, - and _, for example 'retraining-dev'"
        )


def job_prefix(group_arn: str) -> str:
    """Return the 8 hex digits that the names of a pipeline's jobs begin with.

    The names of import jobs are unique per account and region, and so is the ARN of the pipeline's
    schedule group. The tags of a job, and not its name, tell whether a pipeline created it.
    """
    return _digits(group_arn)


def former_job_prefix(organization: str, project: str, stack: str, name: str) -> str:
    """Return the 8 hex digits that the names of jobs began with in the release before this one.

    A run that is under way while its stack is upgraded finishes under these names. Remove this
    function in the next release.
    """
    return _digits(f"{organization}/{project}/{stack}/{name}")


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
