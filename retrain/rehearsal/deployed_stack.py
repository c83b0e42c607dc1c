"""Deploys a stack to the emulator, and runs its pipeline there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

import boto3
from botocore.exceptions import ClientError

from emulator import EmulatorError
from emulator.deployer.program import Deployment, deploy
from retrain.rehearsal import runs
from retrain.rehearsal.data.exports import write_newer_exports
from retrain.rehearsal.data.resources import RANKING, RELATED_ITEMS, create_resources, recipe_of
from retrain.rehearsal.errors import FailedError, RehearsalError
from retrain.rehearsal.progress import follow_jobs
from retrain.rehearsal.schedule import next_slot, wait_for_first_event
from retrain.rehearsal.screens import print_progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from emulator import Emulator
    from retrain.rehearsal.data.spoiling import Spoiling
    from retrain.rehearsal.stacks import Stack


class ExportVersion(NamedTuple):
    """A version of the newer export, which is a new file to the pipeline.

    Each version has the rows in another order. `rotation` rows are moved from the beginning to the
    end.
    """

    rotation: int
    spoiling: Spoiling


FIRST_EXPORT = ExportVersion(0, "none")


@dataclass
class DeployedStack:
    """A stack that is deployed to the emulator, with the resources that its settings name."""

    stack: Stack
    emulator: Emulator
    console: Console
    deployment: Deployment
    slot: str | None = None
    """The slot of the schedule for the next run. None at first, and if the stack is paused."""
    next_rotation: int = 0
    """The rotation of the next new export."""
    written_export: ExportVersion = FIRST_EXPORT
    """The export for the next run."""
    export_day: str = ""
    """The day of the export for the next run, for example 2026-11-29."""
    imported_export: ExportVersion = FIRST_EXPORT
    """The export that was imported last."""

    def __post_init__(self) -> None:
        """Create the clients once, because this takes a while."""
        connection = self.emulator.connection
        self.personalize = boto3.client("personalize", **connection)
        self.runtime = boto3.client("personalize-runtime", **connection)
        self.step_functions = boto3.client("stepfunctions", **connection)
        self.functions = boto3.client("lambda", **connection)

    def output(self, name: str) -> str:
        """Return an output of the deployed stack."""
        return str(self.deployment.outputs[name])

    def report(self, line: str) -> None:
        """Print a line about the progress of the rehearsal."""
        print_progress(self.console, line)

    def prepare_run(self, *, new_data: bool = True, spoiling: Spoiling = "none") -> None:
        """Choose the schedule's next slot, and write the exports of its day to S3.

        A paused stack gets the exports of today. Without new data, the exports that were imported
        last are written again.
        """
        self.slot = next_slot(self.emulator, self.output("schedule_arn"), self.slot)
        if new_data:
            self.report("writing newer exports to S3")
            self.written_export = self._new_export(spoiling)
        else:
            self.written_export = self.imported_export
        slot_day = self.slot.partition("T")[0] if self.slot else None
        self._write_exports(self.written_export, slot_day or _today())

    def write_export_for_today(self) -> str:
        """Write a new export for a run by hand. Return the day, for example 2026-11-29."""
        day = _today()
        self._write_exports(self._new_export("none"), day)
        return day

    def rewrite_exports(self) -> None:
        """Replace the exports for the present run by newer exports of the same day."""
        self.written_export = self._new_export("none")
        self._write_exports(self.written_export, self.export_day)

    def _new_export(self, spoiling: Spoiling) -> ExportVersion:
        """Return a version of the export that has not been written before."""
        version = ExportVersion(self.next_rotation, spoiling)
        self.next_rotation += 1
        return version

    def _write_exports(self, version: ExportVersion, day: str) -> None:
        """Write the newer export of each dataset to its location on this day."""
        self.export_day = day
        write_newer_exports(
            self.emulator,
            self.stack.args,
            self.stack.data,
            day=day,
            rotation=version.rotation,
            spoiling=version.spoiling,
        )

    def start(self) -> str:
        """Start an execution through the schedule, or by hand if the stack is paused.

        Return the ARN of the execution. Raises FailedError if the schedule starts none.
        """
        if self.slot is None:
            self.report("the stack is paused and its schedule is disabled: starting a run by hand")
            return self.start_by_hand()
        group, schedule = self.output("schedule_arn").split("/")[1:]
        self.report(f"firing the schedule for its slot, the due time {self.slot}")
        try:
            return self.emulator.fire(schedule, group, self.slot)
        except EmulatorError as error:
            raise FailedError(f"the schedule starts no run: {error}") from error

    def start_by_hand(self) -> str:
        """Start an execution with the input `{}`. Return its ARN."""
        arn = self.output("state_machine_arn")
        response = self.step_functions.start_execution(stateMachineArn=arn, input="{}")
        return response["executionArn"]

    def watch(self) -> None:
        """Call the watcher, as its schedule does every 15 minutes."""
        (schedule,) = (
            resource
            for resource in self.deployment.resources
            if resource.type == "aws:scheduler/schedule:Schedule"
            and resource.name.endswith("-watch-pipeline")
        )
        target = cast("Mapping[str, str]", schedule.inputs["target"])
        self.functions.invoke(FunctionName=target["arn"], Payload=target["input"])

    def executions_since(self, start: datetime, name_prefix: str) -> list[str]:
        """Return the ARNs of the executions that have started since, and whose names begin so."""
        arn = self.output("state_machine_arn")
        response = self.step_functions.list_executions(stateMachineArn=arn)
        return [
            execution["executionArn"]
            for execution in response["executions"]
            if execution["startDate"] >= start and execution["name"].startswith(name_prefix)
        ]

    def follow(self, execution_arn: str) -> runs.Run:
        """Show the jobs of an execution until it ends. Return its run.

        If it imported something, remember the exports on S3 as those that were imported last.
        """
        jobs = follow_jobs(self.console, self.step_functions, self.personalize, execution_arn)
        if any(job.kind == "import" for job in jobs):
            self.imported_export = self.written_export
        return runs.Run(
            execution_arn=execution_arn,
            ending=runs.read_ending(self.step_functions, execution_arn),
            report=runs.read_report(self.step_functions, execution_arn),
            jobs=jobs,
        )

    def served_versions(self) -> dict[str, str]:
        """Return the ARN of the version that each campaign serves, by the ARN of the campaign."""
        return runs.read_served_versions(self.personalize, self.stack.args)

    def campaigns(
        self, previous: Mapping[str, str], new_versions: Mapping[str, str]
    ) -> list[runs.Campaign]:
        """Return the campaigns with the versions that they served before a run and serve now.

        `previous` is the result of `served_versions` before the run. `new_versions` has the ARN of
        each version that the run trained, by the ARN of the solution.
        """
        served = self.served_versions()
        return [
            runs.Campaign(
                campaign_arn=arn,
                previous_version_arn=previous[arn],
                solution_version_arn=served[arn],
                new_version_arn=new_versions.get(str(solution.solution_arn)),
            )
            for solution in self.stack.args.solutions
            for arn in (str(campaign.campaign_arn) for campaign in solution.campaigns)
        ]

    def first_run(self) -> runs.Summary:
        """Run the pipeline once with newer exports. Return everything that the run did."""
        served_before = self.served_versions()
        old_arns = runs.read_newest_versions(self.personalize, self.stack.args)
        self.prepare_run()
        run = self.follow(self.start())
        new_arns = run.new_versions()
        campaigns = self.campaigns(served_before, new_arns)
        versions: list[runs.Version] = []
        for solution_arn, old_arn in sorted(old_arns.items()):
            versions.append(runs.read_version(self.personalize, old_arn, "old"))
            if solution_arn in new_arns:
                new_arn = new_arns[solution_arn]
                versions.append(runs.read_version(self.personalize, new_arn, "new"))
        active = [row for row in versions if row.age == "new" and row.status == "ACTIVE"]
        return runs.Summary(
            **vars(run),
            steps=self._steps(run),
            versions=versions,
            campaigns=[self._with_recommendations(campaign) for campaign in campaigns],
            user=self.stack.user,
            evaluation_users=self.stack.evaluation_users,
            trained=len(active) == len(old_arns),
        )

    def _steps(self, run: runs.Run) -> list[runs.Step]:
        """Read the steps of a run. If the run has no report, read all steps in the log group."""
        return runs.read_steps(
            boto3.client("logs", **self.emulator.connection),
            self.output("log_group_name"),
            run.report["runId"] if run.report else None,
        )

    def _with_recommendations(self, campaign: runs.Campaign) -> runs.Campaign:
        """Return a campaign with recommendations: related items, or items for the stack's user.

        A campaign whose recipe only ranks items gets none.
        """
        recipe = self._recipe(campaign.campaign_arn)
        user = self.stack.user
        if recipe == RANKING:
            return campaign
        if recipe == RELATED_ITEMS:
            item = user.items[0]
            item_ids = runs.related_to(self.runtime, campaign.campaign_arn, item.item_id)
            campaign = replace(campaign, related_to=item)
        else:
            item_ids = runs.recommended_to(self.runtime, campaign.campaign_arn, user.user_id)
        items = [self.stack.item(item_id) for item_id in item_ids]
        return replace(campaign, recommendations=items)

    def _recipe(self, campaign_arn: str) -> str:
        """Return the recipe of the solution that a campaign belongs to."""
        return next(
            recipe_of(solution)
            for solution in self.stack.args.solutions
            if any(str(campaign.campaign_arn) == campaign_arn for campaign in solution.campaigns)
        )


def deploy_stack(stack: Stack, emulator: Emulator, console: Console) -> DeployedStack:
    """Create the resources that a stack names in the emulator, and deploy the stack.

    Raises RehearsalError if the emulator refuses a request.
    """
    args = stack.args
    report = partial(print_progress, console)
    try:
        create_resources(emulator, args, report, stack.data)
        report(f"deploying stack {stack.name}")
        deployment = deploy(
            stack.name,
            endpoint=emulator.endpoint,
            project_dir=stack.project_dir,
            config=stack.overrides,
        )
    except ClientError as error:
        raise RehearsalError(f"the emulator cannot deploy this stack: {error}") from error
    if not args.paused and not args.retraining_rate.startswith("cron("):
        report("waiting for the first event of the rate schedule; its run trains nothing")
        wait_for_first_event(emulator, str(deployment.outputs["state_machine_arn"]))
    return DeployedStack(stack, emulator, console, deployment)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
