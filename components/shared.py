"""Names, errors and the context shared by the modules that create resources."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Output

from .args import RetrainingPipelineArgs
from .function_configs import FUNCTION_CONFIGS
from .rules.arns import Environment
from .rules.fields import problem_text

MAX_ROLE_NAME_CHARACTERS = 64
"""The longest name of a role or a Lambda function.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

RANDOM_SUFFIX_CHARACTERS = 8
"""How many characters Pulumi appends to the name of a resource:
https://www.pulumi.com/docs/iac/concepts/resources/names/."""


def build_function_name(pipeline: str, handler: str) -> str:
    """Build the name shared by a Lambda function, its role and its policy."""
    return f"{pipeline}-{handler.replace('_', '-')}"


MAX_NAME_CHARACTERS = (
    MAX_ROLE_NAME_CHARACTERS
    - RANDOM_SUFFIX_CHARACTERS
    - max(len(build_function_name("", handler)) for handler in FUNCTION_CONFIGS)
)
"""The longest name of a pipeline. The names of its roles begin with it."""


def name_problems(name: str) -> Iterator[str]:
    """Find out what is wrong with a pipeline's name."""
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


def job_prefix(group_arn: str) -> str:
    """Derive the prefix of a pipeline's job names, which is 8 hex digits.

    Job names must be unique in an account and region, so the prefix is a hash of the schedule
    group's ARN, which is unique, too. It isn't meant to identify jobs. That's what tags are for.
    """
    return hashlib.sha256(group_arn.encode()).hexdigest()[:8]


class InvalidPipelineError(pulumi.RunError):
    """The component's arguments are invalid. The message lists all problems.

    It's a RunError, so the Pulumi CLI shows it without a stack trace.
    """


def raise_if_any_problem(problems: Iterable[object], name: str) -> None:
    """Raise InvalidPipelineError with all of a pipeline's problems, if it has any."""
    if listed_problems := list(problems):
        raise InvalidPipelineError(
            problem_text(listed_problems, f"the retraining pipeline {name!r}")
        )


def when_known(function: Callable[..., Any], **inputs: Any) -> Output[Any]:  # noqa: ANN401
    """Call a function once all its inputs are known, and return its result as an output."""
    return Output.all(**inputs).apply(lambda values: function(**values))


@dataclass(frozen=True, kw_only=True)
class PipelineContext:
    """What every module needs to create a pipeline's resources."""

    name: str
    """The component's name. The names of all its resources begin with it."""
    args: RetrainingPipelineArgs
    component: pulumi.Resource
    """The parent of every resource."""
    environment: Output[Environment]
    """The partition, region and account. They're known once all arguments have been checked."""
    tags: Output[Mapping[str, str]]
    """The tags for every resource."""
    schedule_group: aws.scheduler.ScheduleGroup

    @property
    def unique_name(self) -> Output[str]:
        """The name shared by the schedule group, the state machine and the dashboard.

        Pulumi's random suffix makes it unique in the account and region.
        """
        return self.schedule_group.name

    @property
    def child_options(self) -> pulumi.ResourceOptions:
        """The options that make a resource a child of the component.

        They aren't derived from the component's own options, because each child would then inherit
        the component's aliases.
        """
        return pulumi.ResourceOptions(parent=self.component)
