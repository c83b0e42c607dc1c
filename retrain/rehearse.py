"""Rehearse a stack in the emulator: its world, its deployment, and one run of the schedule's."""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pulumi
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

import settings
from components import arns
from emulator import Emulator, EmulatorError, running
from emulator.data_sets import DataSet, SampleData, Viewer, newest_viewer
from emulator.deployer import Deployment, DeploymentError, deploy
from emulator.deployer.configuration import read_project
from emulator.own_data import own_data
from emulator.personalize.timeline import Duration, FixedTimings
from emulator.rehearsal import RehearsalError, prepare, put_newer_exports, slot_to_fire
from retrain import summary as of
from retrain.document import document
from retrain.progress import follow
from retrain.tables import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.args import RetrainingPipelineArgs

PROJECT = Path(__file__).resolve().parents[1]
TIMINGS = FixedTimings(jobs=Duration(pending=1, in_progress=2))
"""Seconds, where the service takes minutes to hours."""
UNUSABLE, FAILED = 2, 1
TICK_SECONDS = 0.2


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

    @cached_property
    def viewer(self) -> Viewer:
        """The user for whom recommendations are asked."""
        return newest_viewer(self.data)

    def say(self, what: str) -> None:
        """Tell what happens now."""
        self.console.print(what, style="dim", highlight=False, markup=False)


def rehearse(
    stack: str,
    *,
    keep: bool = False,
    as_json: bool = False,
    data_dir: Path | None = None,
    project_dir: Path = PROJECT,
) -> int:
    """Rehearse a stack of the project; give the exit code that the command promises.

    `data_dir` holds CSV files to use instead of the sample data (`emulator.own_data`).
    """
    console = Console(quiet=as_json, soft_wrap=True)
    try:
        with _without_the_callers_settings():
            args = _settings(project_dir, stack)
            keys = [key for key, _ in args.datasets.configured()]
            data = own_data(data_dir, keys) if data_dir else SampleData()
            return _rehearse(Rehearsal(console, stack, project_dir, args, data), keep=keep)
    except (pulumi.RunError, DeploymentError, EmulatorError, RehearsalError) as error:
        return _complain(error, UNUSABLE)
    except (BotoCoreError, FailedError) as error:
        return _complain(error, FAILED)


def _rehearse(rehearsal: Rehearsal, *, keep: bool) -> int:
    home = _home(rehearsal.args)
    with running(account=home.account, region=home.region, timings=TIMINGS) as emulator:
        rehearsal.say(f"account {home.account}, {home.region}: {emulator.endpoint}")
        summary = _run(rehearsal, emulator)
        _tell(rehearsal, summary)
        if keep:
            _keep(emulator, Console(stderr=rehearsal.console.quiet, soft_wrap=True))
    return 0 if summary.succeeded else FAILED


def _complain(error: Exception, code: int) -> int:
    Console(stderr=True, soft_wrap=True).print(f"{error}", highlight=False, markup=False)
    return code


