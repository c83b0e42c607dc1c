"""The commands' options, and the decorator that turns a function into a command.

If the first parameter of a command's function is an `Access`, `PipelineOptions` or a `Target`, the
command line has the *account options* in its place, such as `--stack` and `--profile`. The
decorator then builds the argument from these options.
"""

from __future__ import annotations

import inspect
import re
from functools import wraps
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import typer
from botocore.utils import is_valid_endpoint_url

from retrain.account.access import Access
from retrain.account.pulumi_cli import list_stacks
from retrain.account.target import PipelineOptions, Target, find_target

if TYPE_CHECKING:
    from collections.abc import Callable

INPUT_PANEL = "For this run only"
Command = TypeVar("Command", bound="Callable[..., int]")


def _complete_stack(typed: str) -> list[str]:
    """List the stacks whose names begin with what the operator has typed so far."""
    return [name for name in list_stacks() if name.startswith(typed)]


StackOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--stack",
        "-s",
        help="The stack, whose file is Pulumi.<stack>.yaml.",
        autocompletion=_complete_stack,
    ),
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print only the result, as a JSON document.")
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Ask no questions.")]
RunOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="RUN",
        help="The id of the run, or the ARN of its execution. Without it, the newest run, or the "
        "one that is under way.",
    ),
]
WatchOption: TypeAlias = Annotated[
    bool, typer.Option("--watch", "-w", help="Follow the run, as `retrain watch` does.")
]
CampaignOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--campaign",
        metavar="NAME",
        help="The campaign, by name or ARN. Not needed if there is only one.",
    ),
]
RollbackTargetOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="VERSION",
        help="The version to move to: movies/1a2b3c4d, 1a2b3c4d or its ARN. Without it, the "
        "version that was good before.",
    ),
]
VersionArgument: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="[VERSION]",
        help="The version: movies/1a2b3c4d, 1a2b3c4d or its ARN. Not needed if only one version "
        "is waiting for approval.",
    ),
]
RefuseOption: TypeAlias = Annotated[
    bool, typer.Option("--refuse", help="Refuse the version instead. No run deploys it.")
]
DatasetGroupOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--dataset-group-arn",
        metavar="ARN",
        help="The dataset group. `aws personalize list-dataset-groups` lists all groups.",
    ),
]
OverwriteOption: TypeAlias = Annotated[
    bool, typer.Option("--force", help="Overwrite the file if it exists.")
]


def _parse_svg_path(text: str) -> Path:
    """Check the path of a plot before the command does its work, which may take a minute."""
    file = Path(text)
    if file.suffix != ".svg":
        raise typer.BadParameter(f"{text!r} must end with .svg, because the plot is an SVG file")
    if not file.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {str(file.parent)!r}; create it first")
    return file


PlotOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        parser=_parse_svg_path,
        metavar="FILE",
        help="Also write an SVG file: the metric of each version and what became of it, the age of "
        "the models, and the training hours. Without a checkout, this needs the extra `plot`.",
    ),
]
SkipImportOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--skip-import",
        help="Import nothing, and train on the data that is already in Personalize.",
        rich_help_panel=INPUT_PANEL,
    ),
]
DatasetsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        metavar="TYPE",
        help="Import only this dataset, for example interactions. Repeat the option for several.",
        rich_help_panel=INPUT_PANEL,
    ),
]
SolutionsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--solution",
        metavar="NAME",
        help="Retrain only this solution, by name or ARN. Repeat the option for several.",
        rich_help_panel=INPUT_PANEL,
    ),
]
ForceOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Import and train even if nothing is new, and even beyond maxTrainingsPerMonth.",
        rich_help_panel=INPUT_PANEL,
    ),
]
ExportDateOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--export-date",
        metavar="DAY",
        help="Import the exports of an earlier day, for example 2026-11-22. Use this to replace "
        "bad data: a rollback of a campaign does not bring good data back.",
        rich_help_panel=INPUT_PANEL,
    ),
]


