"""The command `history`: lists the last runs of a pipeline, as their reports say."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from retrain.account.errors import OperatorError
from retrain.account.output import print_json
from retrain.account.target import PipelineOptions, find_target
from retrain.look.lines import print_lines
from retrain.look.plot import write_plot
from retrain.look.run_view import read_run
from retrain.look.runs import executions, no_run_error
from retrain.look.versions import VersionNotes, find_version, lineage_lines, read_lineage
from retrain.options import JsonOption, PlotOption, command


@command
def history(
    options: PipelineOptions,
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="NUMBER", min=1, max=1000, help="How many runs.")
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
    plot: PlotOption = None,
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
    if version is None:
        target = find_target(*options)
        notes, client = VersionNotes(target), target.access.step_functions
        runs = [
            (view, notes.about(view.report) if view.report else {})
            for execution in islice(executions(target), limit)
            for view in [read_run(client, execution.arn, target.options)]
        ]
        if as_json:
            print_json([{**view.document(), "since": since} for view, since in runs])
        elif runs:
            print_lines(line for view, since in runs for line in view.lines(since))
        else:
            raise no_run_error(target)
        if plot is not None:
            write_plot(target, [view.report for view, _ in runs if view.report], plot)
        return 0
    if plot is not None:
        raise OperatorError("--plot shows all versions; leave --version or --plot out")
    access = options.access
    if not version.startswith("arn:"):
        target = find_target(*options)
        access, version = target.access, find_version(target, version)
    lineage = read_lineage(access, version)
    if as_json:
        print_json(lineage)
    else:
        print_lines(lineage_lines(lineage))
    return 0
