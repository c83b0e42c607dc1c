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
from retrain.account import output
from retrain.account.errors import AWS_ERRORS, EXIT_FAILED, FailedError, OperatorError
from retrain.rehearsal.play import POLL_SECONDS, deploy_stack
from retrain.rehearsal.resources import StackResources, today
from retrain.rehearsal.results import (
    Result,
    build_document,
    print_result,
    print_story,
    print_summary,
)
from retrain.rehearsal.scenarios import list_scenarios
from retrain.rehearsal.stack import open_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from retrain.rehearsal.play import DeployedStack
    from retrain.rehearsal.scenarios import Scenario, ScenarioName
    from retrain.rehearsal.stack import Stack

PROVIDER_FOLDER = Path(__file__).resolve().parents[2] / "emulator" / "deployer" / "plugin"
"""Contains the emulator's AWS provider. The Pulumi CLI finds it on the PATH."""
REHEARSED_JOBS = FixedTimings(jobs=Duration(pending=0.3, in_progress=0.7))
"""Seconds that a job takes in a rehearsal, which is long enough to see it."""
EMULATED_JOBS = FixedTimings(jobs=Duration(pending=1, in_progress=2))
PULUMI_COMMANDS = ("pulumi", "pulumi-language-python")
"""The CLI and the host of Python programs, which may be in two folders."""
PASTE_EXPORTS = (
    "The emulator runs until you press Ctrl-C. Paste these lines into bash in another shell. Then "
    "boto3, Pulumi, retrain and the AWS CLI use it. For SQS, version 1 of the AWS CLI also needs "
    '`--endpoint-url "$AWS_ENDPOINT_URL"`'
)
NEXT_COMMANDS = (
    "S3 has newer exports. To see what a run would do, to start it, and to list all runs"
)


def rehearse(
    stack_name: str,
    *,
    scenarios: Sequence[ScenarioName] = (),
    keep: bool = False,
    as_json: bool = False,
    data_dir: Path | None = None,
) -> int:
    """Play the happy path and other scenarios on a stack. Return the exit code of the command."""
    with _emulate_stack(stack_name, data_dir, REHEARSED_JOBS) as (stack, emulator):
        playable_scenarios = _choose_scenarios(stack, scenarios)
        deployed = deploy_stack(stack, emulator)
        results = [
            _play(deployed, scenario, is_shown=not as_json) for scenario in playable_scenarios
        ]
        _print_results(stack_name, results, as_json=as_json)

        if keep:
            _keep_running(deployed)

    if all(result.is_as_designed for result in results):
        return 0
    return EXIT_FAILED


def _choose_scenarios(stack: Stack, names: Sequence[ScenarioName]) -> list[Scenario]:
    """Choose the happy path and the scenarios with these names that the stack can play.

    ALL leaves out the others. Raises OperatorError if one of them is requested by its name.
    """
    playable = []
    refused = []
    for scenario in list_scenarios(names):
        obstacle = scenario.find_obstacle(stack.args)
        if obstacle is None:
            playable.append(scenario)
        elif scenario.name in names:
            refused.append(f"  {scenario.name}: {obstacle}")
        else:
            output.print_message(f"left out: {scenario.name}: {obstacle}")

    if refused:
        raise OperatorError("\n".join([f"stack {stack.name} cannot play:", *refused]))
    return playable


def _play(deployed: DeployedStack, scenario: Scenario, *, is_shown: bool) -> Result:
    """Play a scenario, and print its story before and its result after it, unless JSON follows."""
    if is_shown:
        print_story(scenario)

    result = _play_to_the_end(deployed, scenario)

    if is_shown:
        print_result(result, deployed)
    return result


def _play_to_the_end(deployed: DeployedStack, scenario: Scenario) -> Result:
    """Play a scenario. An error is its result, so that the other scenarios are still played."""
    try:
        return deployed.play(scenario)
    except (*AWS_ERRORS, OperatorError, EmulatorError) as error:
        if not deployed.resources.emulator.is_alive():
            raise
        return Result(scenario, error=f"the scenario did not end: {error}")


def _print_results(stack_name: str, results: Sequence[Result], *, as_json: bool) -> None:
    if as_json:
        output.print_json(build_document(stack_name, results))
    else:
        print_summary(results)


def _keep_running(deployed: DeployedStack) -> None:
    """Keep the emulator with newer exports, so that the user can start the next run."""
    deployed.resources.write_newer_exports(today())

    command = deployed.target.command
    _wait(
        deployed.resources.emulator,
        {NEXT_COMMANDS: [command("plan"), command("start", "--watch"), command("history")]},
    )


