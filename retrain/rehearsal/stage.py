"""A stack in the emulator: its world, its deployment, its nights with new exports, and its runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import boto3
from botocore.exceptions import ClientError

from emulator import EmulatorError
from emulator.deployer import Deployment, deploy
from retrain.rehearsal import summary as of
from retrain.rehearsal.data.data_sets import typical_viewer
from retrain.rehearsal.data.world import (
    RANKING,
    RELATED_ITEMS,
    RehearsalError,
    await_first_event,
    prepare,
    put_newer_exports,
    recipe_of,
    slot_to_fire,
)
from retrain.rehearsal.progress import follow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import Console

    from components.args import RetrainingPipelineArgs, SolutionArgs
    from emulator import Emulator
    from retrain.rehearsal.data.data_sets import DataSet
    from retrain.rehearsal.data.spoiling import Spoiling
    from retrain.rehearsal.jobs import Job


class FailedError(Exception):
    """The schedule could not start a run, or the emulator died; the message says which."""


@dataclass(frozen=True)
class Rehearsal:
    """A stack that is to be rehearsed."""

    console: Console
    stack: str
    project_dir: Path
    args: RetrainingPipelineArgs
    data: DataSet
    overrides: Mapping[str, str] = field(default_factory=dict)
    """What differs from the stack's file, as the deployer takes it; `args` have it already."""

    @cached_property
    def audience(self) -> of.Audience:
        """The user for whom recommendations are asked, and what items are called."""
        viewer = typical_viewer(self.data)
        return of.Audience(*viewer, self.data.titles(), self.data.genres())

    def say(self, what: str) -> None:
        """Tell what happens now."""
        self.console.print(what, style="dim", highlight=False, markup=False)


class Night(NamedTuple):
    """An export: its number, and how it is spoiled."""

    number: int
    how: Spoiling


FIRST_NIGHT = Night(0, "none")


