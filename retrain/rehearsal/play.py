"""Deploys a stack to the emulator, and plays scenarios on it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from threading import Event, Thread
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from emulator import Emulator, EmulatorError
from emulator.deployer.program import deploy
from functions.bake_alarms import list_alarm_names
from functions.common.formatting import format_duration, format_hours, format_list
from functions.personalize.campaigns import UNSET_VALUE, describe_campaign, find_served_version_arn
from functions.personalize.imports import list_import_jobs
from functions.personalize.tags import BAKE_TAG, read_tags
from functions.personalize.trainings import list_versions
from functions.report.model import list_campaign_reports
from retrain.account.access import Access
from retrain.account.errors import EXIT_INTERRUPTED, FailedError, OperatorError
from retrain.account.output import message_console, print_progress
from retrain.account.project_files import read_project
from retrain.account.target import find_target
from retrain.look.lines import Line
from retrain.look.runs import execution_of
from retrain.look.watch import follow
from retrain.names import short_name
from retrain.rehearsal.scenarios import Check, Scenario, Snapshot, judge
from retrain.rehearsal.world import BATCH_USERS, RANKING, Location, World, query, recipe_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from components.args import CampaignArgs
    from functions.report.model import Report
    from retrain.account.target import Target
    from retrain.look.run_view import ShownRun
    from retrain.rehearsal.stack import Stack

POLL_SECONDS = 0.3
PAST_DAYS = 20
"""The first run of the schedule is for a time so many days ago, and the next one for the day after.

