"""What the resources of a pipeline have in common."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from .args import RetrainingPipelineArgs
from .rules.arns import Home


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What each module needs to create its resources of a pipeline."""

    name: str
    """The name of the component, with which the name of every resource begins."""
    args: RetrainingPipelineArgs
    component: pulumi.Resource
    """The parent of every resource."""
    home: pulumi.Output[Home]
    """The partition, region and account. They are known once all arguments have been checked."""
    tags: pulumi.Output[Mapping[str, str]]
    """The tags of every resource."""
    group: aws.scheduler.ScheduleGroup
    """The group of the schedules. Pulumi adds a random suffix to its name, so no other pipeline of
    the account and region has it. The state machine and the dashboard have the same name."""