def _parse_endpoint(url: str) -> str:
    """Check an endpoint's URL, so that a bad one is rejected before boto3 sends any request."""
    if not (url.startswith(("http://", "https://")) and is_valid_endpoint_url(url)):
        raise typer.BadParameter(
            f"{url!r} is not the address of an endpoint; write for example http://127.0.0.1:4566"
        )
    return url


def _build_account_option(
    name: str, metavar: str, explanation: str, parser: Callable[[str], str] = str
) -> Parameter:
    """Build a keyword parameter for one of the account options, which are all None by default."""
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        metavar=metavar,
        help=explanation,
        parser=parser,
        rich_help_panel="Account",
    )

    return Parameter(
        name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )


STACK_OPTION = Parameter("stack", Parameter.KEYWORD_ONLY, default="dev", annotation=StackOption)
STATE_MACHINE_OPTION = _build_account_option(
    "state_machine_arn",
    "ARN",
    "The state machine of the pipeline. Without it, the Pulumi CLI reads the ARN from the outputs "
    "of the stack.",
)
ACCESS_OPTIONS = (
    _build_account_option(
        "region", "REGION", "The region. Without it, the region of the ARN or of the profile."
    ),
    _build_account_option("profile", "NAME", "A profile of the AWS CLI's files."),
    _build_account_option(
        "endpoint_url",
        "URL",
        "Send all requests to this endpoint, for example to the emulator.",
        _parse_endpoint,
    ),
)
"""The options from which an `Access` is built, in the order of its fields."""
LINE_END_IN_PARAGRAPH = re.compile(r"(?<!\n)\n(?!\n|Exit code )")
"""A line break inside a paragraph of a docstring. We replace it with a space, because Typer would
print it however wide the terminal is."""
commands: dict[str, Callable[..., int]] = {}
"""Command -> the function that Typer calls. It has only the commands of imported modules."""


def command(function: Command) -> Command:
    """Register a function as a command, which takes its name, options and help from the function.

    The function has to return an exit code. If its first parameter is an `Access`,
    `PipelineOptions` or a `Target`, the command has the account options instead. The decorator
    returns the function unchanged, so other code can still call it directly.
    """
    run = _add_account_options(function)
    run.__doc__ = LINE_END_IN_PARAGRAPH.sub(" ", inspect.getdoc(function) or "")
    commands[function.__name__.replace("_", "-")] = run
    return function


def _add_account_options(function: Callable[..., int]) -> Callable[..., int]:
    """Wrap a function, so that it takes the account options instead of its first parameter.

    A function that doesn't need an account is returned unchanged.
    """
    first_parameter, *own_options = inspect.signature(function, eval_str=True).parameters.values()
    first_class = first_parameter.annotation
    if first_class not in (Access, PipelineOptions, Target):
        return function

    @wraps(function)
    def run(**option_values: Any) -> int:  # noqa: ANN401  # options have many types
        first_argument = _pop_first_argument(first_class, option_values)
        return function(first_argument, **option_values)

    options = [*own_options, *ACCESS_OPTIONS]
    if first_class is not Access:
        options = [STACK_OPTION, *own_options, STATE_MACHINE_OPTION, *ACCESS_OPTIONS]
    # Typer reads both the signature and the annotations, so replace both.
    run.__dict__["__signature__"] = inspect.Signature(options)
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run


def _pop_first_argument(
    first_class: type, option_values: dict[str, Any]
) -> Access | PipelineOptions | Target:
    """Build a function's first argument from the account options.

    These options are removed from `option_values`, because the function doesn't take them itself.
    """
    access = Access(*(option_values.pop(option.name) for option in ACCESS_OPTIONS))
    if first_class is Access:
        return access

    pipeline = PipelineOptions(
        option_values.pop("stack"), option_values.pop("state_machine_arn"), access
    )
    if first_class is Target:
        return find_target(*pipeline)
    return pipeline
