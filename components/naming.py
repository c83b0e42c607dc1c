"""What a pipeline's resources and jobs are called. Pure."""

import hashlib
import re
from collections.abc import Iterator

from .steps import STEPS

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
    """Give what keeps a pipeline from having this name."""
    if len(name) > LONGEST_NAME:
        yield (
            f"name: {name!r} is {len(name)} characters long; at most {LONGEST_NAME} leave room for "
            f"the longest name that begins with it"
        )
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_-]*", name):
        yield (
            f"name: {name!r} is no beginning for the name of a Lambda function; expected letters, "
            f"digits, - and _, for example 'retraining-dev'"
        )


def job_prefix(organization: str, project: str, stack: str, name: str) -> str:
    """Give the 8 hex digits that the names of this pipeline's jobs begin with, for ever.

    Names of import jobs are unique per account and region: two pipelines never share a prefix.
    """
    identity = f"{organization}/{project}/{stack}/{name}"
    return hashlib.sha256(identity.encode()).hexdigest()[:8]
