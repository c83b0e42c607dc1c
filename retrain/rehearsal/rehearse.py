"""Rehearse a stack in the emulator: its world, its deployment, and how its runs end."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pulumi
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

import settings
from components.rules import arns
from emulator import EmulatorError, running
from emulator.deployer import DeploymentError
from emulator.deployer.configuration import read_project
from emulator.personalize.timeline import Duration, FixedTimings
from retrain.rehearsal import changes, prevented
from retrain.rehearsal.data.data_sets import SampleData
from retrain.rehearsal.data.own_data import own_data
from retrain.rehearsal.data.world import RehearsalError
from retrain.rehearsal.document import document
from retrain.rehearsal.environments import resolved
from retrain.rehearsal.keeping import kept
from retrain.rehearsal.play import play
from retrain.rehearsal.scenarios import Name, Scenario, chosen
from retrain.rehearsal.stage import FailedError, Rehearsal, Stage, set_up
from retrain.rehearsal.surroundings import warnings_once, without_the_callers_settings
from retrain.rehearsal.tables import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from components.args import RetrainingPipelineArgs
    from retrain.rehearsal.data.data_sets import DataSet
    from retrain.rehearsal.summary import Summary

PROJECT = Path(__file__).resolve().parents[2]
TIMINGS = FixedTimings(jobs=Duration(pending=1, in_progress=2))
"""Seconds, where the service takes minutes to hours."""
SHORT_TIMINGS = FixedTimings(jobs=Duration(pending=0.3, in_progress=0.7))
"""The same where the healthy run is only what scenarios begin with."""
UNUSABLE, FAILED = 2, 1
"""Exit codes."""
UNUSABLE_ERRORS = (pulumi.RunError, DeploymentError, EmulatorError, RehearsalError)
"""A stack or an emulator that cannot be used."""
ERRORS = (*UNUSABLE_ERRORS, BotoCoreError, ClientError, FailedError)
"""All errors that end the command with a message."""


class Opened(NamedTuple):
    """A stack that can be played on the emulator."""

    folder: Path
    """The folder of the project's files."""
    args: RetrainingPipelineArgs
    data: DataSet
    """The rows of the exports."""


class Act(NamedTuple):
    """A deployment of the stack, and the scenarios that are played on it, one after another."""

    rehearsal: Rehearsal
    scenarios: list[Scenario]


def rehearse(
    stack: str,
    *,
    scenarios: Sequence[Name] = (Name.HAPPY_PATH,),
    keep: bool = False,
    as_json: bool = False,
    data_dir: Path | None = None,
    project_dir: Path = PROJECT,
) -> int:
    """Rehearse a stack of the project; give the exit code that the command promises.

    `data_dir` holds CSV files to use instead of the
    sample data (`retrain.rehearsal.data.own_data`).
    """
    console = Console(quiet=as_json, soft_wrap=True)
    try:
        with opened(project_dir, stack, data_dir) as (folder, args, data):
            happy = bool({Name.HAPPY_PATH, Name.ALL} & set(scenarios))
            wanted = _playable(console, stack, args, scenarios)
            acts = _acts(console, stack, folder, data, wanted)
            return _rehearse(console, acts, happy=happy, keep=keep)
    except ERRORS as error:
        return complain(error)


@contextmanager
def opened(project_dir: Path, stack: str, data_dir: Path | None) -> Iterator[Opened]:
    """Read a stack, and yield it. The AWS settings of the caller are left out meanwhile."""
    with (
        resolved(project_dir, stack) as folder,
        without_the_callers_settings(),
        warnings_once(),
    ):
        args, _ = settings_of(folder, stack, changes.nothing)
        keys = list(args.datasets.configured())
        yield Opened(folder, args, own_data(data_dir, keys) if data_dir else SampleData())


def _playable(
    console: Console, stack: str, args: RetrainingPipelineArgs, names: Sequence[Name]
) -> list[Scenario]:
    """Give the scenarios to play; of `all`, those that the stack can.

    Raises RehearsalError with all that were asked for by name and the stack cannot.
    """
    asked = chosen(names)
    unfit = {each.name: why for each in asked if (why := each.needs(args)) is not None}
    if refused := [f"  {name}: {why}" for name, why in unfit.items() if name in names]:
        count = "1 scenario" if len(refused) == 1 else f"{len(refused)} scenarios"
        raise RehearsalError("\n".join([f"{count} that stack {stack} cannot rehearse:", *refused]))
    for name, why in unfit.items():
        console.print(f"left out: {name}: {why}", style="dim", highlight=False, markup=False)
    return [each for each in asked if each.name not in unfit]


def _acts(
    console: Console,
    stack: str,
    project_dir: Path,
    data: DataSet,
    scenarios: Sequence[Scenario],
) -> list[Act]:
    """Give the deployments that are needed: the stack's own, and others for changed configs."""
    acts = []
    for change in dict.fromkeys([changes.nothing, *(each.change for each in scenarios)]):
        args, overrides = settings_of(project_dir, stack, change)
        rehearsal = Rehearsal(console, stack, project_dir, args, data, overrides)
        acts.append(Act(rehearsal, [each for each in scenarios if each.change == change]))
    return acts


