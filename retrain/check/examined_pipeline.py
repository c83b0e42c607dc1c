"""Finds the pipeline that a command examines, whether it's deployed or not.

The *target* is the deployed pipeline. If there's no target, all we know is the stack's file.
"""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from components.rules.arns import parse_arn
from components.workflow_settings import build_workflow_settings
from functions.common import clock
from functions.planning.plan_run import read_view
from functions.run.execution_data import identify_run
from retrain.account.errors import OperatorError
from retrain.account.function_clients import redirect_function_clients
from retrain.account.option_words import build_placeholder_execution
from retrain.account.pulumi_cli import build_stack_file_path, format_pulumi_command
from retrain.account.stack_config import read_args
from retrain.account.target import find_target
from retrain.check.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.args import RetrainingPipelineArgs
    from components.rules.arns import Environment
    from functions.contract import RunRequest, Settings
    from functions.planning.plan_run import RunView
    from retrain.account.access import Access
    from retrain.account.target import Target

PLACEHOLDER_PREFIX = "00000000"
"""Stands in for the job prefix, which a pipeline only gets when it's deployed."""
DEPLOYED_SETTINGS = ("prefix", "tags", "notifications")
"""The settings that are only complete after a deployment, such as the topic's ARN."""


@dataclass(frozen=True)
class ExaminedPipeline:
    """A pipeline, with settings from its stack's file or from its deployed state machine."""

    settings: Settings
    access: Access
    """The AWS credentials, in the pipeline's region."""
    source: str
    """Where the settings come from, for example `Pulumi.prod.yaml`."""
    stack: str | None
    """The name of the stack, or None if the command was given the state machine's ARN instead."""
    args: RetrainingPipelineArgs | None = None
    """The component's arguments from the stack's file, or None if the settings come from the state
    machine."""
    target: Target | None = None
    """The deployed pipeline, or None if it wasn't found."""
    lookup_error: OperatorError | None = None
    """Why the deployed pipeline wasn't found, or None if it was."""

    @property
    def environment(self) -> Environment:
        """The pipeline's partition, account and region, which are part of all its ARNs."""
        # If Personalize trains all solutions, a stack may have no datasets.
        arns = [
            *(dataset["datasetArn"] for dataset in self.settings["datasets"]),
            *(solution["solutionArn"] for solution in self.settings["solutions"]),
        ]
        arn = parse_arn(arns[0])
        assert arn is not None, "the settings were checked"
        return arn.environment

    @property
    def topic_arn(self) -> str:
        """The ARN of the SNS topic for messages. It's empty if the topic is yet to be created."""
        return self.settings["notifications"]["topicArn"]

    @property
    def has_own_topic(self) -> bool:
        """True if the stack's file names an existing topic, which a deployment doesn't change."""
        return self.args is not None and self.args.notifications.topic_arn is not None

    @property
    def data_key_arn(self) -> str | None:
        """The KMS key of exports, and of batch jobs that don't name another one, or None."""
        return self.settings["dataKmsKeyArn"]

    @property
    def batch_key_arns(self) -> set[str]:
        """The KMS keys of the inputs and results of batch jobs."""
        keys = {
            job["kmsKeyArn"] or self.data_key_arn
            for solution in self.settings["solutions"]
            for job in solution["batchJobs"]
        }
        return {key_arn for key_arn in keys if key_arn is not None}

    @property
    def log_key_arn(self) -> str | None:
        """The KMS key of logs and messages, if the stack's file names one."""
        return cast("str | None", self.args and self.args.kms_key_arn)

    @property
    def key_arns(self) -> list[str]:
        """All the KMS keys that services and roles use."""
        key_arns = {self.data_key_arn, self.log_key_arn, *self.batch_key_arns}
        return sorted(key_arn for key_arn in key_arns if key_arn is not None)

    @property
    def has_other_settings(self) -> bool:
        """True if the deployed settings differ from those in the stack's file."""
        return self.target is not None and self.target.settings != self.settings

    @property
    def deploy_command(self) -> str:
        """The command that deploys the pipeline, and creates its stack if necessary.

        For a deployed pipeline, the command includes `--refresh`. Otherwise, Pulumi wouldn't notice
        what was deleted or changed by hand, because it would only read the stack's state.
        """
        if self.lookup_error is None:
            return format_pulumi_command(self.stack, "up", "--refresh")
        return self.lookup_error.command or format_pulumi_command(self.stack, "up")

    def config_command(self, change: str) -> str:
        """Build the command that changes the stack's config and deploys the change.

        `change` contains the words after `pulumi config`, for example `rm paused`.
        """
        return f"{format_pulumi_command(self.stack, 'config', change)} && {self.deploy_command}"

    @property
    def options(self) -> list[str]:
        """The command-line options that select the pipeline."""
        if self.target is not None:
            return self.target.options
        return ["--stack", str(self.stack), *self.access.build_options()]

    def command(self, *words: str) -> str:
        """Build a `retrain` command for this pipeline that can be pasted into a shell."""
        return shlex.join(["retrain", *words, *self.options])

    def report_resource(
        self, name: str, *, is_ok: bool, problem: str = "does not exist"
    ) -> Finding:
        """Build a finding for a resource: ok, or with a problem that a deployment would solve.

        `problem` comes after the name in the finding's text.
        """
        if is_ok:
            return Finding("ok", name)
        return Finding("missing", f"{name} {problem}", self.deploy_command)

    def client(self, service: str) -> Any:  # noqa: ANN401  # as in Access
        """Create a boto3 client in the pipeline's region."""
        return self.access.client(service)

    @cached_property
    def run_view(self) -> RunView:
        """What a run would read in order to plan its work, if it started now.

        If some of today's daily exports don't exist yet, we read those of yesterday instead.
        """
        today_view = self._read_run_view({})
        daily_datasets = [
            dataset for dataset in today_view.datasets if dataset.dataset_settings["day"]
        ]
        if all(dataset.export.objects for dataset in daily_datasets):
            return today_view

        # With `exportDate`, the guards against old and small exports would stay silent, because a
        # person uses it to request an old export on purpose. So request the `day` instead.
        yesterday = clock.now().date() - timedelta(days=1)
        return self._read_run_view({"day": yesterday.isoformat()})

    def _read_run_view(self, request: RunRequest) -> RunView:
        """Read what the plan function would read in a run with this request."""
        run = identify_run(build_placeholder_execution(request))
        with redirect_function_clients(self.access) as client:
            return read_view(client, self.settings, run)


