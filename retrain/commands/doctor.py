"""The command `doctor`."""

from typing import Annotated

import typer

from retrain.account.access import Access
from retrain.check.doctor import doctor as run_doctor
from retrain.commands.options import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    RegionOption,
    StackOption,
    StateMachineOption,
)


def doctor(
    stack: StackOption = "dev",
    *,
    policy: Annotated[
        bool,
        typer.Option(
            "--policy", help="Print only the IAM policy that all commands need for this pipeline."
        ),
    ] = False,
    state_machine_arn: StateMachineOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    json: JsonOption = False,
) -> None:
    """Check everything that a pipeline needs in its account, and print how to repair it.

    The pipeline need not be deployed. Nothing is changed in the account.

    Exit code 0: nothing is missing. There may be warnings.
    Exit code 1: something is missing.
    Exit code 2: the stack's file cannot be used, or there is no pipeline.
    """
    access = Access(region, profile, endpoint_url)
    raise typer.Exit(run_doctor(stack, state_machine_arn, access, policy=policy, as_json=json))
