"""Deploys a stack to the emulator, and plays scenarios on it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

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
from retrain.look.runs import parse_execution
from retrain.look.watch import follow
from retrain.names import short_name
from retrain.rehearsal.scenarios import Check, Scenario, Snapshot, judge
from retrain.rehearsal.world import (
    BATCH_USERS,
    RANKING,
    World,
    build_query,
    choose_recipe,
    find_location,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from components.args import CampaignArgs
    from functions.contract import CampaignSettings
    from functions.report.model import Report
    from retrain.account.target import Target
    from retrain.look.run_view import ShownRun
    from retrain.rehearsal.data import User
    from retrain.rehearsal.stack import Stack

POLL_SECONDS = 0.3
PAST_DAYS = 20
"""How many days ago the schedule's first run was due. Each later run belongs to the day after.

So each run has another folder if the location contains `{date}`, and a run that the user starts by
hand belongs to a later day than all of them."""
SHOWN_ITEMS = 3
RECOMMENDED_ITEMS = 5
ALARM_REASON = "a rehearsal"


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
        before = self._take_snapshot()
        day = today() if self.stack.args.paused else next(self.days)
        self._prepare(scenario, day)

        with self._play_faults(scenario):
            run = self._follow_run(self._start_run(day))

        if run.execution.is_running:
            raise SystemExit(EXIT_INTERRUPTED)
        checks = judge(scenario, run.report, before, self._take_snapshot())
        return Result(scenario, list(checks), run)

    def _prepare(self, scenario: Scenario, day: date) -> None:
        """Bring about what happens before a run: its exports, or a deletion."""
        if scenario.writes_exports:
            print_progress("writing newer exports to S3")
            self.world.write_newer_exports(day, scenario.damage)

        if scenario.deletes_user:
            print_progress("deleting a user")
            self.world.delete_user(self.stack.data.list_typical_users()[0].id)

        if any(campaign.bake for campaign in self._list_campaign_args()):
            self._calm_alarms()

    @contextmanager
    def _play_faults(self, scenario: Scenario) -> Iterator[None]:
        """Let what goes wrong in a scenario happen for as long as the block runs."""
        emulator = self.world.emulator
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
            response = self.target.access.step_functions.start_execution(
                stateMachineArn=self.target.state_machine_arn, input="{}"
            )
            return response["executionArn"]

        group, schedule = self.schedule_arn.split("/")[1:]
        slot = f"{day}T03:00:00Z"
        print_progress(f"firing the schedule for {slot}")
        try:
            return self.world.emulator.fire(schedule, group, slot)
        except EmulatorError as error:
            raise FailedError(f"the schedule starts no run: {error}") from error

    def _follow_run(self, execution_arn: str) -> ShownRun:
        """Show a run until it ends. Without a terminal, it's shown only when it has ended."""
        step_functions = self.target.access.step_functions
        execution = parse_execution(step_functions.describe_execution(executionArn=execution_arn))

        console = message_console()
        console.quiet = not console.is_terminal
        return follow(self.target, execution, console, POLL_SECONDS, keeps_bars=False)

    def _calm_alarms(self) -> None:
        """Set the alarms of all bakes to OK, because alarms without data would watch nothing.

        On AWS, the users of a campaign are the data. The run would warn that they are missing.
        """
        cloudwatch = boto3.client("cloudwatch", **self.world.emulator.connection)
        for campaign in self._list_campaign_settings():
            for alarm_name in list_alarm_names(self.target.settings, campaign):
                cloudwatch.set_alarm_state(
                    AlarmName=alarm_name, StateValue="OK", StateReason=ALARM_REASON
                )

    def _set_off_alarms(self, has_ended: Event) -> None:
        """Keep an alarm of each campaign in ALARM during its bake, until the run has ended."""
        cloudwatch = boto3.client("cloudwatch", **self.world.emulator.connection)

        while not has_ended.wait(POLL_SECONDS):
            for campaign in self._list_campaign_settings():
                alarm_name = list_alarm_names(self.target.settings, campaign)[-1]
                tags = read_tags(self.world.personalize, campaign["campaignArn"])
                is_baking = tags.get(BAKE_TAG, UNSET_VALUE) != UNSET_VALUE
                cloudwatch.set_alarm_state(
                    AlarmName=alarm_name,
                    StateValue="ALARM" if is_baking else "OK",
                    StateReason=ALARM_REASON,
                )

    def _list_campaign_settings(self) -> list[CampaignSettings]:
        """List the campaigns as the deployed pipeline knows them."""
        solutions = self.target.settings["solutions"]
        return [campaign for solution in solutions for campaign in solution["campaigns"]]

    def _list_campaign_args(self) -> list[CampaignArgs]:
        """List the campaigns as the stack's file has them, with the bake and probe of AWS."""
        solutions = self.stack.args.solutions
        return [campaign for solution in solutions for campaign in solution.campaigns]

    def _take_snapshot(self) -> Snapshot:
        """Read what Personalize has now."""
        approved_campaigns = []
        for solution in self.target.settings["solutions"]:
            if solution["approval"]:
                approved_campaigns += [item["campaignArn"] for item in solution["campaigns"]]

        return Snapshot(
            imports=self._count_imports(),
            version_statuses=self._read_version_statuses(),
            served_versions=self._read_served_versions(),
            approved_campaigns=approved_campaigns,
        )

    def _count_imports(self) -> dict[str, int]:
        """Count the import jobs of each dataset."""
        datasets = self.target.settings["datasets"]
        arns = [dataset["datasetArn"] for dataset in datasets]
        return {arn: len(list_import_jobs(self.world.personalize, arn)) for arn in arns}

    def _read_version_statuses(self) -> dict[str, str]:
        """Read the status of each version of all solutions."""
        statuses = {}
        for solution in self.target.settings["solutions"]:
            for version in list_versions(self.world.personalize, solution["solutionArn"]):
                statuses[version["solutionVersionArn"]] = version["status"]
        return statuses

    def _read_served_versions(self) -> dict[str, str | None]:
        """Read which version each campaign serves."""
        served_versions = {}
        for campaign in self._list_campaign_settings():
            description = describe_campaign(self.world.personalize, campaign["campaignArn"])
            served_versions[campaign["campaignArn"]] = find_served_version_arn(description)
        return served_versions

    def list_trial_lines(self, report: Report) -> Iterator[Line]:
        """Yield what each new version has passed, and how long that takes on AWS."""
        outcomes = {item["campaignArn"]: item["outcome"] for item in list_campaign_reports(report)}

        for campaign in self._list_campaign_args():
            campaign_arn = str(campaign.campaign_arn)
            passed = list(_describe_trial(campaign))
            if passed and outcomes.get(campaign_arn) == "DEPLOYED":
                yield Line(1, f"{short_name(campaign_arn)} passed", format_list(passed))

    def list_recommendation_lines(self, report: Report) -> Iterator[Line]:
        """Yield what a typical user chose last, and what campaigns and batch jobs recommend.

        Items may be related to the last item.
        """
        user = self.stack.data.list_typical_users()[0]
        recommended = self._request_recommendations(user) | self._read_batch_results(report)
        if not recommended:
            return

        labels = self.stack.data.build_item_labels()
        chosen = {f"{user.id} chose last": user.item_ids[:SHOWN_ITEMS]}
        for heading, item_ids in (chosen | recommended).items():
            item_labels = [labels.get(item_id, item_id) for item_id in item_ids]
            yield Line(1, heading, "\n".join(item_labels))

    def _request_recommendations(self, user: User) -> dict[str, list[str]]:
        """Ask each campaign about a user. Return the items of each, by a heading."""
        runtime = boto3.client("personalize-runtime", **self.world.emulator.connection)
        recommended = {}
        for solution in self.stack.args.solutions:
            recipe = choose_recipe(solution)
            if recipe == RANKING:
                continue  # A ranking has only the items that the request names.

            for campaign in solution.campaigns:
                campaign_arn = str(campaign.campaign_arn)
                response = runtime.get_recommendations(
                    campaignArn=campaign_arn,
                    numResults=RECOMMENDED_ITEMS,
                    **build_query(user, recipe),
                )
                item_ids = [item["itemId"] for item in response["itemList"]]
                recommended[f"{short_name(campaign_arn)} recommends"] = item_ids

        return recommended

    def _read_batch_results(self, report: Report) -> dict[str, list[str]]:
        """Read the first results of a run's batch jobs, each by the user or item that it is for."""
        results = {}
        for solution in report["solutions"]:
            for batch_job in solution["batchJobs"]:
                for line in self._read_output(batch_job["output"])[:BATCH_USERS]:
                    subject = next(iter(line["input"].values()))
                    item_ids = line["output"]["recommendedItems"]
                    results[f"a batch job wrote for {subject}"] = item_ids[:RECOMMENDED_ITEMS]
        return results

    def _read_output(self, output: str) -> list[dict[str, Any]]:
        """Read the lines of the files that a batch job has written."""
        s3 = self.world.s3
        bucket, folder = find_location(output, today())

        lines = []
        for file in s3.list_objects_v2(Bucket=bucket, Prefix=folder).get("Contents", ()):
            content = s3.get_object(Bucket=bucket, Key=file["Key"])["Body"].read()
            lines += [json.loads(line) for line in content.splitlines()]
        return lines


def _describe_trial(campaign: CampaignArgs) -> Iterator[str]:
    """Yield the parts of a campaign's trials, with their durations on AWS."""
    if campaign.probe:
        seconds = campaign.probe.minutes * 60
        yield f"its probe ({format_duration(seconds)} on AWS)"
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