So a run that the user starts by hand belongs to a later day than all of them, and each run has
another folder if the location contains `{date}`."""
SHOWN_ITEMS = 3
RECOMMENDED_ITEMS = 5


@dataclass(frozen=True)
class Result:
    """A scenario that was played."""

    scenario: Scenario
    checks: Sequence[Check] = ()
    run: ShownRun | None = None
    error: str | None = None
    """Why the scenario did not end, or None."""

    @property
    def is_as_designed(self) -> bool:
        """True if the scenario ended, and everything is as it should be."""
        return self.error is None and all(check.is_met for check in self.checks)


@dataclass(frozen=True)
class DeployedStack:
    """A stack that is deployed to the emulator."""

    stack: Stack
    world: World
    target: Target
    """The pipeline, as the other commands find it."""
    schedule_arn: str
    days: Iterator[date] = field(
        default_factory=lambda: (today() + timedelta(days=days) for days in count(-PAST_DAYS))
    )
    """The days of the next runs of the schedule."""

    def play(self, scenario: Scenario) -> Result:
        """Play a scenario, and judge what happened. Raise SystemExit after Ctrl-C."""
        emulator, states = self.world.emulator, self.target.access.step_functions
        before = self._snapshot()
        day = today() if self.stack.args.paused else next(self.days)
        if scenario.writes_exports:
            print_progress("writing newer exports to S3")
            self.world.write_newer_exports(day, scenario.spoiling)
        if scenario.deletes_user:
            print_progress("deleting a user")
            self.world.delete_user(self.stack.data.typical_users()[0].id)
        if scenario.fault:
            emulator.control("POST", "faults", scenario.fault)
        if any(campaign.bake for row in self.stack.args.solutions for campaign in row.campaigns):
            self._calm_alarms()
        has_ended = Event()
        if "bake" in scenario.needs:
            Thread(target=self._set_off_alarms, args=[has_ended]).start()
        try:
            execution = execution_of(states.describe_execution(executionArn=self._start(day)))
            console = message_console()
            console.quiet = not console.is_terminal  # stdout gets the run when it has ended
            run = follow(self.target, execution, console, POLL_SECONDS, keeps_bars=False)
        finally:
            has_ended.set()
            emulator.control("DELETE", "faults")
        if run.execution.is_running:
            raise SystemExit(EXIT_INTERRUPTED)
        checks = judge(scenario, run.report, before, self._snapshot())
        return Result(scenario, list(checks), run)

    def _calm_alarms(self) -> None:
        """Set the alarms of all bakes to OK, because alarms without data would watch nothing.

        On AWS, the users of a campaign are the data. The run would warn that they are missing.
        """
        cloudwatch = boto3.client("cloudwatch", **self.world.emulator.connection)
        settings = self.target.settings
        campaigns = [item for solution in settings["solutions"] for item in solution["campaigns"]]
        for name in [name for item in campaigns for name in list_alarm_names(settings, item)]:
            cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a rehearsal")

    def _set_off_alarms(self, has_ended: Event) -> None:
        """Keep an alarm of each campaign in ALARM during its bake, until the run has ended."""
        cloudwatch = boto3.client("cloudwatch", **self.world.emulator.connection)
        settings, reason = self.target.settings, "a rehearsal"
        campaigns = [item for solution in settings["solutions"] for item in solution["campaigns"]]
        while not has_ended.wait(POLL_SECONDS):
            for campaign in campaigns:
                name = list_alarm_names(settings, campaign)[-1]
                tags = read_tags(self.world.personalize, campaign["campaignArn"])
                state = "OK" if tags.get(BAKE_TAG, UNSET_VALUE) == UNSET_VALUE else "ALARM"
                cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)

    def _start(self, day: date) -> str:
        """Start a run through the schedule, or by hand if the stack is paused. Return its ARN."""
        if self.stack.args.paused:
            print_progress("starting a run by hand, because the stack is paused")
            arn, states = self.target.state_machine_arn, self.target.access.step_functions
            return states.start_execution(stateMachineArn=arn, input="{}")["executionArn"]
        group, schedule = self.schedule_arn.split("/")[1:]
        slot = f"{day}T03:00:00Z"
        print_progress(f"firing the schedule for {slot}")
        try:
            return self.world.emulator.fire(schedule, group, slot)
        except EmulatorError as error:
            raise FailedError(f"the schedule starts no run: {error}") from error

    def _snapshot(self) -> Snapshot:
        """Return what Personalize has now."""
        personalize, settings = self.world.personalize, self.target.settings
        statuses: dict[str, str] = {}
        served: dict[str, str] = {}
        approved: list[str] = []
        for solution in settings["solutions"]:
            for version in list_versions(personalize, solution["solutionArn"]):
                statuses[version["solutionVersionArn"]] = version["status"]
            arns = [campaign["campaignArn"] for campaign in solution["campaigns"]]
            served |= {
                arn: find_served_version_arn(describe_campaign(personalize, arn)) or ""
                for arn in arns
            }
            approved += arns if solution["approval"] else []
        datasets = [dataset["datasetArn"] for dataset in settings["datasets"]]
        imports = {arn: len(list_import_jobs(personalize, arn)) for arn in datasets}
        return Snapshot(imports, statuses, served, approved)

    def trials(self, report: Report) -> Iterator[Line]:
        """Yield what each new version has passed, and how long that takes on AWS."""
        outcomes = {item["campaignArn"]: item["outcome"] for item in list_campaign_reports(report)}
        campaigns = (item for solution in self.stack.args.solutions for item in solution.campaigns)
        for campaign in campaigns:
            arn = str(campaign.campaign_arn)
            passed = [*_describe_trial(campaign)]
            if passed and outcomes.get(arn) == "DEPLOYED":
                text = format_list(passed)
                yield Line(1, f"{short_name(arn)} passed", text)

    def recommendations(self, report: Report) -> Iterator[Line]:
        """Yield lines with the last items of a typical user, and what each campaign recommends.

        Items may be related to the last item. A campaign that only ranks items is left out. Then
        come the first results of the batch jobs of the run.
        """
        runtime = boto3.client("personalize-runtime", **self.world.emulator.connection)
        user, labels = self.stack.data.typical_users()[0], self.stack.data.item_labels()
        shown = {f"{user.id} chose last": user.item_ids[:SHOWN_ITEMS]}
        for solution in self.stack.args.solutions:
            recipe = recipe_of(solution)
            about = query(user, recipe)
            for campaign in () if recipe == RANKING else solution.campaigns:
                arn = str(campaign.campaign_arn)
                response = runtime.get_recommendations(
                    campaignArn=arn, numResults=RECOMMENDED_ITEMS, **about
                )
                items = [item["itemId"] for item in response["itemList"]]
                shown[f"{short_name(arn)} recommends"] = items
        for job in (job for solution in report["solutions"] for job in solution["batchJobs"]):
            shown |= self._written(job["output"])
        if len(shown) == 1:
            return  # Nothing was recommended for what the user chose.
        for heading, items in shown.items():
            yield Line(1, heading, "\n".join(labels.get(item, item) for item in items))

    def _written(self, output: str) -> dict[str, list[str]]:
        """Return the first results of a batch job, each by the user or the item that it is for."""
        s3, (bucket, folder) = self.world.s3, Location.of(output, today())
        files = s3.list_objects_v2(Bucket=bucket, Prefix=folder).get("Contents", ())
        texts = [s3.get_object(Bucket=bucket, Key=file["Key"])["Body"].read() for file in files]
        lines = [json.loads(line) for text in texts for line in text.splitlines()]
        return {
            f"a batch job wrote for {next(iter(line['input'].values()))}": items[:RECOMMENDED_ITEMS]
            for line in lines[:BATCH_USERS]
            for items in [line["output"]["recommendedItems"]]
        }


def _describe_trial(campaign: CampaignArgs) -> Iterator[str]:
    """Yield the parts of a campaign's trials, with their durations on AWS."""
    if campaign.probe:
        minutes = campaign.probe.minutes
        yield f"its probe ({format_duration(minutes * 60)} on AWS)"
    if campaign.bake:
        yield f"its bake ({format_hours(campaign.bake.hours)} on AWS)"


def deploy_stack(stack: Stack, emulator: Emulator) -> DeployedStack:
    """Create what a stack names, and deploy the stack. Raises OperatorError if that fails."""
    world = World(emulator, stack.args, stack.data)
    try:
        world.create()
        print_progress(f"deploying stack {stack.name}")
        project = read_project(stack.folder, stack.name, stack.overrides)
        outputs = deploy(
            stack.name,
            project=project.name,
            program=project.program,
            config=project.config,
            endpoint=emulator.endpoint,
        ).outputs
    except ClientError as error:
        raise OperatorError(f"the emulator cannot deploy this stack: {error}") from error
    target = find_target(stack.name, str(outputs["state_machine_arn"]), Access())
    return DeployedStack(stack, world, target, str(outputs["schedule_arn"]))


def today() -> date:
    """Return the day in UTC."""
    return datetime.now(UTC).date()
