"""Finds the runs of a pipeline among the executions of its state machine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions.executions import (
    REPORTED_ERROR,
    RUN_ID,
    configured_run_of,
    day_of,
    machine_arn_of,
    run_of,
)
from retrain.account.errors import OperatorError, code_of, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.literals import ExecutionStatusType
    from mypy_boto3_stepfunctions.type_defs import (
        DescribeExecutionOutputTypeDef,
        ListExecutionsInputPaginateTypeDef,
    )

    from functions.report.model import Report
    from retrain.account.target import Target

EXECUTION_ARN = re.compile(r"arn:[^:]+:states:[^:]+:\d{12}:execution:[^:]+:[^:]+")
RUNNING: ExecutionStatusType = "RUNNING"
SUCCEEDED = "SUCCEEDED"
REPORT_STATE = "Report outcome"
LAST_EVENTS = 20
"""The number of last events in which the report of a failed run is looked for. The states after
REPORT_STATE write fewer."""
SEARCHED_EXECUTIONS = 100
"""The number of executions among which a run is looked for, newest first."""
CLOCKS_DIFFER = timedelta(days=1)
"""A run whose id has a day may have started on the day before in UTC, by a clock that is wrong."""


@dataclass(frozen=True)
class Execution:
    """An execution of the state machine."""

    arn: str
    status: str
    """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
    started_at: datetime
    stopped_at: datetime | None

    @property
    def name(self) -> str:
        """The name of the execution."""
        return self.arn.rpartition(":")[2]

    @property
    def is_running(self) -> bool:
        """True if the execution has not ended."""
        return self.status == RUNNING

    def seconds(self, now: datetime) -> float:
        """Return how long the execution has been running, or ran."""
        return ((self.stopped_at or now) - self.started_at).total_seconds()


def executions(target: Target, status: ExecutionStatusType | None = None) -> Iterator[Execution]:
    """Yield the executions of a pipeline, newest first. `status` leaves out all others."""
    request: ListExecutionsInputPaginateTypeDef = {"stateMachineArn": target.state_machine_arn}
    if status:
        request["statusFilter"] = status
    paginator = target.access.step_functions.get_paginator("list_executions")
    for page in paginator.paginate(**request):
        for item in page["executions"]:
            yield Execution(
                item["executionArn"], item["status"], item["startDate"], item.get("stopDate")
            )


def running_executions(target: Target) -> list[Execution]:
    """Return the executions that are running, newest first."""
    return list(executions(target, RUNNING))


def find_execution(target: Target, run: str | None) -> Execution:
    """Return an execution by its ARN, its name or the id of its run. Without one, the newest.

    Of a run with several executions, because its event came twice, the newest is returned. Raises
    OperatorError if there is none.
    """
    if run is None:
        newest = next(executions(target), None)
        if newest is None:
            raise OperatorError(
                f"{target.name} has not run yet; `{target.command('start')}` starts a run"
            )
        return newest
    if EXECUTION_ARN.fullmatch(run):
        return _execution_with_arn(target, run)
    searched = list(islice(executions(target), SEARCHED_EXECUTIONS))
    for execution in searched:
        if execution.name == run:
            return execution
    if RUN_ID.fullmatch(run):
        for execution in searched:
            if _may_have_id(execution, run) and _run_id(target, execution) == run:
                return execution
    raise OperatorError(
        f"--run {run!r} is neither the id nor the execution of one of the last "
        f"{SEARCHED_EXECUTIONS} runs; `{target.command('history')}` lists them"
    )


def _execution_with_arn(target: Target, arn: str) -> Execution:
    """Return the execution with this ARN, which must be one of the pipeline."""
    if machine_arn_of(arn) != target.state_machine_arn:
        raise OperatorError(
            f"--run {arn} is an execution of another state machine, {machine_arn_of(arn)}; name "
            "that one with --state-machine-arn"
        )
    try:
        return execution_of(describe(target.access.step_functions, arn))
    except ClientError as error:
        if code_of(error) != "ExecutionDoesNotExist":
            raise
        raise OperatorError(
            f"--run {arn} does not exist, or ended more than 90 days ago; "
            f"`{target.command('history')}` lists the last runs"
        ) from error


def _may_have_id(execution: Execution, run_id: str) -> bool:
    """Return True if the execution did not start before the day of the run."""
    day = datetime.fromisoformat(day_of(run_id)).replace(tzinfo=UTC)
    return execution.started_at >= day - CLOCKS_DIFFER


def _run_id(target: Target, execution: Execution) -> str | None:
    """Return the id of the run that an execution executes, or None if its first state failed."""
    configured = configured_run_of(target.access.step_functions, execution.arn)
    return run_of(configured["run"])["id"] if configured else None


def describe(client: SFNClient, arn: str) -> DescribeExecutionOutputTypeDef:
    """Return an execution as DescribeExecution shows it."""
    return client.describe_execution(executionArn=arn)


def execution_of(described: DescribeExecutionOutputTypeDef) -> Execution:
    """Return an execution from its description."""
    return Execution(
        described["executionArn"],
        described["status"],
        described["startDate"],
        described.get("stopDate"),
    )


def report_of(client: SFNClient, described: DescribeExecutionOutputTypeDef) -> Report | None:
    """Return the report of an execution that has ended, or None if it ended without a report."""
    if described["status"] == SUCCEEDED:
        document = json.loads(described.get("output") or "{}")
        report: Report | None = document.get("report")
        return report
    if described.get("error") != REPORTED_ERROR:
        return None
    history = client.get_execution_history(
        executionArn=described["executionArn"],
        includeExecutionData=True,
        reverseOrder=True,
        maxResults=LAST_EVENTS,
    )
    for event in history["events"]:
        details = event.get("stateExitedEventDetails")
        if details and details["name"] == REPORT_STATE:
            output = json.loads(details.get("output") or "{}")
            reported: Report | None = output.get("report")
            return reported
    return None


def reason_without_report(described: DescribeExecutionOutputTypeDef) -> str:
    """Return the error and the cause of an execution that ended without a report."""
    parts = (described.get("error"), described.get("cause"))
    return one_line(": ".join(part for part in parts if part) or "no cause given")
