"""The command `adopt`, which writes a stack file for an existing dataset group."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from components.rules.arns import DATASET_GROUP, Arn, parse_arn
from retrain.account import pulumi_cli
from retrain.account.access import Access
from retrain.account.errors import EXIT_FAILED, OperatorError
from retrain.account.output import print_json, print_message, print_result
from retrain.account.project_files import read_project_name
from retrain.account.pulumi_cli import build_stack_file_path
from retrain.account.stack_config import read_args
from retrain.act.adopted_group import GroupConfigBuilder
from retrain.act.new_project import write_project
from retrain.act.stack_file import format_stack_file
from retrain.names import short_name
from retrain.options import DatasetGroupOption, JsonOption, OverwriteOption, StackOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from retrain.act.adopted_group import AdoptedGroup, Config

COMMAND_WIDTH = 32
"""The width to which the suggested commands are padded, so that the comments after them align."""


@command
def adopt(
    access: Access,
    *,
    dataset_group_arn: DatasetGroupOption,
    stack: StackOption,
    force: OverwriteOption = False,
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

    # Don't write anything before all reads have succeeded.
    project_files = write_project(pulumi_cli.PROJECT_DIR)
    stack_file.write_text(_format_file(group, adopted), encoding="utf-8")
    problems = _find_problems(stack)

    if as_json:
        print_json(
            {
                "file": str(stack_file),
                "config": adopted.config,
                "notes": adopted.notes,
                "problems": problems,
            }
        )
    else:
        _print_files(project_files, stack_file.name, adopted, problems)
        _print_next_steps(stack, access, is_new_project=bool(project_files))

    if problems:
        return EXIT_FAILED
    return 0


def _choose_file(stack: str, *, may_overwrite: bool) -> Path:
    """Return the path of the stack file to write.

    Raises OperatorError if the file already exists and mustn't be overwritten.
    """
    stack_file = build_stack_file_path(stack)
    if os.path.lexists(stack_file) and not may_overwrite:
        raise OperatorError(
            f"{stack_file.name} exists already; choose another name with --stack, or overwrite it "
            "with --force"
        )
    return stack_file


def _parse_group_arn(group_arn: str) -> Arn:
    """Parse `--dataset-group-arn`. Raise OperatorError if it isn't the ARN of a dataset group."""
    error = DATASET_GROUP(group_arn)
    arn = parse_arn(group_arn)
    if arn is None or error:
        raise OperatorError(
            f"--dataset-group-arn {group_arn!r} {error}; "
            "`aws personalize list-dataset-groups` lists the groups"
        )

    return arn


def _format_file(group: Arn, adopted: AdoptedGroup) -> str:
    """Format the stack file, with a to-do list for the first run at the top."""
    # With allowedAccountIds, the AWS provider refuses to deploy the stack to another account.
    provider_config = {"aws:region": group.region, "aws:allowedAccountIds": [group.account]}
    introduction = [
        f"Written by `retrain adopt` from the dataset group {group.name}.",
        "docs/configuration.md in the repository explains all keys.",
    ]
    if adopted.notes:
        introduction += ["Before the first run:", *_format_notes(adopted)]

    project = read_project_name(pulumi_cli.PROJECT_DIR)
    return format_stack_file(project, provider_config, adopted.config, introduction)


def _find_problems(stack: str) -> list[str]:
    """List what `pulumi preview` would complain about in the file that we've just written."""
    try:
        read_args(stack)
    except OperatorError as error:
        return [line.strip() for line in str(error).splitlines()]
    return []


def _print_files(
    project_files: Sequence[str], file_name: str, adopted: AdoptedGroup, problems: Sequence[str]
) -> None:
    """Print which files were written, what the stack file contains, and what to correct in it."""
    lines = [f"{file_name} has:", *_list_contents(adopted.config)]
    if project_files:
        lines.insert(0, f"{', '.join(project_files)} are a new Pulumi project.")
    if adopted.notes:
        lines += ["", "Before the first run:", *_format_notes(adopted)]
    if problems:
        lines += ["", *problems, f"Correct {file_name} before you go on."]
    print_result("\n".join(lines))


def _list_contents(config: Config) -> Iterator[str]:
    """Yield an indented line for each dataset, solution and campaign in the config."""
    for key, dataset in config.get("datasets", {}).items():
        yield f"  import {key} from {dataset['dataLocation']}"

    for solution in config["solutions"]:
        yield f"  train {short_name(solution['solutionArn'])}"
        for campaign in solution.get("campaigns", ()):
            yield f"  update {short_name(campaign['campaignArn'])}"


def _format_notes(adopted: AdoptedGroup) -> list[str]:
    """Format each note as an item of a bulleted list."""
    return [f"- {note}" for note in adopted.notes]


def _print_next_steps(stack: str, access: Access, *, is_new_project: bool) -> None:
    """Print the commands that lead from the new stack file to a deployed stack, in order."""
    print_result(
        f"\nIn Pulumi.{stack}.yaml, set retrainingRate, timezone and notifications, and check the "
        "user of each probe. Then:"
    )
    pipeline_options = ["--stack", stack, *access.build_options()]
    commands = {
        "check the account": ["retrain", "doctor", *pipeline_options],
        "see what the first run will do": ["retrain", "plan", *pipeline_options],
        "run the pipeline on this machine": ["retrain", "rehearse", "--stack", stack],
        "install the requirements": ["pulumi", "install"],
        "create the stack": ["pulumi", "stack", "init", stack],
        "deploy it": ["pulumi", "up", "--stack", stack],
    }
    if not is_new_project:
        # The existing project is a checkout, whose requirements are installed already.
        del commands["install the requirements"]

    for purpose, words in commands.items():
        print_result(f"  {shlex.join(words):{COMMAND_WIDTH}}  # {purpose}")
