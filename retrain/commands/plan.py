"""The command `plan`."""

from typing import Annotated

import typer

from retrain.account.access import Access
from retrain.commands.options import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    RegionOption,
    StackOption,
    StateMachineOption,
)
from retrain.look.plan import plan as run_plan


def plan(
    stack: StackOption = "dev",
    *,
    skip_import: Annotated[
        bool, typer.Option("--skip-import", help="Plan a run that imports nothing.")
    ] = False,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE",
            help="Import only this dataset, for example items. Repeat the option for several.",
        ),
    ] = None,
    solution: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Train only this solution, by name or ARN. Repeat the option for several.",
        ),
    ] = None,
    export_date: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="Import the exports of this day, like 2026-11-29."),
    ] = None,
    training_mode: Annotated[
        str | None,
        typer.Option(metavar="MODE", help="FULL or UPDATE, instead of the configured mode."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Import and train even if nothing is new.")
    ] = False,
    state_machine_arn: StateMachineOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    json: JsonOption = False,
) -> None:
    """Print what a run would do now: imports, trainings, updates, and every problem.

    The code of the pipeline plans the run with your credentials. Nothing is changed. The settings
    are those of the stack's file, so the pipeline need not be deployed.

    Exit code 0: a run would do what is printed.
    Exit code 1: a run would be refused.
    Exit code 2: there is no plan, for example without credentials.
    """
    access = Access(region, profile, endpoint_url)
    options = {
        "skipImport": skip_import,
        "datasets": dataset,
        "solutions": solution,
        "exportDate": export_date,
        "trainingMode": training_mode,
        "force": force,
    }
    raise typer.Exit(run_plan(stack, state_machine_arn, access, options, as_json=json))
