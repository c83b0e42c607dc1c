"""The command `watch`: follows a run, and prints its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from functions import clock
from functions.report.text import text_of
from retrain.account.errors import EXIT_FAILED, EXIT_INTERRUPTED
from retrain.account.output import (
    message_console,
    print_command,
    print_json,
    print_result,
    result_console,
)
from retrain.account.target import Target
from retrain.look.follow import follow
from retrain.look.reports import outcome_text
from retrain.look.runs import (
    execution_of,
    find_execution,
    reason_without_report,
    report_of,
)
from retrain.look.texts import duration_text
from retrain.options import JsonOption, RunOption, command

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

    from functions.report.model import Report
    from retrain.look.runs import Execution


@command
def watch(target: Target, *, run: RunOption = None, as_json: JsonOption = False) -> int:
    """Follow a run with a bar for each job, and print its report.

    For example: retrain watch --stack prod --run 20261129T030000Z

    Without --run, this is the newest run, which may have ended. Ctrl-C ends only
    the display. The run goes on. Without a terminal, each change is a line.

    Exit code 0: the run succeeded. Its versions may have been rejected or rolled back.
    Exit code 1: the run failed, was stopped or timed out.
    Exit code 2: the run cannot be found or read.
    Exit code 130: you pressed Ctrl-C. The run goes on.
    """
    return watch_execution(target, find_execution(target, run), as_json=as_json)


def watch_execution(target: Target, execution: Execution, *, as_json: bool) -> int:
    """Follow an execution, and print its report. Return the exit code that `watch` describes."""
    followed = follow(target, execution, None if as_json else message_console())
    if followed.described is None:
        print_command(
            "The run goes on. To take it up again", target.command("watch", "--run", execution.name)
        )
        print_command("To stop it", target.command("stop", "--run", execution.name))
        return EXIT_INTERRUPTED
    described = followed.described
    report = followed.progress.report or report_of(target.access.step_functions, described)
    if as_json:
        print_json(run_document(described, report))
    else:
        _print_report(described, report)
    return 0 if described["status"] == "SUCCEEDED" else EXIT_FAILED


def run_document(
    described: DescribeExecutionOutputTypeDef, report: Report | None
) -> dict[str, object]:
    """Return a run as JSON: the execution, its outcome, and its report, which may be null."""
    return {
        "executionArn": described["executionArn"],
        "executionStatus": described["status"],
        "outcome": report["outcome"] if report else described["status"],
        "runId": report["runId"] if report else None,
        "startedAt": described["startDate"],
        "stoppedAt": described.get("stopDate"),
        "report": report,
    }


def _print_report(described: DescribeExecutionOutputTypeDef, report: Report | None) -> None:
    """Print the report of a run, or how the run ended without a report."""
    if report is None:
        execution = execution_of(described)
        took = duration_text(execution.seconds(clock.now()))
        status = outcome_text(execution.status)
        print_result(Text.assemble(f"{execution.name}: ", status, f" after {took}"))
        print_result(f"  {reason_without_report(described)}")
        return
    text = text_of(report).removeprefix(report["outcome"]).rstrip()
    # A line break within a command of the report would be pasted with it.
    result_console().print(Text.assemble(outcome_text(report["outcome"]), text), soft_wrap=True)
