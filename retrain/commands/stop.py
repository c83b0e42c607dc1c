"""The command `stop`."""

from typing import Annotated

import typer

from retrain.account.access import Access
from retrain.account.target import find_target
from retrain.act.stop import stop as stop_run
from retrain.commands.options import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    RegionOption,
    StackOption,
    StateMachineOption,
    YesOption,
)


def stop(
    stack: StackOption = "dev",
    *,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="The id of the run, or the name or the ARN of its execution. Without it, the only "
            "run that is under way.",
        ),
    ] = None,
    yes: YesOption = False,
    state_machine_arn: StateMachineOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    json: JsonOption = False,
) -> None:
    """Stop the trainings that a run has started, and then the run.

    Imports and campaign updates cannot be stopped. The command says which of
    them go on, and who finishes the trial of a version that a campaign serves
    already. Trainings that this run did not start are never stopped.

    Exit code 0: the run was stopped.
    Exit code 1: no run is under way, it ended by itself, or you did not confirm.
    Exit code 2: the run cannot be found or read.
    """
    target = find_target(stack, state_machine_arn, Access(region, profile, endpoint_url))
    raise typer.Exit(stop_run(target, run, yes=yes, as_json=json))
