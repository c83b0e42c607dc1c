"""The command `rollback`."""

from typing import Annotated

import typer

from retrain.account.access import Access
from retrain.account.target import find_target
from retrain.act.rollback import rollback as run_rollback
from retrain.commands.options import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    RegionOption,
    StackOption,
    StateMachineOption,
    YesOption,
)


def rollback(
    *,
    campaign: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The campaign, by name or ARN. Not needed if there is only one."
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="The version to move to: movies/1a2b3c4d, 1a2b3c4d or its ARN. Without it, the "
            "version that was good before.",
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until the campaign serves the version.")
    ] = True,
    stack: StackOption = "dev",
    state_machine_arn: StateMachineOption = None,
    yes: YesOption = False,
    region: RegionOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    json: JsonOption = False,
) -> None:
    """Move a campaign back to an earlier version, and mark the version that it leaves.

    No run deploys the marked version again. The campaign answers all the time. A rollback restores
    the model, not the data.

    Exit code 0: the campaign serves the earlier version, or moves to it with --no-wait.
    Exit code 1: the campaign cannot be moved, the update failed, or you answered no.
    Exit code 2: the pipeline, the campaign or the version was not found.
    """
    target = find_target(stack, state_machine_arn, Access(region, profile, endpoint_url))
    raise typer.Exit(run_rollback(target, campaign, to, wait=wait, yes=yes, as_json=json))
