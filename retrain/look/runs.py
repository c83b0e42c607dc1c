"""Finds the runs of a pipeline among the executions of its state machine."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from functions.report.mail import ERROR_HEADLINES
from functions.run.execution_data import (
    RUN_ID_PATTERN,
    identify_run,
)
from functions.run.executions import (
    MAX_LISTED_EXECUTIONS,
    read_first_state_output,
)
from retrain.account.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from retrain.account.target import Target


@dataclass(frozen=True)
class Execution:
    """An execution of the state machine."""

    arn: str
    status: str
    """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
    started_at: datetime
    stopped_at: datetime | None
    error: str = ""
    """The error and the cause of an execution that has not succeeded, if it has any."""

    @property
    def name(self) -> str:
        """The name of the execution."""
        return self.arn.rpartition(":")[2]

    @property
    def is_running(self) -> bool:
        """True if the execution has not ended."""
        return self.status == "RUNNING"

    @property
    def failure(self) -> str:
        """Why the execution has not succeeded."""
        return self.error or ERROR_HEADLINES.get(self.status, "no cause given")

    def seconds(self, now: datetime) -> float:
        """Return how long the execution has been running, or ran."""
        return ((self.stopped_at or now) - self.started_at).total_seconds()


def parse_execution(described: Mapping[str, Any]) -> Execution:
    """Build an execution from its description, or from an item of a list."""
    return Execution(
        described["executionArn"],
        described["status"],
        described["startDate"],
        described.get("stopDate"),
        ": ".join(filter(None, [described.get("error"), described.get("cause")])),
    )


def list_executions(target: Target) -> Iterator[Execution]:
    """Yield the executions of a pipeline, newest first."""
    paginator = target.access.step_functions.get_paginator("list_executions")
    for page in paginator.paginate(stateMachineArn=target.state_machine_arn):
        yield from map(parse_execution, page["executions"])


def list_latest_executions(target: Target) -> list[Execution]:
    """List the latest executions of a pipeline, newest first, as many as one request returns."""
    return list(islice(list_executions(target), MAX_LISTED_EXECUTIONS))


def list_running_executions(target: Target) -> list[Execution]:
    """List the executions that are running, newest first."""
    return [execution for execution in list_latest_executions(target) if execution.is_running]


def find_execution(target: Target, run: str | None) -> Execution:
    """Find the execution of the run with this id, or with this name.

    Without one, it is the newest run that is under way, or the newest of all.
    Of a run with several executions, because its event came twice, the newest is returned. Raises
    OperatorError if there is none.
    """
    executions = list_latest_executions(target)
    if not executions:
        raise build_no_run_error(target)

    if run is None:
        running = [execution for execution in executions if execution.is_running]
        return [*running, *executions][0]

    for execution in executions:
        # Events and messages have the ARN.
        if run in (execution.name, execution.arn):
            return execution

    # Each id costs a request, so other texts are not compared with the ids.
    if RUN_ID_PATTERN.fullmatch(run):
        for execution in executions:
            if find_run_id(target, execution) == run:
                return execution

    raise OperatorError(
        f"--run {run!r} is not the id of one of the last {MAX_LISTED_EXECUTIONS} runs; "
        f"`{target.command('history')}` lists them"
    )


def find_run_id(target: Target, execution: Execution) -> str:
    """Find the id of a run. An execution that has only just begun has no id, but a name."""
    configured = read_first_state_output(target.access.step_functions, execution.arn)
    if configured is None:
        return execution.name
    return identify_run(configured["run"])["id"]


def build_no_run_error(target: Target) -> OperatorError:
    """Build the error for a pipeline without runs. Step Functions lists a run for 90 days."""
    start = target.command("start")
    return OperatorError(f"{target.name} has no run of the last 90 days; `{start}` starts a run")
