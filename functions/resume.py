"""Finds the run that an execution has to resume, and refuses it if it cannot be resumed."""

from __future__ import annotations

from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from . import clock
from .errors import RunRefused
from .execution_input import input_problems
from .executions import (
    LISTED_EXECUTIONS,
    WITHOUT_SUCCESS,
    configured_run_of,
    last_executions,
    machine_arn_of,
    request_of,
    run_of,
)
from .personalize.import_lists import import_jobs
from .personalize.lists import READING_TIME
from .personalize.ownership import belongs_to_run
from .personalize.statuses import cannot_succeed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_stepfunctions import SFNClient

    from .contract import ConfiguredRun, Request, Run
    from .workflow_settings import Settings

NAMED_RUNS = 5
"""The number of runs that a refusal names."""
WAYS_OUT = {
    "RUNNING": "wait until it has ended, or stop it",
    "SUCCEEDED": "nothing is left to do; start a new run without resume",
}
"""Status of an execution whose run cannot be resumed to what to do instead."""


class _EarlierRun(NamedTuple):
    """An execution of this state machine that started before the present execution."""

    run_id: str
    status: str
    started_at: datetime
    request: Request


def resumed_run(
    step_functions: SFNClient, personalize: PersonalizeClient, configured: ConfiguredRun
) -> Run:
    """Return the run that the input names, with the input of its first execution.

    Only `dryRun` may be given anew.

    Raises:
        RunRefused: the run is unknown, has not failed, or a later run has imported data since.
    """
    run = run_of(configured)
    earlier_runs = _earlier_runs(step_functions, run)
    newest_first = list(_until_first_execution(earlier_runs, run["id"]))
    executions = [earlier for earlier in newest_first if earlier.run_id == run["id"]]
    reason = _reason_of_executions(executions)
    reason = reason or _reason_of_imports(personalize, configured["settings"], run, executions[-1])
    if reason:
        last_runs = islice(chain(newest_first, earlier_runs), NAMED_RUNS)
        raise RunRefused([f"resume: run {run['id']} {reason}; {_text_of(last_runs)}"])
    first_request = executions[-1].request
    if problems := input_problems({**configured, "request": first_request}):
        raise RunRefused(problems)
    return {
        **run,
        "trigger": first_request.get("trigger", "manual"),
        "request": {**first_request, **run["request"]},
    }


def _earlier_runs(step_functions: SFNClient, run: Run) -> Iterator[_EarlierRun]:
    """Yield the executions that started before the present execution, newest first.

    An execution whose first state failed has no run. Only the last executions are searched.
    """
    own_arn = run["executionArn"]
    listed = last_executions(step_functions, machine_arn_of(own_arn))
    start_times = {item["executionArn"]: item["startDate"] for item in listed}
    own_start = start_times.get(own_arn, datetime.fromisoformat(run["startedAt"]))
    for item in listed:
        arn = item["executionArn"]
        if (item["startDate"], arn) < (own_start, own_arn):
            configured = configured_run_of(step_functions, arn)
            if configured is not None:
                yield _EarlierRun(
                    run_of(configured)["id"],
                    item["status"],
                    item["startDate"],
                    request_of(configured["request"]),
                )


def _until_first_execution(
    newest_first: Iterable[_EarlierRun], run_id: str
) -> Iterator[_EarlierRun]:
    """Yield the runs down to the first execution of a run, which was not resumed."""
    for earlier in newest_first:
        yield earlier
        if earlier.run_id == run_id and "resume" not in earlier.request:
            return


def _reason_of_executions(executions: Sequence[_EarlierRun]) -> str | None:
    """Return why the run with these executions, newest first, cannot be resumed, or None.

    All its executions must have ended without success, except dry runs.
    """
    if not executions or "resume" in executions[-1].request:
        return f"did not begin in the last {LISTED_EXECUTIONS} executions of this state machine"
    # A dry run does nothing, and a later execution may have failed because it was refused.
    statuses = [earlier.status for earlier in executions if not earlier.request.get("dryRun")]
    if not statuses:
        return "was a dry run; start a new run without resume"
    for status in statuses:
        if status not in WITHOUT_SUCCESS:
            return f"is {status}; {WAYS_OUT.get(status, 'start a new run without resume')}"
    return None


def _reason_of_imports(
    personalize: PersonalizeClient, settings: Settings, run: Run, first_execution: _EarlierRun
) -> str | None:
    """Return a message if a later run has imported data since the first execution began, else None.

    A resumed run would import the exports of its day, which may be older than these data.
    """
    end = clock.now() + READING_TIME
    for dataset in settings["datasets"]:
        for job in import_jobs(personalize, dataset["datasetArn"], end).items:
            if (
                job["creationDateTime"] > first_execution.started_at
                and job["jobName"].startswith(f"{settings['prefix']}-")
                and not belongs_to_run(job["jobName"], settings, run)
                and not cannot_succeed(job["status"])
            ):
                return (
                    f"is older than the import {job['datasetImportJobArn']} of a later run; start "
                    "a new run without resume, or bring back an earlier export with exportDate"
                )
    return None


def _text_of(last_runs: Iterable[_EarlierRun]) -> str:
    """Return a text that names runs with their status and start."""
    texts = [
        f"{earlier.run_id} ({earlier.status}, started {earlier.started_at:%Y-%m-%d %H:%M} UTC)"
        for earlier in last_runs
    ]
    return f"the last runs are {', '.join(texts)}" if texts else "there are no earlier runs"
