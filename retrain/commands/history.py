"""The command `history`."""

from typing import Annotated

import typer

from retrain.account.access import Access
from retrain.account.target import find_target
from retrain.commands.options import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    RegionOption,
    StackOption,
    StateMachineOption,
)
from retrain.look.history import history as list_runs
from retrain.look.history import version_history
from retrain.look.version_names import find_version


def history(
    stack: StackOption = "dev",
    *,
    limit: Annotated[
        int,
        typer.Option("--limit", "-n", metavar="NUMBER", min=1, max=1000, help="How many runs."),
    ] = 10,
    version: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="Show where this solution version comes from, instead of the list: its run, its "
            "imports, metrics and campaigns, and who approved it. The ARN of the version needs "
            "no stack. With a stack, movies/1a2b3c4d or 1a2b3c4d is enough.",
        ),
    ] = None,
    state_machine_arn: StateMachineOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    json: JsonOption = False,
) -> None:
    """List the last runs: outcome, duration, versions and metrics.

    Step Functions keeps an execution for 90 days. The facts about a version are
    tags in Personalize, so --version works for longer, and even after the stack
    was destroyed. Personalize does not count rows, so an import shows the size
    of its export.

    For example: retrain history --stack prod --version movies/1a2b3c4d

    Exit code 0: the list was printed.
    Exit code 2: there is no run or no version, or it cannot be read.
    """
    access = Access(region, profile, endpoint_url)
    if version is not None and version.startswith("arn:"):
        raise typer.Exit(version_history(access, version, as_json=json))
    target = find_target(stack, state_machine_arn, access)
    if version is not None:
        solution_arns = [row["solutionArn"] for row in target.settings["solutions"]]
        arn = find_version(target.access.personalize, solution_arns, version)
        raise typer.Exit(version_history(target.access, arn, as_json=json))
    raise typer.Exit(list_runs(target, limit=limit, as_json=json))
