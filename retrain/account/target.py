"""Finds the deployed pipeline that a command operates, and its settings."""

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
    pulumi_command,
    read_outputs,
)

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeStateMachineOutputTypeDef

    from functions.contract import Settings
    from retrain.account.access import Access

MACHINE_ARN = re.compile(
    r"arn:aws[a-z-]*:states:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):stateMachine:[^:]+"
)
FIRST_STATE = "Configure run"


class PipelineOptions(NamedTuple):
    """The options that name a pipeline, which need not be deployed."""

    stack: str
    state_machine_arn: str | None
    access: Access


@dataclass(frozen=True)
class Target:
    """A deployed pipeline, and the access to its account."""

    state_machine_arn: str
    settings: Settings
    """The settings with which the pipeline is deployed. A run that is under way may have others."""
    access: Access
    """The access in the region of the state machine."""
    stack: str | None
    """The stack, or None if the ARN of the state machine was given."""
    state_machine: DescribeStateMachineOutputTypeDef
    """The state machine as Step Functions describes it."""

    @property
    def name(self) -> str:
        """The name of the state machine."""
        return self.state_machine_arn.rpartition(":")[2]

    @property
    def options(self) -> list[str]:
        """The options that name the pipeline, as words of a command."""
        if self.stack is None:
            return ["--state-machine-arn", self.state_machine_arn, *self.access.options()]
        return ["--stack", self.stack, *self.access.options()]

    def command(self, *words: str) -> str:
        """Write a command of this program for the same pipeline, to be pasted into a shell."""
        return shlex.join(["retrain", *words, *self.options])

    @property
    def deploy_command(self) -> str:
        """The command that deploys the pipeline."""
        return pulumi_command(self.stack, "up")

    def config_command(self, key: str, value: str) -> str:
        """Write the command that changes a setting in the stack's file, and deploys it."""
        change = pulumi_command(self.stack, "config", "set", key, value)
        return f"{change} && {self.deploy_command}"


def find_target(stack: str, state_machine_arn: str | None, access: Access) -> Target:
    """Find the pipeline of a stack or a state machine. Raise OperatorError if there is none."""
    if state_machine_arn:
        return _read_target(state_machine_arn, access, stack=None)

    arn = read_outputs(stack).get("state_machine_arn")
    if not isinstance(arn, str):
        raise NotDeployedError(
            f"{describe_stack(stack)} has no output state_machine_arn, so it is not deployed; name "
            "another stack with --stack, or deploy it",
            pulumi_command(stack, "up"),
        )
    return _read_target(arn, access, stack)


def _read_target(state_machine_arn: str, access: Access, stack: str | None) -> Target:
    """Read a pipeline from its state machine. Raise OperatorError if that is not possible."""
    arn_parts = MACHINE_ARN.fullmatch(state_machine_arn)
    if arn_parts is None:
        raise OperatorError(
            f"{state_machine_arn!r} is not the ARN of a state machine; `pulumi stack output "
            "state_machine_arn --stack STACK` prints it"
        )
    access = access.in_region(arn_parts["region"], f"the state machine {state_machine_arn}")

    restore = pulumi_command(stack, "up", "--refresh")
    state_machine: DescribeStateMachineOutputTypeDef | None = read_if_exists(
        access.step_functions.describe_state_machine, stateMachineArn=state_machine_arn
    )
    if state_machine is None:
        # If the credentials are of another account, that is the reason.
        access.require_account(arn_parts["account"], state_machine_arn)
        raise OperatorError(
            f"{state_machine_arn} does not exist; name another one, or create it again", restore
        )

    settings = _find_settings(state_machine)
    if settings is None:
        raise OperatorError(
            f"{state_machine_arn} is not the state machine of a pipeline; name another one, or "
            "bring it back",
            restore,
        )
    return Target(state_machine_arn, settings, access, stack, state_machine)


def _find_settings(state_machine: DescribeStateMachineOutputTypeDef) -> Settings | None:
    """Find the settings in the first state, which another program's state machine doesn't have."""
    states = json.loads(state_machine["definition"])["States"]
    if FIRST_STATE not in states:
        return None

    settings: Settings = states[FIRST_STATE]["Parameters"]["settings"]
    return settings
