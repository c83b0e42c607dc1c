"""Rehearse a stack in the emulator: its world, its deployment, and one run of the schedule's."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from rich.console import Console

import settings
from components import arns
from emulator import Emulator, EmulatorError, running
from emulator.deployer import DeploymentError, deploy
from emulator.deployer.configuration import read_project
from emulator.personalize.timeline import Duration, FixedTimings
from emulator.rehearsal import prepare, put_newer_exports
from emulator.sample_data import sample_data
from retrain.progress import follow
from retrain.summary import (
    NoReportError,
    Served,
    Summary,
    metrics_of,
    recommended,
    report_of,
    served_now,
    show,
    steps,
)

if TYPE_CHECKING:
    from components.args import RetrainingPipelineArgs

PROJECT = Path(__file__).resolve().parents[1]
TIMINGS = FixedTimings(jobs=Duration(pending=1, in_progress=2))
"""Seconds, where the service takes minutes to hours."""
UNUSABLE, FAILED = 2, 1


def rehearse(stack: str, *, keep: bool, as_json: bool) -> int:
    """Rehearse a stack; give the exit code that the command promises."""
    console = Console(stderr=as_json, quiet=as_json, soft_wrap=True)
    try:
        args = _settings(stack)
        arn = arns.parse(str(args.solutions[0].solution_arn))
        assert arn is not None, "settings.py has judged it"
        with running(account=arn.account, region=arn.region, timings=TIMINGS) as emulator:
            summary = _run(console, emulator, stack, args)
            if as_json:
                print(json.dumps(summary.document(), indent=2, default=str))  # noqa: T201
            else:
                show(console, summary)
            if keep:
                _keep(emulator)
    except (settings.SettingsError, DeploymentError, EmulatorError, NoReportError) as error:
        Console(stderr=True, soft_wrap=True).print(f"{error}", highlight=False, markup=False)
        return UNUSABLE
    return 0 if summary.succeeded else FAILED


def _settings(stack: str) -> RetrainingPipelineArgs:
    project = read_project(PROJECT, stack, {})
    return settings.parse_stack(project.name, stack, project.config)


def _run(console: Console, emulator: Emulator, stack: str, args: RetrainingPipelineArgs) -> Summary:
    personalize = boto3.client("personalize", **emulator.connection)

    def say(what: str) -> None:
        console.print(what, style="dim", highlight=False)

    say(f"an AWS for account {emulator.account} in {emulator.region} serves {emulator.endpoint}")
    prepare(emulator, args, say)
    before = served_now(personalize, args)
    say("putting two weeks of newer data into S3")
    put_newer_exports(emulator, args)
    say(f"deploying stack {stack}")
    deployment = deploy(stack, endpoint=emulator.endpoint, project_dir=PROJECT)
    group, schedule = str(deployment.outputs["schedule_arn"]).split(":schedule/")[1].split("/")
    say(f"firing the schedule {schedule}")
    execution_arn = emulator.fire(schedule, group)
    states = boto3.client("stepfunctions", **emulator.connection)
    jobs = follow(console, states, personalize, execution_arn)
    report = report_of(states, execution_arn)
    new = {each["solutionArn"]: each["solutionVersionArn"] for each in report["solutions"]}
    trained = [arn for arn in new.values() if arn]
    return Summary(
        run=report,
        steps=steps(
            boto3.client("logs", **emulator.connection), str(deployment.outputs["log_group_name"])
        ),
        jobs=jobs,
        metrics=metrics_of(personalize, list(dict.fromkeys([*before.values(), *trained]))),
        campaigns=_served(emulator, args, before, new),
    )


def _served(
    emulator: Emulator,
    args: RetrainingPipelineArgs,
    before: dict[str, str],
    new: dict[str, str | None],
) -> list[Served]:
    personalize = boto3.client("personalize", **emulator.connection)
    runtime = boto3.client("personalize-runtime", **emulator.connection)
    now = served_now(personalize, args)
    catalogue = sample_data(days=0)
    return [
        Served(
            campaign=arn.rpartition("/")[2],
            before=before[arn],
            now=now[arn],
            new=new.get(str(solution.solution_arn)),
            **recommended(runtime, arn, users=catalogue["USERS"], items=catalogue["ITEMS"]),
        )
        for solution in args.solutions
        for arn in (str(each.campaign_arn) for each in solution.campaigns)
    ]


def _keep(emulator: Emulator) -> None:
    """Stay until Ctrl-C, and say how to talk to the emulator."""
    exports = "\n".join(f"export {name}={value}" for name, value in emulator.exports.items())
    Console(stderr=True).print(
        f"\nThe emulator stays up until Ctrl-C. In the shells that use it:\n\n{exports}\n",
        highlight=False,
        markup=False,
    )
    with suppress(KeyboardInterrupt):
        emulator.process.wait()
