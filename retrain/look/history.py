"""The command `history`: lists the last runs of a pipeline."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer
from rich.text import Text

from functions import clock
from functions.executions import configured_run_of, run_of
from retrain.account.errors import OperatorError
from retrain.account.output import print_json, print_lines, print_result
from retrain.account.target import PipelineOptions, find_target
from retrain.look.lineage import read_lineage
from retrain.look.lineage_screen import lineage_table
from retrain.look.reports import metric_name, metric_summary, outcome_text, version_id
from retrain.look.runs import (
    describe,
    execution_of,
    executions,
    reason_without_report,
    report_of,
)
from retrain.look.texts import duration_text, time_text
from retrain.look.version_names import find_version
from retrain.look.version_notes import VersionNotes
from retrain.names import short_name
from retrain.options import JsonOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from functions.contract import StartedRun
    from functions.report.model import CampaignReport, Report, SolutionReport
    from retrain.account.access import Access
    from retrain.account.target import Target

INDENT = " " * 4


class RunRow(TypedDict):
    """One run of the list. `report` is null while the run is under way, or if it was aborted."""

    executionArn: str
    executionStatus: str
    outcome: str
    """The outcome in the report, or the status of the execution."""
    runId: str | None
    trigger: str
    startedAt: datetime
    stoppedAt: datetime | None
    seconds: int
    reason: str | None
    """Why the run ended without a report, or null."""
    report: Report | None
    since: dict[str, str]
    """Version ARN -> what has happened to the version since the report (`version_notes.py`)."""


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
    rows = [_row(target, execution.arn, notes) for execution in islice(executions(target), limit)]
    if as_json:
        print_json(rows)
        return 0
    if not rows:
        raise OperatorError(
            f"{target.name} has not run in the last 90 days; `{target.command('start')}` starts a "
            "run"
        )
    print_lines(line for row in rows for line in _lines(row))
    return 0


def version_history(access: Access, version_arn: str, *, as_json: bool) -> int:
    """Print where a solution version comes from. Return 0. No stack is needed for this."""
    lineage = read_lineage(access, version_arn)
    if as_json:
        print_json(lineage)
    else:
        print_result(lineage_table(lineage))
    return 0


def _row(target: Target, arn: str, notes: VersionNotes) -> RunRow:
    """Return the row of an execution."""
    client = target.access.step_functions
    described = describe(client, arn)
    execution, report = execution_of(described), report_of(client, described)
    started: StartedRun = {
        "request": json.loads(described.get("input") or "{}"),
        "executionArn": arn,
        "startedAt": execution.started_at.isoformat(),
    }
    run_id = report["runId"] if report else None
    if report is None and (configured := configured_run_of(client, arn)):
        run_id = run_of(configured["run"])["id"]
    has_reason = report is None and not execution.is_running
    return {
        "executionArn": arn,
        "executionStatus": execution.status,
        "outcome": report["outcome"] if report else execution.status,
        "runId": run_id,
        "trigger": run_of(started)["trigger"],
        "startedAt": execution.started_at,
        "stoppedAt": execution.stopped_at,
        "seconds": round(execution.seconds(clock.now())),
        "reason": reason_without_report(described) if has_reason else None,
        "report": report,
        "since": notes.about(report) if report else {},
    }


def _lines(row: RunRow) -> Iterator[Text]:
    """Yield the line of a run, and below it what the run has done."""
    yield Text.assemble(
        (time_text(row["startedAt"]), "bold"),
        "  ",
        outcome_text(row["outcome"]),
        " " * (19 - len(row["outcome"])),
        f"{duration_text(row['seconds']):<12}{row['trigger']:<13}{row['runId'] or ''}",
    )
    if row["reason"]:
        yield Text(f"{INDENT}{row['reason']}")
    if row["report"]:
        yield from _report_lines(row["report"], row["since"])


def _report_lines(report: Report, since: Mapping[str, str]) -> Iterator[Text]:
    """Yield what a run has done: why it did nothing, its imports, and its versions.

    `since` has what has happened to the versions since the report.
    """
    if report["reason"]:
        yield Text(f"{INDENT}{' '.join(report['reason'].split())}")
    imported = [item["type"] for item in report["imports"] if item["outcome"] == "IMPORTED"]
    if imported:
        yield Text(f"{INDENT}imported {', '.join(imported)}")
    for item in report["imports"]:
        if item["outcome"] != "IMPORTED":
            yield Text.assemble(INDENT, (f"import {item['type']}: {item['reason']}", "red"))
    for trial in report["trials"]:
        yield _campaign_line(trial)
    for solution in report["solutions"]:
        yield from _solution_lines(solution, since.get(solution["solutionVersionArn"] or ""))


def _solution_lines(solution: SolutionReport, since: str | None) -> Iterator[Text]:
    """Yield the version of a solution, and what happened to its campaigns and to it since."""
    name, version = short_name(solution["solutionArn"]), solution["solutionVersionArn"]
    text = f"{short_name(version)} {solution['trainingMode']}" if version else f"{name}: no version"
    if solution["reason"]:
        yield Text.assemble(INDENT, f"{text}, ", (solution["reason"], "red"))
    else:
        yield Text.assemble(INDENT, text, (f", {since}" if since else "", "yellow"))
    for campaign in solution["campaigns"]:
        is_told = since and campaign["outcome"] == "AWAITING_APPROVAL"
        yield _campaign_line({**campaign, "reason": None} if is_told else campaign)


def _campaign_line(campaign: CampaignReport) -> Text:
    """Return what happened to a campaign, with the first metric that the gate compared."""
    version, previous, moved = campaign["versionArn"], campaign["previousVersionArn"], ""
    if campaign["outcome"] == "DEPLOYED" and version and previous:
        moved = f" {version_id(previous)} → {version_id(version)}"
    metrics = "".join(
        f", {metric_name(name)} {metric_summary(values)}"
        for name, values in campaign["metrics"].items()
    )
    reason = f": {campaign['reason']}" if campaign["reason"] else ""
    return Text.assemble(
        f"{INDENT}campaign {short_name(campaign['campaignArn'])} ",
        outcome_text(campaign["outcome"]),
        f"{moved}{metrics}{reason}",
    )
