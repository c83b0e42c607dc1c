"""Rehearses a stack in the emulator, or runs the emulator with what a stack names."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from tempfile import mkdtemp
from typing import TYPE_CHECKING
from urllib.error import URLError

import pulumi

from emulator import Emulator, EmulatorError, running
from emulator.deployer.errors import DeploymentError
from emulator.personalize.timeline import Duration, FixedTimings
from functions.common.aws import NO_RESPONSE_ERRORS
from functions.common.messages import format_message
from functions.report.mail import format_report
from retrain.account import output, pulumi_cli
from retrain.account.errors import AWS_ERRORS, EXIT_FAILED, FailedError, OperatorError
from retrain.look.lines import Line, print_lines
from retrain.rehearsal.play import POLL_SECONDS, Result, deploy_stack, today
from retrain.rehearsal.scenarios import Check, select
from retrain.rehearsal.stack import open_stack
from retrain.rehearsal.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from retrain.look.run_view import ShownRun
    from retrain.rehearsal.play import DeployedStack
    from retrain.rehearsal.scenarios import Name, Scenario
    from retrain.rehearsal.stack import Stack

PROVIDER = Path(__file__).resolve().parents[2] / "emulator" / "deployer" / "plugin"
"""The folder of the emulator's AWS provider. The Pulumi CLI finds it on the PATH."""
REHEARSED_JOBS = FixedTimings(jobs=Duration(pending=0.3, in_progress=0.7))
"""Seconds that a job takes in a rehearsal, which is long enough to see it."""
EMULATED_JOBS = FixedTimings(jobs=Duration(pending=1, in_progress=2))
PULUMI_COMMANDS = ("pulumi", "pulumi-language-python")
"""The CLI and the host of Python programs, which may be in two folders."""
PASTE = (
    "The emulator runs until you press Ctrl-C. Paste these lines into bash in another shell. Then "
    "boto3, Pulumi, retrain and the AWS CLI use it. For SQS, version 1 of the AWS CLI also needs "
    '`--endpoint-url "$AWS_ENDPOINT_URL"`'
)
NEXT = "S3 has newer exports. To see what a run would do, to start it, and to list all runs"


def rehearse(
    stack_name: str,
    *,
    scenarios: Sequence[Name] = (),
    keep: bool = False,
    as_json: bool = False,
    data_dir: Path | None = None,
) -> int:
    """Play the happy path and other scenarios on a stack. Return the exit code of the command."""
    with _running_stack(stack_name, data_dir, REHEARSED_JOBS) as (stack, emulator):
        chosen, results = _playable(stack, scenarios), []
        deployed = deploy_stack(stack, emulator)
        for scenario in chosen:
            if not as_json:
                print_lines(
                    [
                        Line(0, ""),
                        Line(0, f"Scenario {scenario.name}", label_style="bold"),
                        Line(1, "what happens", scenario.story),
                        Line(1, "expected", scenario.promise),
                    ]
                )
            try:
                results.append(deployed.play(scenario))
            except (*AWS_ERRORS, OperatorError, EmulatorError) as error:
                if not emulator.alive():
                    raise
                # The others are played.
                results.append(Result(scenario, error=f"the scenario did not end: {error}"))
            if not as_json:
                _print_result(results[-1], deployed)
        failed = [result.scenario.name for result in results if not result.is_as_designed]
        if as_json:
            documents = [_document(result) for result in results]
            output.print_json(
                {"stack": stack_name, "succeeded": not failed, "scenarios": documents}
            )
        else:
            ended = f"{len(results) - len(failed)} of {len(results)} scenarios ended as designed"
            text = f"{ended}, but not {', '.join(failed)}." if failed else f"{ended}."
            print_lines([Line(0, ""), Line(0, "", text, "red" if failed else "green")])
        if keep:
            deployed.world.write_newer_exports(today())
            words = (["plan"], ["start", "--watch"], ["history"])
            _wait(emulator, {NEXT: [deployed.target.command(*command) for command in words]})
    return EXIT_FAILED if failed else 0


def _playable(stack: Stack, names: Sequence[Name]) -> list[Scenario]:
    """Return the happy path and the scenarios with these names.

    ALL leaves out what the stack cannot play. Raises OperatorError if it is requested by its name.
    """
    obstacles = {scenario.name: scenario.obstacle(stack.args) for scenario in select(names)}
    refused = [f"  {name}: {text}" for name, text in obstacles.items() if text and name in names]
    if refused:
        raise OperatorError("\n".join([f"stack {stack.name} cannot play:", *refused]))
    for name, text in obstacles.items():
        if text:
            output.print_message(f"left out: {name}: {text}")
    return [
        scenario.adapted_to(stack.args)
        for scenario in select(names)
        if not obstacles[scenario.name]
    ]


