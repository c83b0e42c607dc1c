"""What the resources of a pipeline have in common: names, tags and a parent."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from .args import RetrainingPipelineArgs
from .rules.arns import Home
from .rules.fields import problem_text
from .state_machine.steps import STEPS

MAX_ROLE_NAME_CHARACTERS = 64
"""The longest name of a role. The name of a Lambda function has the same limit.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

RANDOM_SUFFIX_CHARACTERS = 8
"""The number of characters that Pulumi appends to the name of a resource:
https://www.pulumi.com/docs/iac/concepts/resources/names/."""


def step_name(name: str, step: str) -> str:
    """Return the name of the function, the role and the policy of a step in the pipeline `name`."""
    return f"{name}-{step.replace('_', '-')}"


MAX_NAME_CHARACTERS = (
    MAX_ROLE_NAME_CHARACTERS
    - RANDOM_SUFFIX_CHARACTERS
    - max(len(step_name("", step)) for step in STEPS)
)
"""The longest name of a pipeline."""


def name_problems(name: str) -> Iterator[str]:
    """Yield a message for each reason why a pipeline cannot have this name."""
    if len(name) > MAX_NAME_CHARACTERS:
        yield (
            f"name: {name!r} is {len(name)} characters long; expected at most "
            f"{MAX_NAME_CHARACTERS}, because the names of roles and functions begin with it and "
            f"have at most {MAX_ROLE_NAME_CHARACTERS} characters; choose a shorter name"
        )

    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_-]*", name):
        yield (
            f"name: {name!r} cannot begin the name of a Lambda function; use letters, digits, - "
            "and _ after a first letter or digit, for example 'retraining-dev'"
        )


def job_prefix(group_arn: str) -> str:
    """Return the 8 hex digits with which the names of a pipeline's import jobs begin.

    They come from the ARN of the schedule group, because names of import jobs must be unique in an
    account and region. Tags show which jobs belong to the pipeline, not names.
    """
    return hashlib.sha256(group_arn.encode()).hexdigest()[:8]


class InvalidPipelineError(pulumi.RunError):
    """The arguments of the component have problems, which the message lists.

    It is a RunError because the CLI shows the message of a RunError without a stack trace.
    """


def raise_if_any_problem(messages: Iterable[str], name: str) -> None:
    """Raise InvalidPipelineError with all messages about the pipeline `name`, if there are any."""
    if problems := list(messages):
        raise InvalidPipelineError(problem_text(problems, f"the retraining pipeline {name!r}"))


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What each module needs to create its resources."""

    name: str
    """The name of the component. The names of all resources begin with it."""
    args: RetrainingPipelineArgs
    component: pulumi.Resource
    """The parent of every resource."""
    home: pulumi.Output[Home]
    """The partition, region and account, which are known once all arguments have been checked."""
    tags: pulumi.Output[Mapping[str, str]]
    """The tags of every resource."""
    group: aws.scheduler.ScheduleGroup
    """The group of the schedules. Pulumi adds a random suffix to its name, so the name is unique in
    the account and region. The state machine and the dashboard have the same name."""

    @property
    def child(self) -> pulumi.ResourceOptions:
        """The options of a resource that needs no others: it's a child of the component.

        The options of the component itself are not for its children, as Pulumi would copy aliases.
        """
        return pulumi.ResourceOptions(parent=self.component)
