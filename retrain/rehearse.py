"""Rehearse a stack in the emulator: its world, its deployment, and how its runs end."""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pulumi
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

import settings
from components import arns
from emulator import Emulator, EmulatorError, running
from emulator.data_sets import SampleData
from emulator.deployer import DeploymentError
from emulator.deployer.configuration import read_project
from emulator.own_data import own_data
from emulator.personalize.timeline import Duration, FixedTimings
from emulator.rehearsal import RehearsalError
from retrain import changes, prevented
from retrain.document import document
from retrain.play import play
from retrain.scenarios import Name, Scenario, chosen
from retrain.stage import FailedError, Rehearsal, Stage, set_up
from retrain.tables import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from components.args import RetrainingPipelineArgs
    from emulator.data_sets import DataSet
    from retrain.summary import Summary

PROJECT = Path(__file__).resolve().parents[1]
TIMINGS = FixedTimings(jobs=Duration(pending=1, in_progress=2))
"""Seconds, where the service takes minutes to hours."""
SHORT_TIMINGS = FixedTimings(jobs=Duration(pending=0.3, in_progress=0.7))
"""The same where the healthy run is only what scenarios begin with."""
UNUSABLE, FAILED = 2, 1
TICK_SECONDS = 0.2


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
    sample data (`emulator.own_data`).
    """
    console = Console(quiet=as_json, soft_wrap=True)
    try:
        with _without_the_callers_settings():
            args, _ = settings_of(project_dir, stack, changes.nothing)
            keys = [key for key, _ in args.datasets.configured()]
            data = own_data(data_dir, keys) if data_dir else SampleData()
            happy = bool({Name.HAPPY_PATH, Name.ALL} & set(scenarios))
            wanted = _playable(console, args, scenarios)
            acts = _acts(console, stack, project_dir, data, wanted)
            return _rehearse(console, acts, happy=happy, keep=keep)
    except (pulumi.RunError, DeploymentError, EmulatorError, RehearsalError) as error:
        return _complain(error, UNUSABLE)
    except (BotoCoreError, ClientError, FailedError) as error:
        return _complain(error, FAILED)


def _playable(
    console: Console, args: RetrainingPipelineArgs, names: Sequence[Name]
) -> list[Scenario]:
    """Give the scenarios to play; of `all`, those that the stack can.

    Raises RehearsalError for one that was asked for by name and the stack cannot.
    """
    playable = []
    for each in chosen(names):
        why = each.needs(args)
        if why is None:
            playable.append(each)
        elif each.name in names:
            raise RehearsalError(f"this stack cannot rehearse {each.name}: {why}")
        else:
            console.print(f"left out: {each.name}: {why}", style="dim", highlight=False)
    return playable


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
        rehearsal, home = act.rehearsal, _home(act.rehearsal.args)
        show_run = happy and act is first
        timings = TIMINGS if show_run else SHORT_TIMINGS
        with running(account=home.account, region=home.region, timings=timings) as emulator:
            rehearsal.say(f"account {home.account}, {home.region}: {emulator.endpoint}")
            stage = set_up(rehearsal, emulator)
            summary = stage.first_run()
            if show_run:
                succeeded = summary.succeeded
                run = _document(rehearsal, summary)
                _show(rehearsal, summary)
            told += _play(stage, summary, act.scenarios)
            if act is needed[-1]:
                succeeded = succeeded and all(each.as_designed for each in told)
                _conclude(console, told)
                if console.quiet:
                    _print_document(rehearsal.stack, run, told, succeeded=succeeded)
                if keep:
                    _keep(emulator, Console(stderr=console.quiet, soft_wrap=True))
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


def _home(args: RetrainingPipelineArgs) -> arns.Home:
    arn = arns.parse(str(args.solutions[0].solution_arn))
    assert arn is not None, "settings.py has judged it"
    if arn.partition != "aws":
        raise RehearsalError(
            f"the stack is in partition {arn.partition}, and the emulator plays partition aws "
            "alone; to rehearse it, copy its file and put the ARNs and the region of aws there"
        )
    return arn.home


def _show(rehearsal: Rehearsal, summary: Summary) -> None:
    viewer, titles = rehearsal.viewer, rehearsal.data.titles()
    if not rehearsal.console.quiet:
        show(rehearsal.console, summary, user_id=viewer.user_id, met=viewer.met, titles=titles)


def _document(rehearsal: Rehearsal, summary: Summary) -> dict[str, object]:
    viewer, titles = rehearsal.viewer, rehearsal.data.titles()
    return document(
        summary, stack=rehearsal.stack, user_id=viewer.user_id, met=viewer.met, titles=titles
    )


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
