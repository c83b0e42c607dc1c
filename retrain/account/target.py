"""Finds the *target* of a command: a deployed pipeline and its settings.

The settings come from the state machine's definition, because the stack file may contain changes
that aren't deployed yet.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from retrain.account.access import read_if_exists
from retrain.account.errors import OperatorError
from retrain.account.pulumi_cli import (
    NotDeployedError,
    describe_stack,
    format_pulumi_command,
    read_outputs,
)

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeStateMachineOutputTypeDef

    from functions.contract import Settings
    from retrain.account.access import Access

STATE_MACHINE_ARN = re.compile(
    r"arn:aws[a-z-]*:states:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):stateMachine:[^:]+"
)
FIRST_STATE = "Configure run"
"""The state whose parameters contain the pipeline's settings."""


class PipelineOptions(NamedTuple):
    """The options that identify a pipeline, whether or not it's deployed."""

    stack: str
    state_machine_arn: str | None
    access: Access


@dataclass(frozen=True)
class Target:
    """A deployed pipeline, and how to access its account."""

    state_machine_arn: str
    settings: Settings
    """The settings of the last deployment. A run that started earlier may still use older ones."""
    access: Access
    """Always in the state machine's region."""
    stack: str | None
    """None if the operator passed the state machine's ARN instead of a stack."""
    state_machine: DescribeStateMachineOutputTypeDef
    """The response of DescribeStateMachine."""

    @property
    def name(self) -> str:
        """The name of the state machine."""
        return self.state_machine_arn.rpartition(":")[2]

    @property
    def options(self) -> list[str]:
        """The command-line options that identify this pipeline, split into words."""
        if self.stack is None:
            return ["--state-machine-arn", self.state_machine_arn, *self.access.build_options()]
        return ["--stack", self.stack, *self.access.build_options()]

    def command(self, *words: str) -> str:
        """Format a `retrain` command for this pipeline, quoted so that it can be pasted."""
        return shlex.join(["retrain", *words, *self.options])

    @property
    def deploy_command(self) -> str:
        """The Pulumi command that deploys this pipeline."""
        return format_pulumi_command(self.stack, "up")

    def config_command(self, key: str, value: str) -> str:
        """Format the shell command that changes a setting in the stack file and deploys it."""
        set_command = format_pulumi_command(self.stack, "config", "set", key, value)
        return f"{set_command} && {self.deploy_command}"


def find_target(stack: str, state_machine_arn: str | None, access: Access) -> Target:
    """Find a deployed pipeline by its stack, or by its state machine's ARN if that is given.

    Raises NotDeployedError if the stack has no pipeline, or OperatorError for any other problem.
    """
    if state_machine_arn:
        return _read_target(state_machine_arn, access, stack=None)

    arn = read_outputs(stack).get("state_machine_arn")
    if not isinstance(arn, str):
        raise NotDeployedError(
            f"{describe_stack(stack)} has no output state_machine_arn, so it is not deployed; name "
            "another stack with --stack, or deploy it",
            format_pulumi_command(stack, "up"),
        )
    return _read_target(arn, access, stack)


def _read_target(state_machine_arn: str, access: Access, stack: str | None) -> Target:
    """Describe the state machine, and extract the pipeline's settings from its definition.

    Raises OperatorError if the state machine doesn't exist, or doesn't belong to a pipeline.
    """
    arn_parts = STATE_MACHINE_ARN.fullmatch(state_machine_arn)
    if arn_parts is None:
        raise OperatorError(
            f"{state_machine_arn!r} is not the ARN of a state machine; `pulumi stack output "
            "state_machine_arn --stack STACK` prints it"
        )
    access = access.in_region(arn_parts["region"], f"the state machine {state_machine_arn}")

    restore_command = format_pulumi_command(stack, "up", "--refresh")
    state_machine: DescribeStateMachineOutputTypeDef | None = read_if_exists(
        access.step_functions.describe_state_machine, stateMachineArn=state_machine_arn
    )
    if state_machine is None:
        # Perhaps it does exist, but the credentials are for a different account.
        access.require_account(arn_parts["account"], state_machine_arn)
        raise OperatorError(
            f"{state_machine_arn} does not exist; name another one, or create it again",
            restore_command,
        )

    settings = _find_settings(state_machine)
    if settings is None:
        raise OperatorError(
            f"{state_machine_arn} is not the state machine of a pipeline; name another one, or "
            "bring it back",
            restore_command,
        )
    return Target(state_machine_arn, settings, access, stack, state_machine)


def _find_settings(state_machine: DescribeStateMachineOutputTypeDef) -> Settings | None:
    """Find the settings in the definition. Return None if this isn't a pipeline's state machine."""
    states = json.loads(state_machine["definition"])["States"]
    if FIRST_STATE not in states:
        return None

    settings: Settings = states[FIRST_STATE]["Parameters"]["settings"]
    return settings
