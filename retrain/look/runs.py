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
    """The error and the cause of an execution that didn't succeed, as far as they're known."""

    @property
    def name(self) -> str:
        """The last part of the ARN."""
        return self.arn.rpartition(":")[2]

    @property
    def is_running(self) -> bool:
        """True if the execution has not ended."""
        return self.status == "RUNNING"

    @property
    def failure(self) -> str:
        """Why the execution didn't succeed. One that timed out, for example, has no error."""
        return self.error or ERROR_HEADLINES.get(self.status, "no cause given")

    def seconds(self, now: datetime) -> float:
        """Return how long the execution has been running, or ran."""
        end = self.stopped_at or now
        return (end - self.started_at).total_seconds()


def parse_execution(description: Mapping[str, Any]) -> Execution:
    """Parse an execution that Step Functions describes or lists. A list lacks the error."""
    error_parts = [description.get("error"), description.get("cause")]
    return Execution(
        arn=description["executionArn"],
        status=description["status"],
        started_at=description["startDate"],
        stopped_at=description.get("stopDate"),
        error=": ".join(filter(None, error_parts)),
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
    """Find the execution that a person means by the id of its run, its name or its ARN.

    If the event of a run came twice, the run has two executions, and the newer one is returned.
    Without `run`, it's the newest execution that is running, or else the newest of all. Raises
    OperatorError if there is none.
    """
    executions = list_latest_executions(target)
    if not executions:
        raise build_no_run_error(target)

    if run is None:
        running = [execution for execution in executions if execution.is_running]
        return [*running, *executions][0]

    for execution in executions:
        # Events and mails have the ARN, from which a person copies it.
        if run in (execution.name, execution.arn):
            return execution

    # To find out the id of a run takes a request, so don't do that for what can't be an id.
    if RUN_ID_PATTERN.fullmatch(run):
        for execution in executions:
            if find_run_id(target, execution) == run:
                return execution

    raise OperatorError(
        f"--run {run!r} is not the id of one of the last {MAX_LISTED_EXECUTIONS} runs; "
        f"`{target.command('history')}` lists them"
    )


def find_run_id(target: Target, execution: Execution) -> str:
    """Find the id of a run, or return the execution's name if it has only just begun."""
    first_output = read_first_state_output(target.access.step_functions, execution.arn)
    if first_output is None:
        return execution.name
    return identify_run(first_output["run"])["id"]


def build_no_run_error(target: Target) -> OperatorError:
    """Build the error for a pipeline without runs. Step Functions forgets a run after 90 days."""
    start_command = target.command("start")
    return OperatorError(
        f"{target.name} has no run of the last 90 days; `{start_command}` starts a run"
    )
