"""The names of a pipeline's resources and jobs."""

import hashlib
import re
from collections.abc import Iterator

from .state_machine.steps import STEPS

MAX_ROLE_NAME_CHARACTERS = 64
"""The most characters of a role's name. The name of a Lambda function has the same limit.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

RANDOM_SUFFIX_CHARACTERS = 8
"""The number of characters that Pulumi appends to the name of a resource:
https://www.pulumi.com/docs/iac/concepts/resources/names/."""


def step_name(name: str, step: str) -> str:
    """Return the name of the function, the role and the policy of a step in the pipeline `name`."""
    return f"{name}-{step.replace('_', '-')}"


LONGEST_NAME = (
    MAX_ROLE_NAME_CHARACTERS
    - RANDOM_SUFFIX_CHARACTERS
    - max(len(step_name("", step)) for step in STEPS)
)
"""The most characters of a pipeline's name."""


def problems(name: str) -> Iterator[str]:
    """Yield a message for each reason why a pipeline cannot have this name."""
    if len(name) > LONGEST_NAME:
        yield (
            f"name: {name!r} is {len(name)} characters long; expected at most {LONGEST_NAME}, "
            f"because the names of roles and functions begin with it and have at most "
            f"{MAX_ROLE_NAME_CHARACTERS} characters; choose a shorter name"
        )
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_-]*", name):
        yield (
            f"name: {name!r} cannot begin the name of a Lambda function; expected letters, "
            f"digits, - and _, for example 'retraining-dev'"
        )


def job_prefix(group_arn: str) -> str:
    """Return the 8 hex digits with which the names of a pipeline's import jobs begin.

    The names of import jobs are unique per account and region, and so is the ARN of the pipeline's
    schedule group. The tags of a job, and not its name, tell which pipeline created it.
    """
    return _short_hash(group_arn)


def former_job_prefix(organization: str, project: str, stack: str, name: str) -> str:
    """Return the 8 hex digits with which the names of jobs began in the release before this one.

    A run that is in progress while its stack is upgraded finishes with these names. Remove this
    function in the next release.
    """
    return _short_hash(f"{organization}/{project}/{stack}/{name}")


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
