"""The command `adopt`: writes a stack file for an existing dataset group."""

from __future__ import annotations

import json
import os
import shlex
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from components.rules.arns import DATASET_GROUP, Arn, parse_arn
from retrain import FOLDER
from retrain.account import pulumi_cli
from retrain.account.access import Access
from retrain.account.errors import EXIT_FAILED, OperatorError
from retrain.account.output import print_json, print_message, print_result
from retrain.account.pulumi_cli import stack_file_of
from retrain.account.stack_config import project_name, read_args
from retrain.act.adopted_group import GroupConfigBuilder
from retrain.act.stack_file import format_stack_file
from retrain.names import short_name
from retrain.options import JsonOption, StackOption, command
from retrain.rehearsal.local_commands import EMULATOR_LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from retrain.act.adopted_group import AdoptedGroup

COMMAND_WIDTH = 32
PACKAGE = "personalize-retraining"


@command
def adopt(
    access: Access,
    *,
    dataset_group_arn: Annotated[
        str,
        typer.Option(
            metavar="ARN",
            help="The dataset group. `aws personalize list-dataset-groups` lists all groups.",
        ),
    ],
    stack: StackOption,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the file if it exists.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Write the file of a stack for an existing dataset group.

    For example: retrain adopt --dataset-group-arn ARN --stack prod

    The file has the datasets with the locations of their last imports, the solutions and the
    campaigns, with comments. Nothing is changed in the account.

    Exit code 0: the file was written, and `pulumi preview` accepts it.
    Exit code 1: the file was written, but has problems, which are listed.
    Exit code 2: the dataset group cannot be adopted, or the file exists.
    """
    group = _parse_group_arn(dataset_group_arn)
    access = access.in_region(group.region, "the dataset group")
    stack_file = _choose_file(stack, may_overwrite=force)
    access.require_account(group.account, dataset_group_arn)
    print_message(f"reading the dataset group {group.name}")
    builder = GroupConfigBuilder(access.personalize, access.client("s3"), dataset_group_arn)
    adopted = builder.build()

    project_files = write_project(pulumi_cli.PROJECT_DIR)
    stack_file.write_text(_format_file(group, adopted), encoding="utf-8")
    problems = _find_problems(stack)

    if as_json:
        document = {"file": str(stack_file), "config": adopted.config, "notes": adopted.notes}
        print_json({**document, "problems": problems})
    else:
        if project_files:
            print_result(f"{', '.join(project_files)} are a new Pulumi project.")
        print_result("\n".join(_list_lines(stack_file.name, adopted, problems)))
        for purpose, words in _list_next_commands(
            stack, access, is_new_project=bool(project_files)
        ):
            print_result(f"  {shlex.join(words):{COMMAND_WIDTH}}  # {purpose}")

    return EXIT_FAILED if problems else 0


def _choose_file(stack: str, *, may_overwrite: bool) -> Path:
    """Choose the file of the stack, before anything is asked of AWS."""
    stack_file = stack_file_of(pulumi_cli.PROJECT_DIR, stack)
    if os.path.lexists(stack_file) and not may_overwrite:
        raise OperatorError(
            f"{stack_file.name} exists already; choose another name with --stack, or overwrite it "
            "with --force"
        )
    return stack_file


def _parse_group_arn(group_arn: str) -> Arn:
    """Take the ARN of a dataset group apart, or say how to find the right one."""
    error = DATASET_GROUP(group_arn)
    arn = parse_arn(group_arn)
    if arn is None or error:
        raise OperatorError(
            f"--dataset-group-arn {group_arn!r} {error}; "
            "`aws personalize list-dataset-groups` lists the groups"
        )

    return arn


def _format_file(group: Arn, adopted: AdoptedGroup) -> str:
    """Format the file of the stack, which begins with what to do before the first run."""
    # Nobody can deploy the file to another account by mistake.
    provider_config = {"aws:region": group.region, "aws:allowedAccountIds": [group.account]}
    introduction = [
        f"Written by `retrain adopt` from the dataset group {group.name}.",
        "docs/configuration.md in the repository explains all keys.",
    ]
    if adopted.notes:
        introduction += ["Before the first run:", *_list_notes(adopted)]

    project = project_name(pulumi_cli.PROJECT_DIR)
    return format_stack_file(project, provider_config, adopted.config, introduction)


def _find_problems(stack: str) -> list[str]:
    """List what `pulumi preview` would refuse in the file that was just written."""
    try:
        read_args(pulumi_cli.PROJECT_DIR, stack)
    except OperatorError as refused:
        return [line.strip() for line in str(refused).splitlines()]
    return []


def _list_lines(file_name: str, adopted: AdoptedGroup, problems: list[str]) -> Iterator[str]:
    """Yield the lines of the result: what the file contains, and what has to be changed."""
    yield f"{file_name} has:"
    for key, dataset in adopted.config["datasets"].items():
        yield f"  import {key} from {dataset['dataLocation']}"
    for solution in adopted.config["solutions"]:
        yield f"  train {short_name(solution['solutionArn'])}"
        for campaign in solution.get("campaigns", ()):
            yield f"  update {short_name(campaign['campaignArn'])}"

    if adopted.notes:
        yield from ("", "Before the first run:", *_list_notes(adopted))
    if problems:
        yield from ("", *problems, f"Correct {file_name} before you go on.")

    keys = "retrainingRate, timezone and notifications"
    yield from ("", f"In {file_name}, set {keys}, and check the user of each probe. Then:")


def _list_notes(adopted: AdoptedGroup) -> list[str]:
    return [f"- {note}" for note in adopted.notes]


def _list_next_commands(
    stack: str, access: Access, *, is_new_project: bool
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the commands from this file to a deployed stack, in their order, with their purpose."""
    pipeline_options = ["--stack", stack, *access.options()]
    yield "check the account", ["retrain", "doctor", *pipeline_options]
    yield "see what the first run will do", ["retrain", "plan", *pipeline_options]

    if all(map(find_spec, EMULATOR_LIBRARIES)):
        yield "run the pipeline on this machine", ["retrain", "rehearse", "--stack", stack]
    if is_new_project:
        yield "install the requirements", ["pulumi", "install"]

    yield "create the stack", ["pulumi", "stack", "init", stack]
    yield "deploy it", ["pulumi", "up", "--stack", stack]


def write_project(folder: Path) -> list[str]:
    """Write the files of a Pulumi project, unless the folder is one. Return the files' names.

    The project is that of the checkout, except that its program imports the installed package.
    """
    if (folder / "Pulumi.yaml").exists():
        return []
    program = (FOLDER / "project" / "__main__.py").read_text()
    texts = {
        "Pulumi.yaml": (FOLDER / "project" / "Pulumi.yaml").read_text(),
        "__main__.py": program.replace("from components ", "from personalize_retraining "),
        "requirements.txt": f"{_format_requirement()}\n",
    }

    # Somebody may have a requirements.txt already, for example.
    missing_files = [name for name in texts if not (folder / name).exists()]
    for name in missing_files:
        (folder / name).write_text(texts[name])
    return missing_files


def _format_requirement() -> str:
    """Format the line of requirements.txt that installs this version from the same source."""
    package = metadata.distribution(PACKAGE)
    # pip only writes this file for a package that doesn't come from an index.
    source = json.loads(package.read_text("direct_url.json") or "{}")

    if "vcs_info" in source:
        repository = source["vcs_info"]
        return f"{PACKAGE} @ {repository['vcs']}+{source['url']}@{repository['commit_id']}"
    if source:
        return f"{PACKAGE} @ {source['url']}"
    return f"{PACKAGE} == {package.version}"
