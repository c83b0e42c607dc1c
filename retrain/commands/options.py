"""The options that several commands have."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from retrain.options import parse_endpoint, parse_folder

AWS_PANEL = "Account"
LOCAL_COMMANDS = "On this machine"
ACCOUNT_COMMANDS = "A pipeline in an AWS account"

StackOption: TypeAlias = Annotated[
    str, typer.Option("--stack", "-s", help="The stack, whose file is Pulumi.<stack>.yaml.")
]
StateMachineOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--state-machine-arn",
        metavar="ARN",
        help="The state machine of the pipeline. Without it, the Pulumi CLI reads the ARN from "
        "the outputs of the stack.",
        rich_help_panel=AWS_PANEL,
    ),
]
RegionOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="REGION",
        help="The region. Without it, the region of the ARN or of the profile.",
        rich_help_panel=AWS_PANEL,
    ),
]
ProfileOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="A profile of the AWS CLI's files.", rich_help_panel=AWS_PANEL
    ),
]
EndpointOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        parser=parse_endpoint,
        help="Send all requests to this endpoint, for example to the emulator.",
        rich_help_panel=AWS_PANEL,
    ),
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print only the result, as a JSON document.")
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Ask no questions.")]
RunOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="RUN",
        help="The id of the run, or the name or the ARN of its execution. Without it, the newest "
        "run.",
    ),
]
DataOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="A folder with your own CSV files in UTF-8, instead of the sample data. "
        "interactions.csv needs USER_ID, ITEM_ID, TIMESTAMP (seconds since 1970) and at least "
        "1250 rows. Each other dataset of the stack needs a file: items.csv with ITEM_ID, "
        "users.csv with USER_ID, actions.csv with ACTION_ID, actionInteractions.csv with USER_ID, "
        "ACTION_ID, EVENT_TYPE, TIMESTAMP. Further columns are added to the schema. TITLE and "
        "GENRES of the items are shown.",
        metavar="FOLDER",
        parser=parse_folder,
    ),
]
