"""The command `watch`: follows a run, and prints its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from retrain.names import short_name
from retrain.operator.errors import EXIT_FAILED, EXIT_INTERRUPTED
from retrain.operator.follow import follow, now
from retrain.operator.output import message_console, print_command, print_json, print_result
from retrain.operator.reports import outcome_text, report_lines, waiting_versions
from retrain.operator.runs import (
    execution_of,
    find_execution,
    reason_without_report,
    report_of,
)
from retrain.operator.texts import duration_text

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

    from functions.report import RunReport
    from retrain.operator.runs import Execution
    from retrain.operator.target import Target


def watch(target: Target, run: str | None, *, as_json: bool) -> int:
    """Follow a run, and print its report. Return 0 if it succeeded, and 1 if it did not.

    Return 130 if the user ends the display. The run then goes on.
    """
    return watch_execution(target, find_execution(target, run), as_json=as_json)


def watch_execution(target: Target, execution: Execution, *, as_json: bool) -> int:
    """Follow an execution as `watch` does."""
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
        _print_report(target, described, report)
    return 0 if described["status"] == "SUCCEEDED" else EXIT_FAILED


def run_document(
    described: DescribeExecutionOutputTypeDef, report: RunReport | None
) -> dict[str, object]:
    """Return a run as JSON: the execution, its outcome, and its report, which may be null."""
    return {
        "executionArn": described["executionArn"],
        "executionStatus": described["status"],
        "outcome": report["status"] if report else described["status"],
        "runId": report["runId"] if report else None,
        "startedAt": described["startDate"],
        "stoppedAt": described.get("stopDate"),
        "report": report,
    }


def _print_report(
    target: Target, described: DescribeExecutionOutputTypeDef, report: RunReport | None
) -> None:
    """Print the outcome of a run, its report, and the commands with which a person goes on."""
    execution = execution_of(described)
    took = duration_text(execution.seconds(now()))
    if report is None:
        status = outcome_text(execution.status)
        print_result(Text.assemble(f"{execution.name}: ", status, f" after {took}"))
        print_result(f"  {reason_without_report(described)}")
    else:
        print_result(
            Text.assemble(f"Run {report['runId']}: ", outcome_text(report["status"]), f", {took}")
        )
        for line in report_lines(report):
            print_result(line)
        for version_arn in waiting_versions(report):
            name = short_name(version_arn)
            print_command(f"To deploy {name}", target.command("approve", name))
            print_command(f"To refuse {name}", target.command("reject", name))
        if execution.status != "SUCCEEDED":
            print_command("To start a run when the cause is gone", target.command("start"))
