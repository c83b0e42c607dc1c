"""The command `adopt`."""

from typing import Annotated

import typer

from retrain.account.access import Access
from retrain.act.adopt import adopt as run_adopt
from retrain.commands.options import EndpointOption, JsonOption, ProfileOption, RegionOption


def adopt(
    *,
    dataset_group_arn: Annotated[
        str,
        typer.Option(
            metavar="ARN",
            help="The dataset group. `aws personalize list-dataset-groups` lists all groups.",
        ),
    ],
    stack: Annotated[
        str,
        typer.Option("--stack", "-s", help="The stack whose file Pulumi.<stack>.yaml is written."),
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the file if it exists.")
    ] = False,
    region: RegionOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    json: JsonOption = False,
) -> None:
    """Write the file of a stack for an existing dataset group.

    The file has the datasets with the locations of their last imports, the solutions and the
    campaigns, with comments. Nothing is changed in the account.

    Exit code 0: the file was written, and `pulumi preview` accepts it.
    Exit code 1: the file was written, but has problems, which are listed.
    Exit code 2: the dataset group cannot be adopted, or the file exists.
    """
    access = Access(region, profile, endpoint_url)
    raise typer.Exit(run_adopt(dataset_group_arn, stack, access, force=force, as_json=json))