def _print_result(result: Result, deployed: DeployedStack) -> None:
    """Print what happened in a scenario, and what it prevented.

    The report is shown if the run has not done what it should, because it says what to do.
    """
    scenario, run, is_good = result.scenario, result.run, result.is_as_designed
    if run:
        print_lines([Line(0, ""), *run.lines()])
    if run and run.report and is_good and not scenario.prevented:
        print_lines([*_warning_lines(run), *deployed.trials(run.report)])
        print_lines([Line(0, ""), *deployed.recommendations(run.report)])
    if run and run.report and not is_good:
        # A line break within a command of the report would be pasted with it.
        text = format_report(run.report, pipeline_options=run.pipeline_options)
        output.result_console().print(f"\n{text.rstrip()}", soft_wrap=True)
    error = [Check(result.error, is_met=False)] if result.error else []
    lines = [Line(0, "")]
    for text, is_met in [*error, *result.checks]:
        mark, style = ("✓", "green") if is_met else ("✗", "bold red")
        lines.append(Line(1, "", f"{mark} {text}", style))
    print_lines(lines)
    verdict, style = ("prevented", "green") if is_good else ("NOT PREVENTED", "bold red")
    is_known = scenario.prevented and not result.error
    lines = [Line(1, verdict, scenario.prevented, label_style=style)] if is_known else []
    print_lines(lines if is_good else [*lines, Line(1, "what to do", scenario.way_out)])


def _warning_lines(run: ShownRun) -> Iterator[Line]:
    """Yield what the report warns of although the run has ended well."""
    warnings = run.report["warnings"] if run.report else []
    for warning in warnings:
        text = format_message(warning, run.pipeline_options)
        yield Line(1, "warning", text, label_style="yellow")


def _document(result: Result) -> dict[str, object]:
    """Return what `--json` prints about a scenario."""
    scenario = result.scenario
    return {
        "scenario": scenario.name,
        "isAsDesigned": result.is_as_designed,
        "prevented": scenario.prevented or None,
        "wayOut": None if result.is_as_designed else scenario.way_out,
        "checks": [{"text": check.text, "isMet": check.is_met} for check in result.checks],
        "error": result.error,
        "run": result.run and result.run.document(),
    }


def emulate(stack_name: str, *, port: int = 4566, data_dir: Path | None = None) -> int:
    """Run the emulator with what a stack names until Ctrl-C. Return the command's exit code."""
    opened = _running_stack(stack_name, data_dir, EMULATED_JOBS, port)
    with opened as (stack, emulator):
        world = World(emulator, stack.args, stack.data)
        world.create()
        world.write_newer_exports(today())
        new_stack = "prod" if stack_name != "prod" else "adopted"
        adopt = f"retrain adopt --stack {new_stack} --dataset-group-arn {world.group_arn}"
        # A second shell that gets the same lines finds the same stack.
        state = f"export PULUMI_BACKEND_URL=file://{mkdtemp()} PULUMI_CONFIG_PASSPHRASE="
        purposes = {
            f"It has everything that stack {stack_name} names, and newer exports for the next run. "
            "Keep the state of Pulumi in a new folder": [state],
            "Deploy the stack": [f"pulumi stack init {stack_name}", f"pulumi up -s {stack_name}"],
            "Or adopt the dataset group, and go on as in docs/rehearsal.md": [adopt],
        }
        _wait(emulator, purposes)
    return 0


@contextmanager
def _running_stack(
    name: str, data_dir: Path | None, jobs: FixedTimings, port: int = 0
) -> Iterator[tuple[Stack, Emulator]]:
    """Run an emulator of the account and the region of a stack during the block.

    In the block, boto3 uses the emulator. Raises OperatorError if the stack or the emulator cannot
    be used.
    """
    try:
        with open_stack(pulumi_cli.PROJECT_DIR, name, data_dir) as stack:
            region, account = stack.args.first_dataset_arn.split(":")[3:5]
            with running(port=port, account=account, region=region, timings=jobs) as emulator:
                output.print_progress(f"account {account}, {region}: {emulator.endpoint}")
                os.environ.update(emulator.exports)
                yield stack, emulator
    except (pulumi.RunError, DeploymentError, EmulatorError) as error:
        raise OperatorError(str(error)) from error
    except (*NO_RESPONSE_ERRORS, URLError) as error:
        message = f"the emulator does not answer ({error}); start the command again"
        raise FailedError(message) from error


def _wait(emulator: Emulator, purposes: Mapping[str, Sequence[str]]) -> None:
    """Print how to use the emulator, and wait until Ctrl-C or SIGTERM.

    `purposes` says what each group of commands is for. Raises FailedError if the emulator dies.
    """
    # The other shell may not know the CLI, for example if `tools.py` has built it for this shell.
    cli_paths = [path for path in map(which, PULUMI_COMMANDS) if path]
    folders = [str(Path(path).parent) for path in [sys.executable, *cli_paths]]
    path = os.pathsep.join([*dict.fromkeys([*folders, str(PROVIDER)]), "$PATH"])
    variables = {**emulator.exports, "PATH": f'"{path}"'}
    exports = [f"export {name}={value}" for name, value in variables.items()]
    # A signal is a SystemExit, unless something else than `python -m retrain` has called this.
    with suppress(KeyboardInterrupt, SystemExit):
        for purpose, commands in {PASTE: exports, **purposes}.items():
            output.print_command(f"\n{purpose}", "\n".join(commands))
        while emulator.alive():
            time.sleep(POLL_SECONDS)
        raise FailedError("the emulator ended unexpectedly; start the command again")