@dataclass
class Stage:
    """A stack that is deployed, in the world that its settings name."""

    rehearsal: Rehearsal
    emulator: Emulator
    deployment: Deployment
    nights: int = 0
    """How many exports there were, after those that were there at first."""
    slot: str | None = None
    """The schedule's slot of the night; None before the first, and where the stack is paused."""
    tonight: Night = FIRST_NIGHT
    imported: Night = FIRST_NIGHT
    """Whose export was imported last."""

    def __post_init__(self) -> None:
        """Make the clients: each is used many times."""
        connection = self.emulator.connection
        self.personalize = boto3.client("personalize", **connection)
        self.runtime = boto3.client("personalize-runtime", **connection)
        self.states = boto3.client("stepfunctions", **connection)

    def dawn(self, *, new_data: bool = True, how: Spoiling = "none") -> None:
        """Go on to the schedule's next slot, with a new export for it.

        Where nothing is new, what was imported last lies there, whatever came in between.
        """
        schedule_arn = str(self.deployment.outputs["schedule_arn"])
        self.slot = slot_to_fire(self.emulator, schedule_arn, self.slot)
        self.tonight = self.imported
        if new_data:
            self.rehearsal.say("putting newer data into S3")
            self.tonight = Night(self.nights, how)
            self.nights += 1
        self._put(self.tonight, self.slot[:10] if self.slot else _today())

    def stock(self) -> str:
        """Put another export, where a run by hand looks for it today; give the day."""
        self._put(Night(self.nights, "none"), today := _today())
        self.nights += 1
        return today

    def _put(self, night: Night, day: str) -> None:
        put_newer_exports(
            self.emulator,
            self.rehearsal.args,
            self.rehearsal.data,
            day=day,
            night=night.number,
            how=night.how,
        )

    def start(self) -> str:
        """Start a run as the schedule does; by hand where the stack is paused. Give its ARN.

        Raises FailedError.
        """
        if self.slot is None:
            self.rehearsal.say("the stack is paused, its schedule disabled: starting a run by hand")
            return self.start_by_hand()
        group, schedule = str(self.deployment.outputs["schedule_arn"]).split("/")[1:]
        self.rehearsal.say(f"firing the schedule for its slot {self.slot}")
        try:
            return self.emulator.fire(schedule, group, self.slot)
        except EmulatorError as error:
            raise FailedError(f"the schedule starts no run: {error}") from error

    def start_by_hand(self) -> str:
        """Start a run with the input {}; give its ARN."""
        arn = str(self.deployment.outputs["state_machine_arn"])
        return self.states.start_execution(stateMachineArn=arn, input="{}")["executionArn"]

    def follow(self, execution_arn: str) -> list[Job]:
        """Show a run until it ends; give the jobs that it started."""
        jobs = follow(self.rehearsal.console, self.states, self.personalize, execution_arn)
        if any(job.kind == "import" for job in jobs):
            self.imported = self.tonight
        return jobs

    def served(self) -> dict[str, str]:
        """Give the version that each campaign serves now."""
        return of.served_now(self.personalize, self.rehearsal.args)

    def campaigns(
        self, before: Mapping[str, str], new: Mapping[str, str], *, ask: bool = True
    ) -> list[of.Served]:
        """Give how campaigns have changed: from what they served, with the solutions' new versions.

        `ask` for what they recommend now: to the user, or beside the item that they met last.
        """
        now, found = self.served(), []
        for solution in self.rehearsal.args.solutions:
            for arn in (str(each.campaign_arn) for each in solution.campaigns):
                related_to, items = self._recommended(solution, arn) if ask else (None, [])
                found.append(
                    of.Served(
                        arn=arn,
                        before=before[arn],
                        now=now[arn],
                        new=new.get(str(solution.solution_arn)),
                        recommended=items,
                        related_to=related_to,
                    )
                )
        return found

    def _recommended(self, solution: SolutionArgs, arn: str) -> tuple[str | None, list[str]]:
        """Give the item that is asked with, None for the user, and what is recommended."""
        recipe, audience = recipe_of(solution), self.rehearsal.audience
        if recipe == RELATED_ITEMS:
            item = audience.met[0]
            return item, of.related(self.runtime, arn, item)
        if recipe == RANKING:
            return None, []
        return None, of.recommended(self.runtime, arn, audience.user_id)

    def first_run(self) -> of.Summary:
        """Put newer data, start a run, follow it, and gather what it did."""
        before = self.served()
        old = of.newest_versions(self.personalize, self.rehearsal.args)
        self.dawn()
        execution_arn = self.start()
        jobs = self.follow(execution_arn)
        report = of.report_of(self.states, execution_arn)
        new = of.new_versions(report)
        versions = [
            *(of.version(self.personalize, arn, "old") for arn in old.values()),
            *(of.version(self.personalize, arn, "new") for arn in new.values()),
        ]
        active = {each.arn for each in versions if each.age == "new" and each.status == "ACTIVE"}
        return of.Summary(
            execution_arn=execution_arn,
            report=report,
            ended=of.ending_of(self.states, execution_arn),
            steps=of.steps(
                boto3.client("logs", **self.emulator.connection),
                str(self.deployment.outputs["log_group_name"]),
                report["runId"] if report else None,
            ),
            jobs=jobs,
            versions=sorted(versions, key=lambda each: each.arn.rpartition("/")[0]),
            campaigns=self.campaigns(before, new),
            trained=all(new.get(solution) in active for solution in old),
        )


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def set_up(rehearsal: Rehearsal, emulator: Emulator, *, beside: bool = False) -> Stage:
    """Make the stack's world, and deploy the stack into it.

    `beside` another one, whose roles and policies are there already. Raises RehearsalError for
    what the emulator cannot play.
    """
    args, say = rehearsal.args, rehearsal.say
    if beside:
        role = f"arn:aws:iam::{emulator.account}:role/{rehearsal.stack}-rehearsal-import"
        args = replace(args, import_role_arn=role, permissions_boundary_arn=None)
    try:
        prepare(emulator, args, say, rehearsal.data)
        say(f"deploying stack {rehearsal.stack}")
        deployment = deploy(
            rehearsal.stack,
            endpoint=emulator.endpoint,
            project_dir=rehearsal.project_dir,
            config=rehearsal.overrides,
        )
    except ClientError as error:
        raise RehearsalError(f"the emulator cannot play this stack: {error}") from error
    if not args.paused and not args.retraining_rate.startswith("cron("):
        say("waiting for the event that a rate begins with, which starts no training")
        await_first_event(emulator, str(deployment.outputs["state_machine_arn"]))
    return Stage(rehearsal, emulator, deployment)
