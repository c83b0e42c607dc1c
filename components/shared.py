"""What the modules that create resources have in common: names, errors and a context."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Output

from .args import RetrainingPipelineArgs
from .rules.arns import Environment
from .rules.fields import problem_text
from .state_machine.steps import STEPS

MAX_ROLE_NAME_CHARACTERS = 64
"""The longest name of a role. The name of a Lambda function has the same limit.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

RANDOM_SUFFIX_CHARACTERS = 8
"""How many characters Pulumi appends to the name of a resource:
https://www.pulumi.com/docs/iac/concepts/resources/names/."""


def step_name(name: str, step: str) -> str:
    """Name a step's function, role and policy. They're all called the same."""
    return f"{name}-{step.replace('_', '-')}"


MAX_NAME_CHARACTERS = (
    MAX_ROLE_NAME_CHARACTERS
    - RANDOM_SUFFIX_CHARACTERS
    - max(len(step_name("", step)) for step in STEPS)
)
"""The longest name of a pipeline, because the names of its roles begin with it."""


def name_problems(name: str) -> Iterator[str]:
    """Find the reasons why a pipeline can't have this name."""
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
    """Derive the 8 hex digits with which the names of a pipeline's jobs begin.

    Job names have to be unique in an account and region, and the schedule group's ARN is. Nobody
    recognizes a job by its name, though. That's what tags are for.
    """
    return hashlib.sha256(group_arn.encode()).hexdigest()[:8]


class InvalidPipelineError(pulumi.RunError):
    """The component's arguments have problems, which the message lists.

    It's a RunError, because the CLI shows those without a stack trace.
    """


def raise_if_any_problem(problems: Iterable[object], name: str) -> None:
    """Raise InvalidPipelineError with all problems of a pipeline, if it has any."""
    if listed_problems := list(problems):
        raise InvalidPipelineError(
            problem_text(listed_problems, f"the retraining pipeline {name!r}")
        )


def when_known(function: Callable[..., Any], **inputs: Any) -> Output[Any]:  # noqa: ANN401
    """Call a function once all inputs are known. Its result is an output as well."""
    return Output.all(**inputs).apply(lambda values: function(**values))


@dataclass(frozen=True, kw_only=True)
class PipelineContext:
    """What every module needs to know about the pipeline to create its resources."""

    name: str
    """The component's name. The names of all its resources begin with it."""
    args: RetrainingPipelineArgs
    component: pulumi.Resource
    """The parent of every resource."""
    environment: Output[Environment]
    """The partition, region and account, which are known once all arguments have been checked."""
    tags: Output[Mapping[str, str]]
    """The tags that every resource gets."""
    schedule_group: aws.scheduler.ScheduleGroup

    @property
    def unique_name(self) -> Output[str]:
        """The name of the schedule group, the state machine and the dashboard.

        It's unique in the account and region, because Pulumi adds a random suffix to it.
        """
        return self.schedule_group.name

    @property
    def child_options(self) -> pulumi.ResourceOptions:
        """The options of an ordinary resource, which make it a child of the component.

        They aren't derived from the component's own options, because then each child would get a
        copy of the component's aliases.
        """
        return pulumi.ResourceOptions(parent=self.component)