def emulate(stack_name: str, *, port: int = 4566, data_dir: Path | None = None) -> int:
    """Run the emulator with what a stack names until Ctrl-C. Return the command's exit code."""
    emulated = _emulate_stack(stack_name, data_dir, EMULATED_JOBS, port)
    with emulated as (stack, emulator):
        resources = StackResources(emulator, stack.args, stack.data)
        resources.create()
        resources.write_newer_exports(today())
        _wait(emulator, _list_ways_to_deploy(stack_name, resources.group_arn))
    return 0


def _list_ways_to_deploy(stack_name: str, group_arn: str) -> dict[str, list[str]]:
    """List the commands that deploy the stack, or another one that adopts its dataset group."""
    # The state is in a folder, so nobody has to log in. A second shell that gets the same lines
    # finds the same stack.
    state = f"export PULUMI_BACKEND_URL=file://{mkdtemp()} PULUMI_CONFIG_PASSPHRASE="

    # `adopt` overwrites no file.
    new_stack = "prod"
    if stack_name == new_stack:
        new_stack = "adopted"

    return {
        f"It has everything that stack {stack_name} names, and newer exports for the next run. "
        "Keep the state of Pulumi in a new folder": [state],
        "Deploy the stack": [f"pulumi stack init {stack_name}", f"pulumi up -s {stack_name}"],
        "Or adopt the dataset group, and go on as in docs/rehearsal.md": [
            f"retrain adopt --stack {new_stack} --dataset-group-arn {group_arn}"
        ],
    }


@contextmanager
def _emulate_stack(
    stack_name: str, data_dir: Path | None, timings: FixedTimings, port: int = 0
) -> Iterator[tuple[Stack, Emulator]]:
    """Run an emulator for a stack, and redirect boto3 to it until the block ends.

    The emulator has the account and the region of the stack, so that the ARNs in the stack's config
    work unchanged. By default, it listens on any free port.
    """
    with _explain_errors(), open_stack(stack_name, data_dir) as stack:
        region, account = stack.args.first_dataset_arn.split(":")[3:5]
        with running(port=port, account=account, region=region, timings=timings) as emulator:
            output.print_progress(f"account {account}, {region}: {emulator.endpoint}")
            # open_stack() restores the environment at the end.
            os.environ.update(emulator.exports)
            yield stack, emulator


@contextmanager
def _explain_errors() -> Iterator[None]:
    """Turn errors of Pulumi and the emulator into messages for the person at the terminal.

    Raises:
        OperatorError: the stack, or how it is deployed, has to be changed first.
        FailedError: the emulator stopped answering, so the same command may work.
    """
    try:
        yield
    except (pulumi.RunError, DeploymentError, EmulatorError) as error:
        raise OperatorError(str(error)) from error
    except (*NO_RESPONSE_ERRORS, URLError) as error:
        message = f"the emulator does not answer ({error}); start the command again"
        raise FailedError(message) from error


def _wait(emulator: Emulator, purposes: Mapping[str, Sequence[str]]) -> None:
    """Print how to use the emulator, and wait until Ctrl-C or SIGTERM.

    `purposes` says what each group of commands is for. Raises FailedError if the emulator dies.
    """
    # A signal is a SystemExit, unless something else than `python -m retrain` has called this.
    with suppress(KeyboardInterrupt, SystemExit):
        for purpose, commands in {PASTE_EXPORTS: _list_exports(emulator), **purposes}.items():
            output.print_command(f"\n{purpose}", "\n".join(commands))

        while emulator.is_alive():
            time.sleep(POLL_SECONDS)
        raise FailedError("the emulator ended unexpectedly; start the command again")


def _list_exports(emulator: Emulator) -> list[str]:
    """List the shell lines after which the tools of another shell use the emulator."""
    # The other shell may not know the CLI, for example if `tools.py` has built it for this shell.
    cli_paths = [path for path in map(which, PULUMI_COMMANDS) if path]
    folders = [str(Path(path).parent) for path in [sys.executable, *cli_paths]]
    unique_folders = dict.fromkeys([*folders, str(PROVIDER_FOLDER)])

    search_path = os.pathsep.join([*unique_folders, "$PATH"])
    variables = {**emulator.exports, "PATH": f'"{search_path}"'}
    return [f"export {name}={value}" for name, value in variables.items()]
