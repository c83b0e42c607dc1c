"""Finds the pipeline that a command examines, which need not be deployed yet."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from components.rules.arns import parse_arn
from components.workflow_settings import build_workflow_settings
from retrain.account.errors import OperatorError
from retrain.account.pulumi_cli import pulumi_command, stack_file_of
from retrain.account.stack_config import read_args
from retrain.account.target import find_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.args import RetrainingPipelineArgs
    from components.rules.arns import Environment
    from functions.contract import Settings
    from retrain.account.access import Access
    from retrain.account.target import Target

NO_PREFIX = "00000000"
"""The prefix of the jobs of a pipeline that is not deployed. It creates none."""
DEPLOYED_SETTINGS = ("prefix", "tags", "notifications")
"""The settings that get some of their values from the deployment."""


@dataclass(frozen=True)
class ExaminedPipeline:
    """A pipeline as its stack's file or its state machine describes it."""

    settings: Settings
    """The settings in the stack's file, or those of the state machine if it was named."""
    access: Access
    """The access in the region of the pipeline."""
    source: str
    """Where the settings are from, for example `Pulumi.prod.yaml`."""
    stack: str | None
    """The stack, or None if the ARN of the state machine was given."""
    args: RetrainingPipelineArgs | None = None
    """The arguments in the stack's file, or None if the settings are from the state machine."""
    target: Target | None = None
    """The deployed pipeline, or None if it was not found."""
    error: OperatorError | None = None
    """Why the deployed pipeline was not found, or None if it was found."""

    @property
    def home(self) -> Environment:
        """The partition, the account and the region of the ARNs in the settings."""
        arn = parse_arn(self.settings["datasets"][0]["datasetArn"])
        assert arn is not None, "the settings were checked"
        return arn.environment

    @property
    def is_paused(self) -> bool:
        """True if the stack's file pauses the pipeline, or if the file is not known."""
        return self.args is None or self.args.paused

    @property
    def topic_arn(self) -> str:
        """The topic of the messages. It's empty if a future deployment creates it."""
        return self.settings["notifications"]["topicArn"]

    @property
    def data_key_arn(self) -> str | None:
        """The KMS key of Personalize's data, as far as the stack's file names one."""
        return cast("str | None", self.args and self.args.data_kms_key_arn)

    @property
    def log_key_arn(self) -> str | None:
        """The KMS key of logs and messages, as far as the stack's file names one."""
        return cast("str | None", self.args and self.args.kms_key_arn)

    @property
    def has_other_settings(self) -> bool:
        """True if the deployed pipeline has other settings than the stack's file."""
        return self.target is not None and self.target.settings != self.settings

    @property
    def deploy_command(self) -> str:
        """The command that deploys the pipeline, and creates its stack if there is none yet.

        A deployed pipeline needs `--refresh`, because `pulumi up` alone compares with the state of
        the stack. So it does not notice what was deleted or changed by hand.
        """
        if self.error is None:
            return pulumi_command(self.stack, "up", "--refresh")
        return self.error.command or pulumi_command(self.stack, "up")

    def config_command(self, change: str) -> str:
        """Build the command that changes the stack's config, for example `rm paused`."""
        return f"{pulumi_command(self.stack, 'config', change)} && {self.deploy_command}"

    @property
    def options(self) -> list[str]:
        """The options that name the pipeline, as words of a command."""
        if self.target is not None:
            return self.target.options
        return ["--stack", str(self.stack), *self.access.options()]

    def command(self, *words: str) -> str:
        """Build a command of this program for the same pipeline, to be pasted into a shell."""
        return shlex.join(["retrain", *words, *self.options])


def find_pipeline(stack: str, state_machine_arn: str | None, access: Access) -> ExaminedPipeline:
    """Find the pipeline in the file of a stack, or the pipeline with this state machine.

    A stack without a file has to be deployed. Raises OperatorError if there is no pipeline.
    """
    file = stack_file_of(stack)
    if state_machine_arn or not os.path.lexists(file):
        return _find_deployed_pipeline(stack, state_machine_arn, access)

    args = read_args(stack)
    region = args.first_dataset_arn.split(":")[3]
    access = access.in_region(region, f"the stack of {file.name}")

    target = None
    error = None
    try:
        target = find_target(stack, None, access)
    except OperatorError as not_found:
        # The pipeline need not be deployed, and doctor says why it was not found.
        error = not_found

    settings = _build_settings(args, target)
    return ExaminedPipeline(settings, access, file.name, stack, args, target, error)


def _find_deployed_pipeline(
    stack: str, state_machine_arn: str | None, access: Access
) -> ExaminedPipeline:
    """Find a pipeline without its stack's file, so with the settings of its state machine."""
    target = find_target(stack, state_machine_arn, access)
    source = f"state machine {target.name}"
    return ExaminedPipeline(target.settings, target.access, source, target.stack, target=target)


def _build_settings(args: RetrainingPipelineArgs, target: Target | None) -> Settings:
    """Build the settings that a deployment of the stack's file would have."""
    # What the deployment creates is known only afterwards.
    deployed: Mapping[str, Any] = {}
    if target is not None:
        deployed = cast("Mapping[str, Any]", target.settings)

    settings = build_workflow_settings(
        args,
        job_prefix=NO_PREFIX,
        import_role_arn=args.import_role_arn or deployed.get("importRoleArn", ""),
        topic_arn=args.notifications.topic_arn or "",
        dashboard_url="",
        batch_role_arn=args.batch_role_arn or deployed.get("batchRoleArn"),
    )
    settings |= {key: deployed[key] for key in DEPLOYED_SETTINGS if key in deployed}

    # As in the definition of the state machine, there are only JSON's types.
    return cast("Settings", json.loads(json.dumps(settings)))
