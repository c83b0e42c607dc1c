"""The command `adopt`: writes a stack file for an existing dataset group."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from retrain.account import pulumi_cli
from retrain.account.access import Access
from retrain.account.errors import EXIT_FAILED, OperatorError
from retrain.account.output import print_json, print_message, print_result
from retrain.account.stack_config import config_problems, project_name, stack_file_of
from retrain.act.adopted_group import check_group_arn, read_group
from retrain.act.probe_ids import ProbeIds, read_probe_ids
from retrain.act.stack_file import stack_file, usable_datasets, usable_solutions
from retrain.options import JsonOption, StackOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retrain.act.adopted_group import AdoptedGroup

LABEL_WIDTH = 11


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
    arn = check_group_arn(dataset_group_arn)
    if access.region not in (None, arn.region):
        raise OperatorError(
            f"--region is {access.region}, but the dataset group is in {arn.region}; leave "
            "--region out"
        )
    file = stack_file_of(pulumi_cli.PROJECT_DIR, stack)
    if os.path.lexists(file) and not force:
        raise OperatorError(
            f"{file} exists already; choose another name with --stack, or overwrite the file with "
            "--force"
        )
    access = access.in_region(arn.region)
    access.require_account(arn.account, dataset_group_arn)
    print_message(f"reading the dataset group {arn.name}")
    group = read_group(access.personalize, dataset_group_arn)
    _check_usable(group)
    project = project_name(pulumi_cli.PROJECT_DIR)
    written = stack_file(group, _probe_ids(access, group), project)
    problems = config_problems(written.text, project, stack)
    file.write_text(written.text, encoding="utf-8")
    if as_json:
        print_json(_document(file, group, written.notes, problems))
    else:
        print_result("\n".join(_lines(file, group, written.notes, problems, access)))
    return EXIT_FAILED if problems else 0


def _check_usable(group: AdoptedGroup) -> None:
    """Raise OperatorError if a pipeline would have nothing to import or nothing to retrain."""
    arn = str(group.arn)
    if not group.datasets:
        raise OperatorError(
            f"{arn} has no datasets; create and import them first, as "
            "https://docs.aws.amazon.com/personalize/latest/dg/data-prep.html describes"
        )
    if not usable_solutions(group):
        raise OperatorError(f"{arn} {_why_no_solution(group)}")
    if not usable_datasets(group):
        raise OperatorError(
            f"{arn} has no dataset that was imported from S3, so the locations of the exports are "
            "not known; import one of its datasets once, or copy Pulumi.dev.yaml and write the "
            "locations yourself"
        )


def _why_no_solution(group: AdoptedGroup) -> str:
    """Return why there is nothing to retrain in a group, and what to do."""
    if group.solutions:
        return (
            "has no solution that this release can retrain: "
            f"{', '.join(f'{row.arn} ({row.recipe or row.status})' for row in group.solutions)}; "
            "create one with another recipe"
        )
    if group.domain:
        return (
            f"is a group of the domain {group.domain} without solutions of its own: Personalize "
            "retrains its recommenders itself, so no pipeline is needed; to retrain a model on "
            "your own schedule, create a solution in the group"
        )
    return (
        "has no solutions, so there is nothing to retrain; create a solution first, with "
        "--no-perform-auto-training, and run the command again"
    )


def _probe_ids(access: Access, group: AdoptedGroup) -> ProbeIds:
    """Return ids for the probes. If the exports cannot be read, there are none."""
    with suppress(ClientError, BotoCoreError):
        client = access.session.client("s3", **access.client_options)
        return read_probe_ids(client, usable_datasets(group))
    return ProbeIds(None, ())


def _document(
    file: Path, group: AdoptedGroup, notes: list[str], problems: list[str]
) -> dict[str, object]:
    """Return the result of the command for `--json`."""
    return {
        "file": str(file),
        "datasetGroupArn": str(group.arn),
        "datasets": [
            {
                "type": dataset.key,
                "datasetArn": dataset.arn,
                "dataLocation": dataset.last_import.location if dataset.last_import else None,
            }
            for dataset in usable_datasets(group)
        ],
        "solutions": [
            {
                "solutionArn": solution.arn,
                "recipe": solution.recipe,
                "campaigns": [campaign.arn for campaign in solution.campaigns],
            }
            for solution in usable_solutions(group)
        ],
        "notes": notes,
        "problems": problems,
    }


def _lines(
    file: Path, group: AdoptedGroup, notes: list[str], problems: list[str], access: Access
) -> Iterator[str]:
    """Yield the lines of the result: what the file contains, and what comes next."""
    yield f"{file.name} has the dataset group {group.arn.name} with:"
    yield ""
    for dataset in usable_datasets(group):
        assert dataset.last_import is not None, "a dataset without an import is left out"
        yield f"  {'import':{LABEL_WIDTH}}{dataset.key}, {dataset.last_import.location}"
    for solution in usable_solutions(group):
        yield f"  {'train':{LABEL_WIDTH}}{_name(solution.arn)}, {solution.recipe}"
        for campaign in solution.campaigns:
            yield f"  {'update':{LABEL_WIDTH}}{_name(campaign.arn)}"
    if notes:
        yield ""
        yield "Before the first run:"
        for note in notes:
            yield f"  {note}"
    if problems:
        yield ""
        yield from problems
        yield f"Correct {file.name} before you go on."
    yield ""
    yield "Next:"
    yield f"  set retrainingRate, timezone and notifications in {file.name}, then:"
    yield from _next_commands(file, access)


def _next_commands(file: Path, access: Access) -> Iterator[str]:
    """Yield the commands from a stack file to a deployed pipeline."""
    stack = file.name.removeprefix("Pulumi.").removesuffix(".yaml")
    rows = {
        shlex.join(
            ["retrain", "doctor", "--stack", stack, *access.options()]
        ): "checks the account",
        f"retrain rehearse --stack {stack}": "runs the pipeline on this machine",
        f"pulumi stack init {stack}": "creates the stack",
        f"pulumi up --stack {stack}": "deploys it",
    }
    width = max(map(len, rows))
    for words, effect in rows.items():
        yield f"  {words:{width}}  # {effect}"


def _name(arn: str) -> str:
    """Return the name in the ARN of a solution or of a campaign."""
    return arn.rpartition("/")[2]
