"""The command `history`: lists the last runs of a pipeline, or traces one of its versions."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from retrain.account.errors import OperatorError
from retrain.account.output import print_json
from retrain.account.target import PipelineOptions, Target, find_target
from retrain.look.lineage import build_lineage_lines, read_lineage
from retrain.look.lines import print_lines
from retrain.look.plot import write_plot
from retrain.look.run_events import read_run
from retrain.look.runs import build_no_run_error, list_executions, read_reports
from retrain.look.versions import VersionNotes, find_rejections, find_version_arn
from retrain.options import JsonOption, PlotOption, command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from retrain.look.run_view import ShownRun


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
        _show_runs(find_target(*options), limit, plot, as_json=as_json)
    elif plot is not None:
        raise OperatorError("--plot shows all versions; leave --version or --plot out")
    else:
        _show_version(options, version, as_json=as_json)
    return 0


def _show_runs(target: Target, limit: int, plot: Path | None, *, as_json: bool) -> None:
    """Print the latest runs, and also plot them if `plot` names a file."""
    client = target.access.step_functions
    executions = islice(list_executions(target), limit)
    runs = [read_run(client, execution, target.options) for execution in executions]

    _print_runs(target, runs, as_json=as_json)
    if plot is not None:
        write_plot(target, [run.report for run in runs if run.report], plot)


def _print_runs(target: Target, runs: Sequence[ShownRun], *, as_json: bool) -> None:
    """Print the runs, and what happened to their versions afterwards.

    Raises OperatorError if there are no runs, except with --json, which prints an empty list.
    """
    notes = VersionNotes(target)
    if as_json:
        print_json([{**run.document(), "since": notes.about(run.report)} for run in runs])
    elif runs:
        print_lines(line for run in runs for line in run.lines(notes.about(run.report)))
    else:
        raise build_no_run_error(target)


def _show_version(options: PipelineOptions, version: str, *, as_json: bool) -> None:
    """Print the lineage of a version.

    If `version` is an ARN, no pipeline is looked up, because it may already have been destroyed.
    """
    if version.startswith("arn:"):
        lineage = read_lineage(options.access, version)
    else:
        target = find_target(*options)
        version_arn = find_version_arn(target, version)
        lineage = read_lineage(target.access, version_arn)

        # Only the reports of runs say why a version was rejected.
        reports = [*read_reports(target)]
        for campaign in lineage["campaigns"]:
            reason = find_rejections(reports, campaign["campaignArn"]).get(version_arn)
            if reason:
                campaign["relations"].append(f"a run REJECTED it: {reason}")

    if as_json:
        print_json(lineage)
    else:
        print_lines(build_lineage_lines(lineage))
