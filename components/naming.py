"""Names a pipeline's resources, and checks that AWS accepts the names."""

import hashlib
import re
from collections.abc import Iterator

from .function_configs import FUNCTION_CONFIGS

MAX_ROLE_NAME_CHARACTERS = 64
"""The longest name of a role or a Lambda function.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

RANDOM_SUFFIX_CHARACTERS = 8
"""How many characters Pulumi appends to the name of a resource:
https://www.pulumi.com/docs/iac/concepts/resources/names/."""


def build_function_name(pipeline_name: str, module: str) -> str:
    """Build the name shared by a Lambda function, its role and its policy."""
    return f"{pipeline_name}-{module.replace('_', '-')}"


MAX_NAME_CHARACTERS = (
    MAX_ROLE_NAME_CHARACTERS
    - RANDOM_SUFFIX_CHARACTERS
    - max(len(build_function_name("", module)) for module in FUNCTION_CONFIGS)
)
"""The longest name of a pipeline. The names of its roles begin with it."""


def check_name(name: str) -> Iterator[str]:
    """Yield what is wrong with a pipeline's name."""
    if len(name) > MAX_NAME_CHARACTERS:
        yield (
            f"name: {name!r} is {len(name)} characters long; choose one of at most "
            f"{MAX_NAME_CHARACTERS}, because the names of roles and functions begin with it and "
            f"have at most {MAX_ROLE_NAME_CHARACTERS} characters"
        )

    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_-]*", name):
        yield (
            f"name: {name!r} cannot begin the name of a Lambda function; start with a letter or "
            "digit, and use only letters, digits, - and _, for example 'retraining-dev'"
        )


def derive_job_prefix(schedule_group_arn: str) -> str:
    """Derive the prefix of a pipeline's job names, which is 8 hex digits.

    Job names must be unique in an account and region. The ARN of the pipeline's schedule group is
    unique, too, so the prefix is a hash of it.
    """
    digest = hashlib.sha256(schedule_group_arn.encode())
    return digest.hexdigest()[:8]
