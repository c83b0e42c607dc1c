"""Deploys a stack to the emulator, and plays scenarios on it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from itertools import count
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from emulator import Emulator, EmulatorError
from emulator.deployer.program import deploy
from functions.bake_alarms import list_alarm_names
from functions.personalize.campaigns import UNSET_VALUE
from functions.personalize.tags import BAKE_TAG, read_tags
from retrain.account.access import Access
from retrain.account.errors import EXIT_INTERRUPTED, FailedError, OperatorError
from retrain.account.output import message_console, print_progress
from retrain.account.project_files import read_project
from retrain.account.target import find_target
from retrain.look.runs import parse_execution
from retrain.look.watch import follow
from retrain.rehearsal.resources import StackResources, today
from retrain.rehearsal.results import Result
from retrain.rehearsal.scenarios import judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from functions.contract import CampaignSettings
    from retrain.account.target import Target
    from retrain.look.run_view import ShownRun
    from retrain.rehearsal.scenarios import Scenario
    from retrain.rehearsal.stack import Stack

POLL_SECONDS = 0.3
PAST_DAYS = 20
"""How many days ago the schedule's first run was due. Each later run belongs to the day after.

So every run has a separate folder if the location contains `{date}`, and a run that the user starts
by hand belongs to a later day than all of them."""


def _generate_days() -> Iterator[date]:
    """Yield the days on which the schedule fires, of which the first is PAST_DAYS ago."""
    for days in count(-PAST_DAYS):
        yield today() + timedelta(days=days)


@dataclass(frozen=True)
class DeployedStack:
    """A stack that is deployed to the emulator."""

    stack: Stack
    resources: StackResources
    target: Target
    """The pipeline, as the other commands find it."""
    schedule_arn: str
    days: Iterator[date] = field(default_factory=_generate_days)
    """The days of the next runs of the schedule."""

    @cached_property
    def cloudwatch(self) -> Any:  # noqa: ANN401  # boto3's types for it are not installed
        """The client of CloudWatch."""
        return self.target.access.client("cloudwatch")

    def play(self, scenario: Scenario) -> Result:
        """Play a scenario, and judge what happened. Raise SystemExit after Ctrl-C."""
        day = self._choose_day()
        self._prepare(scenario, day)

        with self._play_faults(scenario):
            execution_arn = self._start_run(day)
            run = self._follow_run(execution_arn)

        if run.execution.is_running:
            raise SystemExit(EXIT_INTERRUPTED)
        checks = list(judge(scenario, self.stack.args, run.report))
        return Result(scenario, checks, run)

    def _choose_day(self) -> date:
        """Choose the day of the next run. A run by hand belongs to today."""
        if self.stack.args.paused:
            return today()
        return next(self.days)

    def _prepare(self, scenario: Scenario, day: date) -> None:
        """Do what happens before a run: write newer exports, or delete a user."""
        if scenario.writes_exports:
            print_progress("writing newer exports to S3")
            self.resources.write_newer_exports(day, scenario.damage)

        if scenario.deletes_user:
            print_progress("deleting a user")
            self.resources.delete_user(self.stack.data.list_typical_users()[0].id)

        self._calm_alarms()

    @contextmanager
    def _play_faults(self, scenario: Scenario) -> Iterator[None]:
        """Inject the scenario's fault, or let alarms go off, until the block ends."""
        emulator = self.resources.emulator
        if scenario.fault:
            emulator.control("POST", "faults", scenario.fault)

        has_ended = Event()
        if "bake" in scenario.needs:
            Thread(target=self._set_off_alarms, args=[has_ended]).start()
        try:
            yield
        finally:
            has_ended.set()
            emulator.control("DELETE", "faults")

    def _start_run(self, day: date) -> str:
        """Start a run through the schedule, or by hand if the stack is paused. Return its ARN."""
        if self.stack.args.paused:
            print_progress("starting a run by hand, because the stack is paused")
            execution = self.target.access.step_functions.start_execution(
                stateMachineArn=self.target.state_machine_arn, input="{}"
            )
            return execution["executionArn"]

        scheduled_time = f"{day}T03:00:00Z"
        print_progress(f"firing the schedule for {scheduled_time}")
        group, schedule = self.schedule_arn.split("/")[1:]
        try:
            return self.resources.emulator.fire(schedule, group, scheduled_time)
        except EmulatorError as error:
            raise FailedError(f"the schedule starts no run: {error}") from error

    def _follow_run(self, execution_arn: str) -> ShownRun:
        """Show a run until it ends. Without a terminal, it's shown only when it has ended."""
        step_functions = self.target.access.step_functions
        execution = parse_execution(step_functions.describe_execution(executionArn=execution_arn))

        console = message_console()
        console.quiet = not console.is_terminal
        return follow(self.target, execution, console, is_rehearsal=True)

    def _calm_alarms(self) -> None:
        """Set the alarms of all bakes to OK, as if people used the campaigns.

        Without any use, the alarms would have no data, and the run would warn that nothing watched
        the new version.
        """
        for campaign in self._list_campaign_settings():
            for alarm_name in list_alarm_names(self.target.settings, campaign):
                self._set_alarm(alarm_name, "OK")

    def _set_off_alarms(self, has_ended: Event) -> None:
        """Keep an alarm of each campaign in ALARM during its bake, until the run has ended."""
        while not has_ended.wait(POLL_SECONDS):
            for campaign in self._list_campaign_settings():
                alarm_name = list_alarm_names(self.target.settings, campaign)[-1]
                if self._is_baking(campaign["campaignArn"]):
                    self._set_alarm(alarm_name, "ALARM")
                else:
                    self._set_alarm(alarm_name, "OK")

    def _is_baking(self, campaign_arn: str) -> bool:
        tags = read_tags(self.resources.personalize, campaign_arn)
        return tags.get(BAKE_TAG, UNSET_VALUE) != UNSET_VALUE

    def _set_alarm(self, alarm_name: str, state: str) -> None:
        self.cloudwatch.set_alarm_state(
            AlarmName=alarm_name, StateValue=state, StateReason="a rehearsal"
        )

    def _list_campaign_settings(self) -> list[CampaignSettings]:
        """List the campaigns as the deployed pipeline knows them."""
        solutions = self.target.settings["solutions"]
        return [campaign for solution in solutions for campaign in solution["campaigns"]]


def deploy_stack(stack: Stack, emulator: Emulator) -> DeployedStack:
    """Create what a stack names, and deploy the stack. Raises OperatorError if that fails."""
    resources = StackResources(emulator, stack.args, stack.data)
    try:
        resources.create()
        print_progress(f"deploying stack {stack.name}")
        outputs = _deploy(stack, emulator.endpoint)
    except ClientError as error:
        raise OperatorError(f"the emulator cannot deploy this stack: {error}") from error

    target = find_target(stack.name, str(outputs["state_machine_arn"]), Access())
    return DeployedStack(stack, resources, target, str(outputs["schedule_arn"]))


def _deploy(stack: Stack, endpoint: str) -> Mapping[str, Any]:
    """Deploy a stack with the settings of a rehearsal, and return its outputs."""
    project = read_project(stack.folder, stack.name, stack.overrides)
    deployment = deploy(
        stack.name,
        project=project.name,
        program=project.program,
        config=project.config,
        endpoint=endpoint,
    )

    return deployment.outputs
