"""Finds the deployed pipeline that a command operates, and its settings."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from botocore.exceptions import ClientError

from retrain.account.errors import OperatorError, code_of
from retrain.account.pulumi_cli import NotDeployedError, deploy_command, stack_outputs, stack_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.contract import Settings
    from retrain.account.access import Access

MACHINE_ARN = re.compile(
    r"arn:aws[a-z-]*:states:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):stateMachine:[^:]+"
)
KEYS_OF_EVERY_RELEASE = {"prefix", "datasets", "solutions", "limits", "tags"}
"""The keys that show that settings belong to a pipeline, and not to another program."""
ARN_HINT = "`pulumi stack output state_machine_arn --stack STACK` prints it"


class MachineNotFoundError(OperatorError):
    """No state machine of a pipeline has the ARN in the outputs of a stack."""


class PipelineOptions(NamedTuple):
    """The options that name a pipeline, which need not be deployed."""

    stack: str
    state_machine_arn: str | None
    access: Access

    def words(self) -> list[str]:
        """List the options as words of a command."""
        if self.state_machine_arn:
            return ["--state-machine-arn", self.state_machine_arn, *self.access.options()]
        return ["--stack", self.stack, *self.access.options()]


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

    @property
    def name(self) -> str:
        """The name of the state machine."""
        return self.state_machine_arn.rpartition(":")[2]

    @property
    def options(self) -> list[str]:
        """The options that name the pipeline, as words of a command."""
        arn = None if self.stack else self.state_machine_arn
        return PipelineOptions(self.stack or "", arn, self.access).words()

    def command(self, *words: str) -> str:
        """Write a command of this program for the same pipeline, to be pasted into a shell."""
        return shlex.join(["retrain", *words, *self.options])

    @property
    def deploy_command(self) -> str:
        """The command that deploys the pipeline."""
        return deploy_command(self.stack) if self.stack else "pulumi up"

    def config_command(self, key: str, value: str) -> str:
        """Write the command that changes a setting in the stack's file, and deploys it."""
        stack = f" --stack {self.stack}" if self.stack else ""
        return f"pulumi config set {key} {value}{stack} && {self.deploy_command}"


def find_target(stack: str, state_machine_arn: str | None, access: Access) -> Target:
    """Find the pipeline of a stack or a state machine. Raise OperatorError if there is none."""
    if state_machine_arn:
        deploy = "pulumi up"
        arn: object = state_machine_arn
    else:
        deploy = deploy_command(stack)
        arn = stack_outputs(stack).get("state_machine_arn")

    if not isinstance(arn, str):
        raise NotDeployedError(
            f"{stack_text(stack)} has no output state_machine_arn, so it is not deployed; name "
            "another stack with --stack, or deploy it",
            deploy,
        )
    match = MACHINE_ARN.fullmatch(arn)
    if match is None:
        raise OperatorError(f"{arn!r} is not the ARN of a state machine; {ARN_HINT}")

    access = access.in_region(match["region"], f"the state machine {arn}")
    restore_command = f"pulumi up --refresh{deploy.removeprefix('pulumi up')}"
    definition = _read_definition(arn, match["account"], access, restore_command)
    settings = _find_settings(definition)
    if settings is None:
        problem = f"{arn} is not the state machine of a pipeline"
        if state_machine_arn:
            raise MachineNotFoundError(f"{problem}; {ARN_HINT}")
        raise MachineNotFoundError(f"{problem}; bring it back", restore_command)

    return Target(arn, settings, access, None if state_machine_arn else stack)


def _read_definition(
    arn: str, account: str, access: Access, restore_command: str
) -> dict[str, Any]:
    """Read the definition of a state machine. Raise OperatorError if it doesn't exist."""
    try:
        machine = access.step_functions.describe_state_machine(stateMachineArn=arn)
    except ClientError as error:
        if code_of(error) != "StateMachineDoesNotExist":
            raise
        # If the credentials are of another account, that is the reason.
        access.require_account(account, arn)
        raise MachineNotFoundError(
            f"{arn} does not exist; name another one, or create it again", restore_command
        ) from error

    definition: dict[str, Any] = json.loads(machine["definition"])
    return definition


def _find_settings(definition: Mapping[str, Any]) -> Settings | None:
    """Find the pipeline's settings in its first state. Another program's definition has none."""
    parameters = definition["States"][definition["StartAt"]].get("Parameters")
    if not isinstance(parameters, dict):
        return None

    settings = parameters.get("settings")
    if not isinstance(settings, dict) or not settings.keys() >= KEYS_OF_EVERY_RELEASE:
        return None
    return cast("Settings", settings)
