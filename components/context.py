"""Defines the context that is passed to every function that creates resources."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Output

from .args import RetrainingPipelineArgs
from .rules.arns import Environment


def call_when_known(function: Callable[..., Any], **inputs: Any) -> Output[Any]:  # noqa: ANN401
    """Call a function once all its inputs are known, and return its result as an output."""
    return Output.all(**inputs).apply(lambda values: function(**values))


@dataclass(frozen=True, kw_only=True)
class PipelineContext:
    """What every function needs that creates some of a pipeline's resources."""

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
