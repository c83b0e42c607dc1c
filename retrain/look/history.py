"""The command `history`: lists the last runs of a pipeline, as their reports say."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from retrain.account.output import print_json
from retrain.account.target import PipelineOptions, find_target
from retrain.look.lines import print_lines
from retrain.look.run_view import read_run
from retrain.look.runs import executions, no_run_error
from retrain.look.versions import VersionNotes, find_version, version_history
from retrain.options import JsonOption, command

if TYPE_CHECKING:
    from retrain.account.target import Target


@command
def history(
    options: PipelineOptions,
    *,
    limit: Annotated[
        int,
        typer.Option("--limit", "-n", metavar="NUMBER", min=1, max=1000, help="How many runs."),
    ] = 10,
    version: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="Show where this solution version comes from, instead of the list: its run, its "
            "imports, metrics and campaigns, and who approved it. The ARN of the version needs "
            "no stack. With a stack, movies/1a2b3c4d or 1a2b3c4d is enough.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """List the last runs: outcome, duration, versions and metrics.

    For example: retrain history --stack prod --version movies/1a2b3c4d

    Step Functions keeps an execution for 90 days. The facts about a version are
    tags in Personalize, so --version works for longer, and even after the stack
    was destroyed. Personalize does not count rows, so an import shows the size
    of its export.

    Exit code 0: the list was printed.
    Exit code 2: there is no run or no version, or it cannot be read.
    """
    if version is not None and version.startswith("arn:"):
        return version_history(options.access, version, as_json=as_json)
    target = find_target(*options)
    if version is not None:
        solution_arns = [row["solutionArn"] for row in target.settings["solutions"]]
        arn = find_version(target.access.personalize, solution_arns, version)
        return version_history(target.access, arn, as_json=as_json)
    return list_runs(target, limit=limit, as_json=as_json)


def list_runs(target: Target, *, limit: int, as_json: bool) -> int:
    """Print the last runs, newest first. Return 0.

    Raises OperatorError if the pipeline has not run yet.
    """
    notes = VersionNotes(target)
    found = [execution.arn for execution in islice(executions(target), limit)]
    views = [read_run(target.access.step_functions, arn) for arn in found]
    since = [notes.about(view.report) if view.report else {} for view in views]
    runs = list(zip(views, since, strict=True))
    if as_json:
        print_json([{**view.document(), "since": versions} for view, versions in runs])
    elif not runs:
        raise no_run_error(target)
    else:
        print_lines(line for view, versions in runs for line in view.lines(versions))
    return 0
