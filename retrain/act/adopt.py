"""The command `adopt`: writes a stack file for an existing dataset group."""

from __future__ import annotations

import json
import os
import shlex
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from components.rules.arns import DATASET_GROUP, parse_arn
from retrain import FOLDER
from retrain.account import pulumi_cli
from retrain.account.access import Access
from retrain.account.errors import EXIT_FAILED, OperatorError
from retrain.account.output import print_json, print_message, print_result
from retrain.account.pulumi_cli import stack_file_of
from retrain.account.stack_config import project_name, read_args
from retrain.act.adopted_group import adopt_group
from retrain.act.stack_file import stack_text
from retrain.names import short_name
from retrain.options import JsonOption, StackOption, command
from retrain.rehearsal.local_commands import EMULATOR_LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retrain.act.adopted_group import Adopted

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
    arn, error = parse_arn(dataset_group_arn), DATASET_GROUP(dataset_group_arn)
    if arn is None or error:
        raise OperatorError(
            f"--dataset-group-arn {dataset_group_arn!r} {error}; "
            "`aws personalize list-dataset-groups` lists the groups"
        )
    access = access.in_region(arn.region, "the dataset group")
    file = stack_file_of(pulumi_cli.PROJECT_DIR, stack)
    if os.path.lexists(file) and not force:
        raise OperatorError(
            f"{file.name} exists already; choose another name with --stack, or overwrite it with "
            "--force"
        )
    access.require_account(arn.account, dataset_group_arn)
    print_message(f"reading the dataset group {arn.name}")
    s3 = access.client("s3")
    adopted = adopt_group(access.personalize, s3, dataset_group_arn)
    project_files = write_project(pulumi_cli.PROJECT_DIR)
    project = project_name(pulumi_cli.PROJECT_DIR)
    home = {"aws:region": arn.region, "aws:allowedAccountIds": [arn.account]}
    notes = [f"- {note}" for note in adopted.notes]
    head = [
        f"Written by `retrain adopt` from the dataset group {arn.name}.",
        "docs/configuration.md in the repository explains all keys.",
        *(["Before the first run:", *notes] if notes else []),
    ]
    text = stack_text(project, home, adopted.config, head)
    file.write_text(text, encoding="utf-8")
    problems = []
    try:
        read_args(pulumi_cli.PROJECT_DIR, stack)
    except OperatorError as refused:
        problems = [line.strip() for line in str(refused).splitlines()]
    if as_json:
        facts = {"file": str(file), "config": adopted.config}
        print_json({**facts, "notes": adopted.notes, "problems": problems})
    else:
        if project_files:
            print_result(f"{', '.join(project_files)} are a new Pulumi project.")
        for line in _lines(file.name, adopted, problems):
            print_result(line)
        options = ["--stack", stack, *access.options()]
        rehearsal = ["retrain", "rehearse", "--stack", stack]
        has_emulator = all(map(find_spec, EMULATOR_LIBRARIES))
        for effect, words in (
            ("check the account", ["retrain", "doctor", *options]),
            ("see what the first run will do", ["retrain", "plan", *options]),
            *([("run the pipeline on this machine", rehearsal)] if has_emulator else []),
            *([("install the requirements", ["pulumi", "install"])] if project_files else []),
            ("create the stack", ["pulumi", "stack", "init", stack]),
            ("deploy it", ["pulumi", "up", "--stack", stack]),
        ):
            print_result(f"  {shlex.join(words):{COMMAND_WIDTH}}  # {effect}")
    return EXIT_FAILED if problems else 0


def _lines(file: str, adopted: Adopted, problems: list[str]) -> Iterator[str]:
    """Yield the lines of the result: what the file contains, and what has to be changed."""
    yield f"{file} has:"
    for key, dataset in adopted.config["datasets"].items():
        yield f"  import {key} from {dataset['dataLocation']}"
    for solution in adopted.config["solutions"]:
        yield f"  train {short_name(solution['solutionArn'])}"
        for campaign in solution.get("campaigns", ()):
            yield f"  update {short_name(campaign['campaignArn'])}"
    if adopted.notes:
        yield from ("", "Before the first run:", *(f"- {note}" for note in adopted.notes))
    if problems:
        yield from ("", *problems, f"Correct {file} before you go on.")
    keys = "retrainingRate, timezone and notifications"
    yield from ("", f"In {file}, set {keys}, and check the user of each probe. Then:")


def write_project(folder: Path) -> list[str]:
    """Write the files of a Pulumi project, unless the folder is one. Return the files' names.

    The project is that of the checkout, but its program imports the installed package. A file that
    exists is kept.
    """
    if (folder / "Pulumi.yaml").exists():
        return []
    program = (FOLDER / "project" / "__main__.py").read_text()
    texts = {
        "Pulumi.yaml": (FOLDER / "project" / "Pulumi.yaml").read_text(),
        "__main__.py": program.replace("from components ", "from personalize_retraining "),
        "requirements.txt": f"{_requirement()}\n",
    }
    written = {name: text for name, text in texts.items() if not (folder / name).exists()}
    for name, text in written.items():
        (folder / name).write_text(text)
    return [*written]


def _requirement() -> str:
    """Return the line of requirements.txt that installs this version from the same source."""
    package = metadata.distribution(PACKAGE)
    source = json.loads(package.read_text("direct_url.json") or "{}")
    if vcs := source.get("vcs_info"):
        return f"{PACKAGE} @ {vcs['vcs']}+{source['url']}@{vcs['commit_id']}"
    return f"{PACKAGE} @ {source['url']}" if source else f"{PACKAGE} == {package.version}"
