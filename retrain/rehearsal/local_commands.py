"""The commands `rehearse` and `emulate`, which need the emulator, but no AWS account.

The emulator is only imported when one of these commands runs, because its libraries are optional.
"""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from retrain.account.libraries import require_libraries
from retrain.options import JsonOption, StackOption, command
from retrain.rehearsal.scenarios import SCENARIOS, ScenarioName

EMULATOR_LIBRARIES = ("awslambdaric", "hypercorn", "implicit", "ministack")
"""The emulator's libraries, which the extra [cli] doesn't install."""
SCENARIO_NAMES = [scenario.name for scenario in SCENARIOS]
DataOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="A folder with your own CSV files in UTF-8, instead of the sample data. "
        "interactions.csv needs USER_ID, ITEM_ID, TIMESTAMP (seconds since 1970) and at least "
        "1250 rows. Each other dataset of the stack needs a file: items.csv with ITEM_ID, "
        "users.csv with USER_ID, actions.csv with ACTION_ID, actionInteractions.csv with USER_ID, "
        "ACTION_ID, EVENT_TYPE, TIMESTAMP. Further columns are added to the schema. TITLE and "
        "GENRES of the items are shown.",
        metavar="FOLDER",
        exists=True,
        file_okay=False,
    ),
]


@command
def rehearse(
    stack: StackOption = "dev",
    *,
    scenario: Annotated[
        list[ScenarioName] | None,
        typer.Option(
            metavar="NAME",
            help=f"What goes wrong in a run after the {SCENARIO_NAMES[0]}, which is always played: "
            f"{', '.join(SCENARIO_NAMES[1:])}, or {ScenarioName.ALL} of these. Repeat the option "
            "for several.",
        ),
    ] = None,
    data: DataOption = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Keep the emulator running until Ctrl-C, and print commands to paste into another "
            "shell.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Deploy a stack to an emulator of AWS on this machine, and run its pipeline there.

    For example: retrain rehearse --stack prod --scenario worse-model

    The schedule starts the run, even if the stack is paused.

    Each scenario starts another run. The others are played even if one ends badly.

    Exit code 0: every scenario ended as designed.
    Exit code 1: a scenario did not end as designed.
    Exit code 2: the stack cannot be rehearsed.
    """
    require_libraries(EMULATOR_LIBRARIES, "emulator")
    from retrain.rehearsal.rehearse import rehearse as run_rehearsal  # noqa: PLC0415  # emulator

    return run_rehearsal(stack, scenarios=scenario or (), keep=keep, as_json=as_json, data_dir=data)


@command
def emulate(
    stack: StackOption = "dev",
    *,
    data: DataOption = None,
    port: Annotated[
        int,
        typer.Option(
            metavar="NUMBER", min=0, max=65535, help="The port on 127.0.0.1. 0 takes a free port."
        ),
    ] = 4566,
) -> int:
    """Run an emulator of AWS with all resources that a stack names, but without the stack.

    For example: retrain emulate --stack prod

    The command prints the variables for `pulumi up`, the AWS CLI and boto3.

    It runs until Ctrl-C.

    Exit code 0: the command was interrupted.
    Exit code 1: the emulator died.
    Exit code 2: the stack cannot be emulated.
    """
    require_libraries(EMULATOR_LIBRARIES, "emulator")
    from retrain.rehearsal.rehearse import emulate as run_emulator  # noqa: PLC0415  # emulator

    return run_emulator(stack, port=port, data_dir=data)
