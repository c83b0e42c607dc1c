"""The commands `approve` and `reject`."""

from typing import Annotated, TypeAlias

import typer

from retrain.account.access import Access
from retrain.account.target import find_target
from retrain.act import answers
from retrain.commands.options import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    RegionOption,
    StackOption,
    StateMachineOption,
    YesOption,
)

VersionArgument: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="[VERSION]",
        help="The version: movies/1a2b3c4d, 1a2b3c4d or its ARN. Not needed if only one "
        "version waits for an answer.",
    ),
]


def approve(
    version: VersionArgument = None,
    *,
    stack: StackOption = "dev",
    state_machine_arn: StateMachineOption = None,
    yes: YesOption = False,
    region: RegionOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    json: JsonOption = False,
) -> None:
    """Approve a version that waits for an approval, and start its deployment.

    An execution checks the quality gate again, and probes the campaigns like any run. If it could
    not be started, approve the version again.

    Exit code 0: the execution was started, `retrain watch` follows it.
    Exit code 1: the version does not wait for an answer, or you answered no.
    Exit code 2: the pipeline or the version was not found.
    """
    target = find_target(stack, state_machine_arn, Access(region, profile, endpoint_url))
    raise typer.Exit(answers.approve(target, version, yes=yes, as_json=json))


def reject(
    version: VersionArgument = None,
    *,
    stack: StackOption = "dev",
    state_machine_arn: StateMachineOption = None,
    yes: YesOption = False,
    region: RegionOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    json: JsonOption = False,
) -> None:
    """Refuse a version that waits for an approval. No run deploys it.

    Exit code 0: the version is refused.
    Exit code 1: the version does not wait for an answer, or you answered no.
    Exit code 2: the pipeline or the version was not found.
    """
    target = find_target(stack, state_machine_arn, Access(region, profile, endpoint_url))
    raise typer.Exit(answers.reject(target, version, yes=yes, as_json=json))
