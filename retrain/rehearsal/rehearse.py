"""Rehearses a stack in the emulator, or runs the emulator with the resources that a stack needs.

This module implements the commands that `local_commands.py` declares.
"""

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
from retrain.rehearsal.resources import StackResources, get_today
from retrain.rehearsal.results import (
    Result,
    build_document,
    print_result,
    print_story,
    print_summary,
)
from retrain.rehearsal.scenarios import Check, list_scenarios
from retrain.rehearsal.stack import open_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from retrain.rehearsal.play import DeployedStack
    from retrain.rehearsal.scenarios import Scenario, ScenarioName
    from retrain.rehearsal.stack import Stack

PROVIDER_FOLDER = Path(__file__).resolve().parents[2] / "emulator" / "deployer" / "plugin"
"""The emulator's own AWS provider, which the Pulumi CLI finds if this folder is on the PATH."""
REHEARSAL_TIMINGS = FixedTimings(jobs=Duration(pending=0.3, in_progress=0.7))
"""In seconds, just long enough for the operator to see each job on the screen."""
EMULATE_TIMINGS = FixedTimings(jobs=Duration(pending=1, in_progress=2))
PULUMI_COMMANDS = ("pulumi", "pulumi-language-python")
"""The CLI and its language host for Python, which may be in different folders."""
EXPORTS_PURPOSE = (
    "The emulator runs until you press Ctrl-C. Paste these lines into bash in another shell. Then "
    "boto3, Pulumi, retrain and the AWS CLI use it. For SQS, version 1 of the AWS CLI also needs "
    '`--endpoint-url "$AWS_ENDPOINT_URL"`'
)
NEXT_RUN_PURPOSE = (
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
    """Deploy a stack to an emulator, and play the happy path and the named scenarios there.

    Returns the exit code of the command.
    """
    with _emulate_stack(stack_name, data_dir, REHEARSAL_TIMINGS) as (stack, emulator):
        playable_scenarios = _choose_scenarios(stack, scenarios)
        deployed = deploy_stack(stack, emulator)
        results = [
            _play(deployed, scenario, is_shown=not as_json) for scenario in playable_scenarios
        ]
        if as_json:
            output.print_json(build_document(stack_name, results))
        else:
            print_summary(results)

        if keep:
            _keep_running(deployed)

    if all(result.is_as_designed for result in results):
        return 0
    return EXIT_FAILED


def _choose_scenarios(stack: Stack, names: Sequence[ScenarioName]) -> list[Scenario]:
    """Choose the happy path and those of the named scenarios that the stack can play.

    Raises OperatorError if the stack can't play a scenario that was named. A scenario that's only
    included because of ALL is left out with a message instead.
    """
    playable = []
    refusals = []
    for scenario in list_scenarios(names):
        obstacle = scenario.find_obstacle(stack.args)
        if obstacle is None:
            playable.append(scenario)
        elif scenario.name in names:
            refusals.append(f"  {scenario.name}: {obstacle}")
        else:
            output.print_message(f"left out: {scenario.name}: {obstacle}")

    if refusals:
        raise OperatorError("\n".join([f"stack {stack.name} cannot play:", *refusals]))
    return playable


def _play(deployed: DeployedStack, scenario: Scenario, *, is_shown: bool) -> Result:
    """Play a scenario. If `is_shown`, print its story beforehand and its result afterwards.

    An error fails only this scenario, unless the emulator has died, because then no other scenario
    can be played either.
    """
    if is_shown:
        print_story(scenario)

    try:
        result = deployed.play(scenario)
    except (*AWS_ERRORS, OperatorError, EmulatorError) as error:
        if not deployed.resources.emulator.is_alive():
            raise
        result = Result(scenario, [Check(f"the scenario did not end: {error}", is_met=False)])

    if is_shown:
        print_result(result, deployed)
    return result


def _keep_running(deployed: DeployedStack) -> None:
    """Upload newer exports, suggest commands for another run, and wait until Ctrl-C."""
    deployed.resources.write_newer_exports(get_today())

    command = deployed.target.command
    _wait_for_interrupt(
        deployed.resources.emulator,
        {NEXT_RUN_PURPOSE: [command("plan"), command("start", "--watch"), command("history")]},
    )


def emulate(stack_name: str, *, port: int = 4566, data_dir: Path | None = None) -> int:
    """Run an emulator until Ctrl-C, filled with the resources that a stack's settings name.

    Unlike a rehearsal, this doesn't deploy the stack. Returns the exit code of the command.
    """
    emulated_stack = _emulate_stack(stack_name, data_dir, EMULATE_TIMINGS, port)
    with emulated_stack as (stack, emulator):
        resources = StackResources(emulator, stack.args, stack.data)
        resources.create()
        resources.write_newer_exports(get_today())
        _wait_for_interrupt(emulator, _list_deploy_commands(stack_name, resources.group_arn))
    return 0


def _list_deploy_commands(stack_name: str, group_arn: str) -> dict[str, list[str]]:
    """Return commands that deploy the stack, or that adopt its dataset group in another stack.

    Each key is a sentence that says what the commands in its list are for.
    """
    # With its state in a folder, Pulumi doesn't need a login, and the operator can paste the same
    # lines into a second shell to work with the same stack.
    state = f"export PULUMI_BACKEND_URL=file://{mkdtemp()} PULUMI_CONFIG_PASSPHRASE="

    # `adopt` refuses to overwrite the file of an existing stack.
    new_stack = "prod"
    if stack_name == new_stack:
        new_stack = "adopted"

    return {
        f"It has everything that stack {stack_name} names, and newer exports for the next run. "
        "Keep the state of Pulumi in a new folder. For the stacks of an earlier emulator, keep its "
        "line instead, and create everything again with `pulumi up --refresh`": [state],
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

    The emulator uses the stack's account and region, so that the ARNs in the stack's config work
    unchanged. By default, it listens on any free port.
    """
    with _explain_errors(), open_stack(stack_name, data_dir) as stack:
        arn = stack.args.first_arn
        with running(
            port=port, account=arn.account, region=arn.region, timings=timings
        ) as emulator:
            output.print_progress(f"account {arn.account}, {arn.region}: {emulator.endpoint}")
            # No need to undo this, because open_stack() restores the environment.
            os.environ.update(emulator.exports)
            yield stack, emulator


@contextmanager
def _explain_errors() -> Iterator[None]:
    """Turn errors of Pulumi and the emulator into messages for the operator.

    Raises:
        OperatorError: the stack or its deployment has to be fixed first.
        FailedError: the emulator stopped responding, so the operator should try again.
    """
    try:
        yield
    except (pulumi.RunError, DeploymentError, EmulatorError) as error:
        raise OperatorError(str(error)) from error
    except (*NO_RESPONSE_ERRORS, URLError) as error:
        message = f"the emulator does not answer ({error}); start the command again"
        raise FailedError(message) from error


def _wait_for_interrupt(
    emulator: Emulator, commands_by_purpose: Mapping[str, Sequence[str]]
) -> None:
    """Print how to use the emulator, and wait until Ctrl-C or SIGTERM.

    `commands_by_purpose` contains further commands to suggest. Raises FailedError if the emulator
    dies in the meantime.
    """
    suggestions = {EXPORTS_PURPOSE: _list_exports(emulator), **commands_by_purpose}

    # `python -m retrain` turns signals into SystemExit. Other callers may get KeyboardInterrupt.
    with suppress(KeyboardInterrupt, SystemExit):
        for purpose, commands in suggestions.items():
            output.print_command(f"\n{purpose}", "\n".join(commands))

        while emulator.is_alive():
            time.sleep(POLL_SECONDS)
        raise FailedError("the emulator ended unexpectedly; start the command again")


def _list_exports(emulator: Emulator) -> list[str]:
    """List the `export` lines that make boto3, Pulumi and the AWS CLI use the emulator."""
    # The Pulumi CLI may not be on the PATH of another shell, for example if `tools.py` built it.
    cli_paths = [path for path in map(which, PULUMI_COMMANDS) if path]
    folders = [str(Path(path).parent) for path in [sys.executable, *cli_paths]]
    unique_folders = dict.fromkeys([*folders, str(PROVIDER_FOLDER)])

    search_path = os.pathsep.join([*unique_folders, "$PATH"])
    env = {**emulator.exports, "PATH": f'"{search_path}"'}
    return [f"export {name}={value}" for name, value in env.items()]
