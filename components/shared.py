"""What the resources of a pipeline have in common."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

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
    unique_name: pulumi.Output[str]
    """The name of the schedule group, which no other pipeline of the account and region has.

    The state machine and the dashboard have the same name.
    """
