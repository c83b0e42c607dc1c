"""The command `watch`."""

import typer

from retrain.account.access import Access
from retrain.account.target import find_target
from retrain.commands.options import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    RegionOption,
    RunOption,
    StackOption,
    StateMachineOption,
)
from retrain.look.watch import watch as watch_run


def watch(
    stack: StackOption = "dev",
    *,
    run: RunOption = None,
    state_machine_arn: StateMachineOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    json: JsonOption = False,
) -> None:
    """Follow a run with a bar for each job, and print its report.

    Without --run, this is the newest run, which may have ended. Ctrl-C ends only
    the display. The run goes on. Without a terminal, each change is a line.

    For example: retrain watch --stack prod --run 20261129T030000Z

    Exit code 0: the run succeeded. Its versions may have been rejected or rolled back.
    Exit code 1: the run failed, was stopped or timed out.
    Exit code 2: the run cannot be found or read.
    Exit code 130: you pressed Ctrl-C. The run goes on.
    """
    target = find_target(stack, state_machine_arn, Access(region, profile, endpoint_url))
    raise typer.Exit(watch_run(target, run, as_json=json))