def find_pipeline(stack: str, state_machine_arn: str | None, access: Access) -> ExaminedPipeline:
    """Find a pipeline by its stack, or by its state machine's ARN if one is given.

    If the stack has no file in this folder, the pipeline must be deployed.

    Raises:
        OperatorError: the pipeline wasn't found, or its stack's file is invalid.
    """
    stack_file = build_stack_file_path(stack)
    if state_machine_arn or not os.path.lexists(stack_file):
        target = find_target(stack, state_machine_arn, access)
        source = f"state machine {target.name}"
        return ExaminedPipeline(target.settings, target.access, source, target.stack, target=target)
    return _find_pipeline_of_file(stack, stack_file.name, access)


def _find_pipeline_of_file(stack: str, file_name: str, access: Access) -> ExaminedPipeline:
    """Find the pipeline of a stack that has a file, whether it's deployed or not."""
    args = read_args(stack)
    access = access.in_region(args.first_arn.region, f"the stack of {file_name}")

    try:
        target = find_target(stack, None, access)
    except OperatorError as error:
        # The pipeline may just not be deployed yet, which isn't a problem for every command.
        settings = _build_settings(args, {})
        return ExaminedPipeline(settings, access, file_name, stack, args, lookup_error=error)

    settings = _build_settings(args, cast("Mapping[str, Any]", target.settings))
    return ExaminedPipeline(settings, access, file_name, stack, args, target)


def _build_settings(args: RetrainingPipelineArgs, deployed: Mapping[str, Any]) -> Settings:
    """Build the settings that the pipeline would have if the stack's file were deployed now.

    Values that only a deployment can create, such as the topic's ARN, come from the deployed
    settings, which are empty before the first deployment.
    """
    settings = build_workflow_settings(
        args,
        job_prefix=PLACEHOLDER_PREFIX,
        import_role_arn=args.import_role_arn or deployed.get("importRoleArn", ""),
        topic_arn=args.notifications.topic_arn or "",
        dashboard_url="",
        batch_role_arn=args.batch_role_arn or deployed.get("batchRoleArn"),
    )
    settings |= {key: deployed[key] for key in DEPLOYED_SETTINGS if key in deployed}

    # The deployed settings were parsed from JSON, so convert these to JSON types, too. Otherwise, a
    # tuple, for example, wouldn't be equal to the list that it became in the deployed settings.
    return cast("Settings", json.loads(json.dumps(settings)))
