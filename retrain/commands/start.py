"""The command `start`."""

from typing import Annotated

import typer

from retrain.account.access import Access
from retrain.account.target import find_target
from retrain.act.start import start as start_run
from retrain.commands.options import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    RegionOption,
    StackOption,
    StateMachineOption,
    YesOption,
)

OVERRIDES = "For this run only"


def start(
    stack: StackOption = "dev",
    *,
    skip_import: Annotated[
        bool,
        typer.Option(
            "--skip-import",
            help="Import nothing, and train on the data that is already in Personalize.",
            rich_help_panel=OVERRIDES,
        ),
    ] = False,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE",
            help="Import only this dataset, for example interactions. Repeat the option for "
            "several.",
            rich_help_panel=OVERRIDES,
        ),
    ] = None,
    solution: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Retrain only this solution, by name or ARN. Repeat the option for several.",
            rich_help_panel=OVERRIDES,
        ),
    ] = None,
    training_mode: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="FULL or UPDATE, instead of the configured mode.",
            rich_help_panel=OVERRIDES,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Import and train even if nothing is new, and even beyond maxTrainingsPerMonth.",
            rich_help_panel=OVERRIDES,
        ),
    ] = False,
    export_date: Annotated[
        str | None,
        typer.Option(
            metavar="DAY",
            help="Import the exports of an earlier day, for example 2026-11-22. Use this to "
            "replace bad data: a rollback of a campaign does not bring good data back.",
            rich_help_panel=OVERRIDES,
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Follow the run, as `retrain watch` does.")
    ] = False,
    yes: YesOption = False,
    state_machine_arn: StateMachineOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    json: JsonOption = False,
) -> None:
    """Check the input of a run, and start the run.

    If another run is under way, the new run would wait for it, so the command
    asks first.

    The ARN of the execution is printed. With --watch the report follows.

    For example: retrain start --stack prod --watch

    Exit code 0: the run was started. With --watch: the run succeeded.
    Exit code 1: you answered no. With --watch: the run failed.
    Exit code 2: the input is wrong, or the pipeline cannot be found or read.
    Exit code 130: you pressed Ctrl-C during --watch. The run goes on.
    """
    values: dict[str, object] = {
        "skipImport": skip_import,
        "datasets": dataset,
        "solutions": solution,
        "trainingMode": training_mode,
        "force": force,
        "exportDate": export_date,
    }
    target = find_target(stack, state_machine_arn, Access(region, profile, endpoint_url))
    raise typer.Exit(start_run(target, values, watch=watch, yes=yes, as_json=json))
