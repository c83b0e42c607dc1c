"""Deploys a stack to the emulator, and plays scenarios there."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from itertools import count
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from emulator.deployer.program import deploy
from functions.bake_alarms import list_alarm_names
from functions.personalize.campaigns import UNSET_VALUE
from functions.personalize.tags import BAKE_TAG, read_tags
from retrain.account.access import Access
from retrain.account.errors import EXIT_INTERRUPTED, OperatorError
from retrain.account.output import message_console, print_progress
from retrain.account.project_files import read_project
from retrain.account.target import find_target
from retrain.look.runs import parse_execution
from retrain.look.watch import follow_run
from retrain.rehearsal.resources import StackResources, get_today
from retrain.rehearsal.results import Result
from retrain.rehearsal.scenarios import check_report, merge_reports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator import Emulator
    from retrain.account.target import Target
    from retrain.look.run_view import ShownRun
    from retrain.rehearsal.scenarios import Scenario
    from retrain.rehearsal.stack import Stack

POLL_SECONDS = 0.3
PAST_DAYS = 20
"""How many days before today the first run is scheduled. Each further run is a day later.

If locations contain `{date}`, each run therefore has its own folder. A run that the operator starts
by hand uses today's date, which is later than all scheduled days."""


def _generate_days() -> Iterator[date]:
    """Yield the day of each scheduled run, beginning PAST_DAYS before today."""
    for offset in count(-PAST_DAYS):
        yield get_today() + timedelta(days=offset)


@dataclass(frozen=True)
class DeployedStack:
    """A stack that was deployed to the emulator."""

    stack: Stack
    resources: StackResources
    target: Target
    """The deployed pipeline, in the form that the other commands use."""
    schedule_arn: str
    days: Iterator[date] = field(default_factory=_generate_days)
    """The days of the next scheduled runs."""

    @cached_property
    def cloudwatch(self) -> Any:  # noqa: ANN401  # its boto3 stubs aren't installed
        """The CloudWatch client."""
        return self.target.access.client("cloudwatch")

    @cached_property
    def alarm_names(self) -> dict[str, list[str]]:
        """Campaign ARN -> the names of the alarms that watch its bake."""
        settings = self.target.settings
        return {
            campaign["campaignArn"]: list_alarm_names(settings, campaign)
            for solution in settings["solutions"]
            for campaign in solution["campaigns"]
        }

    def play(self, scenario: Scenario) -> Result:
        """Play a scenario, and check whether its run did what the scenario expects.

        If Personalize trains a solution, it does so after this run, and a second run judges the
        new version. Raises SystemExit if the operator interrupts a run.
        """
        day = next(self.days)
        self._prepare(scenario, day)

        with self._inject_faults(scenario):
            run = self._play_run(f"{day}T03:00:00Z")
            report = run.report
            if report is not None and self._trains_later(scenario):
                print_progress("letting Personalize train")
                self.resources.let_personalize_train()
                run = self._play_run(f"{day}T04:00:00Z")
                report = run.report and merge_reports(report, run.report)

        checks = list(check_report(scenario, self.stack.args, report))
        return Result(scenario, checks, run)

    def _trains_later(self, scenario: Scenario) -> bool:
        """Return True if Personalize should train a solution in the scenario."""
        # After a deletion without new interactions, Personalize doesn't train by itself.
        if not scenario.trains or scenario.deletes_user:
            return False
        return any(solution.trained_by == "personalize" for solution in self.stack.args.solutions)

    def _play_run(self, scheduled_time: str) -> ShownRun:
        """Fire the schedule, and follow the run that it starts to its end.

        Raises SystemExit if the operator interrupts the run.
        """
        self._reset_alarms()
        print_progress(f"firing the schedule as if it were {scheduled_time}")
        group, schedule = self.schedule_arn.split("/")[1:]
        execution_arn = self.resources.emulator.fire(schedule, group, scheduled_time)

        run = self._follow_run(execution_arn)
        if run.execution.is_running:
            raise SystemExit(EXIT_INTERRUPTED)
        return run

    def _prepare(self, scenario: Scenario, day: date) -> None:
        """Bring newer data, or delete a user, if the scenario says so."""
        if scenario.writes_exports:
            print_progress("writing newer exports to S3")
            self.resources.write_newer_exports(day, scenario.damage)
        if scenario.deletes_user:
            print_progress("deleting a user")
            self.resources.delete_user(self.stack.data.list_typical_users()[0].id)

    @contextmanager
    def _inject_faults(self, scenario: Scenario) -> Iterator[None]:
        """Inject the scenario's fault, or set off the bake alarms, until the block ends.

        The alarms are set off in a thread, because the caller's thread is busy following the run.
        """
        emulator = self.resources.emulator
        if scenario.fault:
            emulator.control("POST", "faults", scenario.fault)

        run_ended = Event()
        if "bake" in scenario.needs:
            Thread(target=self._set_off_alarms, args=[run_ended]).start()
        try:
            yield
        finally:
            run_ended.set()
            emulator.control("DELETE", "faults")

    def _follow_run(self, execution_arn: str) -> ShownRun:
        """Follow a run until it ends, and show its progress if there's a terminal."""
        step_functions = self.target.access.step_functions
        execution = parse_execution(step_functions.describe_execution(executionArn=execution_arn))

        console = message_console()
        console.quiet = not console.is_terminal
        return follow_run(self.target, execution, console, is_rehearsal=True)

    def _reset_alarms(self) -> None:
        """Set the bake alarms of all campaigns to OK, as if the campaigns had traffic.

        Without traffic, the alarms would have no data, and the run would warn that nothing watched
        the new version.
        """
        for alarm_names in self.alarm_names.values():
            for alarm_name in alarm_names:
                self._set_alarm(alarm_name, "OK")

    def _set_off_alarms(self, run_ended: Event) -> None:
        """Set an alarm of each campaign to ALARM as soon as the campaign's bake has begun."""
        while not run_ended.wait(POLL_SECONDS):
            for campaign_arn, alarm_names in self.alarm_names.items():
                tags = read_tags(self.resources.personalize, campaign_arn)
                if tags.get(BAKE_TAG, UNSET_VALUE) != UNSET_VALUE:
                    self._set_alarm(alarm_names[-1], "ALARM")

    def _set_alarm(self, alarm_name: str, state: str) -> None:
        self.cloudwatch.set_alarm_state(
            AlarmName=alarm_name, StateValue=state, StateReason="a rehearsal"
        )


def deploy_stack(stack: Stack, emulator: Emulator) -> DeployedStack:
    """Create the resources that a stack's settings name, and deploy the stack.

    Raises OperatorError if the emulator rejects a request.
    """
    resources = StackResources(emulator, stack.args, stack.data)
    project = read_project(stack.folder, stack.name, stack.overrides)

    try:
        resources.create()
        print_progress(f"deploying stack {stack.name}")
        deployment = deploy(
            stack.name,
            project=project.name,
            program=project.program,
            config=project.config,
            endpoint=emulator.endpoint,
        )
    except ClientError as error:
        raise OperatorError(f"the emulator cannot deploy this stack: {error}") from error

    outputs = deployment.outputs
    target = find_target(stack.name, str(outputs["state_machine_arn"]), Access())
    return DeployedStack(stack, resources, target, str(outputs["schedule_arn"]))