@contextmanager
def _without_the_callers_settings() -> Iterator[None]:
    """Leave out the caller's AWS settings and proxies: nothing here may reach a real account."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    # When the emulator has ended, threads of a deployment that was interrupted give up at once.
    os.environ["AWS_MAX_ATTEMPTS"] = "2"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _settings(project_dir: Path, stack: str) -> RetrainingPipelineArgs:
    file = project_dir / f"Pulumi.{stack}.yaml"
    if not file.is_file():
        stacks = sorted(each.name.split(".")[1] for each in project_dir.glob("Pulumi.*.yaml"))
        known = f"the stacks here are {', '.join(stacks)}" if stacks else "there are no stacks here"
        raise RehearsalError(f"{file}: there is no such file; {known}")
    project = read_project(project_dir, stack, {})
    return settings.parse_stack(project.name, stack, project.config)


def _home(args: RetrainingPipelineArgs) -> arns.Home:
    arn = arns.parse(str(args.solutions[0].solution_arn))
    assert arn is not None, "settings.py has judged it"
    if arn.partition != "aws":
        raise RehearsalError(
            f"the stack is in partition {arn.partition}, and the emulator plays partition aws "
            "alone; to rehearse it, copy its file and put the ARNs and the region of aws there"
        )
    return arn.home


def _run(rehearsal: Rehearsal, emulator: Emulator) -> of.Summary:
    args, say = rehearsal.args, rehearsal.say
    personalize = boto3.client("personalize", **emulator.connection)
    try:
        prepare(emulator, args, say, rehearsal.data)
        served, old = of.served_now(personalize, args), of.newest_versions(personalize, args)
        say("putting newer data into S3")
        put_newer_exports(emulator, args, rehearsal.data)
        say(f"deploying stack {rehearsal.stack}")
        deployment = deploy(
            rehearsal.stack, endpoint=emulator.endpoint, project_dir=rehearsal.project_dir
        )
    except ClientError as error:
        raise RehearsalError(f"the emulator cannot play this stack: {error}") from error
    states = boto3.client("stepfunctions", **emulator.connection)
    execution_arn = _start(rehearsal, emulator, deployment)
    jobs = follow(rehearsal.console, states, personalize, execution_arn)
    report = of.report_of(states, execution_arn)
    new = of.new_versions(report)
    versions = [
        *(of.version(personalize, arn, "old") for arn in old.values()),
        *(of.version(personalize, arn, "new") for arn in new.values()),
    ]
    active = {each.arn for each in versions if each.age == "new" and each.status == "ACTIVE"}
    return of.Summary(
        execution_arn=execution_arn,
        report=report,
        ended=of.ending_of(states, execution_arn),
        steps=of.steps(
            boto3.client("logs", **emulator.connection),
            str(deployment.outputs["log_group_name"]),
            report["runId"] if report else None,
        ),
        jobs=jobs,
        versions=sorted(versions, key=lambda each: each.arn.rpartition("/")[0]),
        campaigns=_served(rehearsal, emulator, served, new),
        trained=all(new.get(solution) in active for solution in old),
    )


def _start(rehearsal: Rehearsal, emulator: Emulator, deployment: Deployment) -> str:
    """Start a run as the schedule does; by hand where the stack is paused. Give its ARN."""
    schedule_arn = str(deployment.outputs["schedule_arn"])
    slot = slot_to_fire(emulator, schedule_arn)
    if slot is None:
        rehearsal.say("the stack is paused, its schedule disabled: starting a run by hand")
        return boto3.client("stepfunctions", **emulator.connection).start_execution(
            stateMachineArn=str(deployment.outputs["state_machine_arn"]), input="{}"
        )["executionArn"]
    group, schedule = schedule_arn.split("/")[1:]
    rehearsal.say(f"firing the schedule for its slot {slot}")
    try:
        return emulator.fire(schedule, group, slot)
    except EmulatorError as error:
        raise FailedError(f"the schedule starts no run: {error}") from error


def _served(
    rehearsal: Rehearsal, emulator: Emulator, before: dict[str, str], new: dict[str, str]
) -> list[of.Served]:
    personalize = boto3.client("personalize", **emulator.connection)
    runtime = boto3.client("personalize-runtime", **emulator.connection)
    now = of.served_now(personalize, rehearsal.args)
    return [
        of.Served(
            arn=campaign,
            before=before[campaign],
            now=now[campaign],
            new=new.get(solution),
            recommended=of.recommended(runtime, campaign, rehearsal.viewer.user_id),
        )
        for solution, campaign in of.campaigns_of(rehearsal.args)
    ]


def _tell(rehearsal: Rehearsal, summary: of.Summary) -> None:
    viewer, titles = rehearsal.viewer, rehearsal.data.titles()
    if rehearsal.console.quiet:
        told = document(
            summary,
            stack=rehearsal.stack,
            user_id=viewer.user_id,
            met=viewer.met,
            titles=titles,
        )
        print(json.dumps(told, indent=2), flush=True)  # noqa: T201  # this is a command
    else:
        show(rehearsal.console, summary, user_id=viewer.user_id, met=viewer.met, titles=titles)


def _keep(emulator: Emulator, console: Console) -> None:
    """Say how to talk to the emulator, and stay until Ctrl-C or SIGTERM."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    exports = "\n".join(f"export {name}={value}" for name, value in emulator.exports.items())
    console.print(
        f"\nThe emulator stays up until Ctrl-C. In the shells that use it:\n\n{exports}\n",
        highlight=False,
        markup=False,
    )
    while emulator.alive() and not stop.wait(TICK_SECONDS):
        pass
    for number, handler in before.items():
        signal.signal(number, handler)
    if not stop.is_set():
        raise FailedError("the emulator has died")
