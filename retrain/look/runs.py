"""Finds the runs of a pipeline among the executions of its state machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from functions.run.execution_data import RUN_ID_PATTERN, identify_run
from functions.run.executions import MAX_LISTED_EXECUTIONS, read_first_state_output
from retrain.account.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from mypy_boto3_stepfunctions import SFNClient

    from functions.report.model import Report
    from retrain.account.target import Target


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
        """The name of the execution, which is the last part of its ARN."""
        return self.arn.rpartition(":")[2]

    @property
    def is_running(self) -> bool:
        """True if the execution hasn't ended yet."""
        return self.status == "RUNNING"

    def elapsed_seconds(self, now: datetime) -> float:
        """Return how long the execution has been running or, if it has ended, how long it ran."""
        end = self.stopped_at or now
        return (end - self.started_at).total_seconds()


def parse_execution(description: Mapping[str, Any]) -> Execution:
    """Parse an execution from ListExecutions or DescribeExecution."""
    return Execution(
        arn=description["executionArn"],
        status=description["status"],
        started_at=description["startDate"],
        stopped_at=description.get("stopDate"),
    )


def read_report(client: SFNClient, execution: Execution) -> Report:
    """Read the report of a run, which is in the output of its execution if that succeeded."""
    description = client.describe_execution(executionArn=execution.arn)
    return cast("Report", json.loads(description["output"])["report"])


def read_reports(target: Target) -> Iterator[Report]:
    """Yield the reports of the latest successful runs, newest first. Each takes a request."""
    for execution in list_latest_executions(target):
        if execution.status == "SUCCEEDED":
            yield read_report(target.access.step_functions, execution)


def list_executions(target: Target) -> Iterator[Execution]:
    """Yield all executions of a pipeline, newest first."""
    paginator = target.access.step_functions.get_paginator("list_executions")
    for page in paginator.paginate(stateMachineArn=target.state_machine_arn):
        yield from map(parse_execution, page["executions"])


def list_latest_executions(target: Target) -> list[Execution]:
    """List the latest executions, newest first, but no more than one request returns."""
    return list(islice(list_executions(target), MAX_LISTED_EXECUTIONS))


def list_running_executions(target: Target) -> list[Execution]:
    """List the executions that are still running, newest first."""
    return [execution for execution in list_latest_executions(target) if execution.is_running]


def find_execution(target: Target, run: str | None) -> Execution:
    """Find an execution by the id of its run, its own name or its ARN.

    Without `run`, find the newest execution that is still running or, if none is, the newest of
    all. If the event that starts a run was delivered twice, two executions have the same run id,
    and the newer one is returned.

    Raises OperatorError if there's no such execution.
    """
    executions = list_latest_executions(target)
    if not executions:
        raise build_no_run_error(target)

    if run is None:
        running = [execution for execution in executions if execution.is_running]
        return [*running, *executions][0]

    for execution in executions:
        # The ARN is accepted because events and emails contain it.
        if run in (execution.name, execution.arn):
            return execution

    # Each run id takes a request to look up, so don't search for a text that can't be one.
    if RUN_ID_PATTERN.fullmatch(run):
        for execution in executions:
            if find_run_id(target, execution) == run:
                return execution

    raise OperatorError(
        f"--run {run!r} is not the id of one of the last {MAX_LISTED_EXECUTIONS} runs; "
        f"`{target.command('history')}` lists them"
    )


def find_run_id(target: Target, execution: Execution) -> str:
    """Look up the id of an execution's run, or return the execution's name if it's too new."""
    first_output = read_first_state_output(target.access.step_functions, execution.arn)
    if first_output is None:
        return execution.name
    return identify_run(first_output["run"])["id"]


def build_no_run_error(target: Target) -> OperatorError:
    """Build the error for a pipeline without runs, as far as Step Functions remembers."""
    start_command = target.command("start")
    return OperatorError(
        f"{target.name} has no run of the last 90 days; `{start_command}` starts a run"
    )