def _rehearse(console: Console, acts: Sequence[Act], *, happy: bool, keep: bool) -> int:
    first, *others = acts
    needed = [first, *others] if happy or first.scenarios else others
    run: Mapping[str, object] = {}
    told: list[prevented.Told] = []
    succeeded = True
    for act in needed:
        rehearsal, home = act.rehearsal, home_of(act.rehearsal.args)
        show_run = happy and act is first
        timings = TIMINGS if show_run else SHORT_TIMINGS
        with running(account=home.account, region=home.region, timings=timings) as emulator:
            rehearsal.say(f"account {home.account}, {home.region}: {emulator.endpoint}")
            stage = set_up(rehearsal, emulator)
            summary = stage.first_run()
            if show_run:
                succeeded = summary.succeeded
                run = document(summary, stack=rehearsal.stack, audience=rehearsal.audience)
                _show(rehearsal, summary)
            told += _play(stage, summary, act.scenarios)
            if act is needed[-1]:
                succeeded = succeeded and all(each.as_designed for each in told)
                _conclude(console, told)
                if console.quiet:
                    _print_document(rehearsal.stack, run, told, succeeded=succeeded)
                if keep:
                    kept(stage, Console(stderr=console.quiet, soft_wrap=True))
    return 0 if succeeded else FAILED


def _play(stage: Stage, summary: Summary, scenarios: Sequence[Scenario]) -> list[prevented.Told]:
    """Play scenarios after a healthy run, and tell each. Raises FailedError if it was not."""
    if scenarios and not summary.succeeded:
        why = summary.report["text"] if summary.report else summary.ended
        raise FailedError(f"scenarios begin after a healthy run, and this one was not: {why}")
    told = []
    for scenario in scenarios:
        told.append(prevented.told(scenario, play(stage, scenario)))
        prevented.tell(stage.rehearsal.console, told[-1])
    return told


def _conclude(console: Console, told: Sequence[prevented.Told]) -> None:
    good = sum(each.as_designed for each in told)
    if told:
        colour = "green" if good == len(told) else "red"
        what = "scenario" if len(told) == 1 else "scenarios"
        console.print(f"\n[{colour}]{good} of {len(told)} {what} ended as designed.[/]")


def _print_document(
    stack: str,
    run: Mapping[str, object],
    told: Sequence[prevented.Told],
    *,
    succeeded: bool,
) -> None:
    whole = {"stack": stack, **run, "succeeded": succeeded}
    if told:
        whole["scenarios"] = [prevented.document(each) for each in told]
    print(json.dumps(whole, indent=2), flush=True)  # noqa: T201  # this is a command


def complain(error: Exception) -> int:
    """Print one of ERRORS. Return the exit code of the command."""
    Console(stderr=True, soft_wrap=True).print(f"{error}", highlight=False, markup=False)
    return UNUSABLE if isinstance(error, UNUSABLE_ERRORS) else FAILED


def settings_of(
    project_dir: Path, stack: str, change: changes.Change
) -> tuple[RetrainingPipelineArgs, dict[str, str]]:
    """Give what a stack's config means, with what a rehearsal changes in it, and those changes."""
    file = project_dir / f"Pulumi.{stack}.yaml"
    if not file.is_file():
        stacks = sorted(each.name.split(".")[1] for each in project_dir.glob("Pulumi.*.yaml"))
        known = f"the stacks here are {', '.join(stacks)}" if stacks else "there are no stacks here"
        raise RehearsalError(f"{file}: there is no such file; {known}")
    project = read_project(project_dir, stack, {})
    today = datetime.now(tz=UTC).date()
    settings.parse_stack(project.name, stack, project.config, today=today)
    config = changes.decoded(project.config, project.name)
    hurried = changes.hurried(config)
    overrides = changes.encoded({**hurried, **change({**config, **hurried})})
    changed = read_project(project_dir, stack, overrides).config
    return settings.parse_stack(project.name, stack, changed, today=today), overrides


def home_of(args: RetrainingPipelineArgs) -> arns.Home:
    """Return the home of a stack's ARNs. Raises RehearsalError if its partition is not aws."""
    arn = arns.parse(str(args.solutions[0].solution_arn))
    assert arn is not None, "settings.py has judged it"
    if arn.partition != "aws":
        raise RehearsalError(
            f"the stack is in partition {arn.partition}, and the emulator plays partition aws "
            "alone; to rehearse it, copy its file and put the ARNs and the region of aws there"
        )
    return arn.home


def _show(rehearsal: Rehearsal, summary: Summary) -> None:
    if not rehearsal.console.quiet:
        show(rehearsal.console, summary, audience=rehearsal.audience)
