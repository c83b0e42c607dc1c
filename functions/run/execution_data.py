"""Derives a run's id, its day, the names of its jobs and their results from an execution's data."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from ..common.hashes import compute_short_hash

if TYPE_CHECKING:
    from ..contract import (
        CampaignResult,
        ExecutionData,
        Run,
        RunRequest,
        Settings,
        SolutionResult,
        StartedExecution,
    )

RUN_ID_PATTERN = re.compile(r"[0-9]{8}T[0-9]{6}Z|[0-9]{8}-[0-9a-f]{8}")
"""A run's id: its scheduled time, or the day when it started and a hash."""


def identify_run(execution: StartedExecution) -> Run:
    """Derive a run's id and trigger from its execution."""
    request = parse_request(execution["request"])
    # Only programs set these keys, so without them a person started the run.
    trigger: object = request.get("trigger") or request.get("only") or "manual"

    return {
        **execution,
        "id": _derive_run_id(execution, request),
        "trigger": str(trigger),
        "request": request,
    }


def _derive_run_id(execution: StartedExecution, request: RunRequest) -> str:
    """Derive a run's id: its scheduled time, or the day when it started and a hash."""
    scheduled_at = parse_scheduled_time(request)
    if scheduled_at is not None:
        return scheduled_at.strftime("%Y%m%dT%H%M%SZ")

    started_at = datetime.fromisoformat(execution["startedAt"])
    day = started_at.astimezone(UTC).strftime("%Y%m%d")
    execution_name = execution["executionArn"].rpartition(":")[2]
    # `retrain start` already names the execution like that.
    if re.fullmatch(f"{day}-[0-9a-f]{{8}}", execution_name):
        return execution_name

    # The ARN alone isn't unique, because execution names can be reused after 90 days.
    identity = f"{execution['executionArn']} {execution['startedAt']}"
    return f"{day}-{compute_short_hash(identity, length=8)}"


def parse_request(execution_input: object) -> RunRequest:
    """Parse an execution's input without its null values. If it isn't an object, return {}."""
    if not isinstance(execution_input, dict):
        return {}

    request = {key: value for key, value in execution_input.items() if value is not None}
    return cast("RunRequest", request)


def parse_scheduled_time(request: RunRequest) -> datetime | None:
    """Parse the scheduled time, or return None if it's missing, invalid or without a time zone."""
    try:
        scheduled_at = datetime.fromisoformat(str(request.get("scheduledTime")))
        if scheduled_at.tzinfo is None:
            return None
        # In UTC, a time in the first or last year may be outside the range of datetime.
        return scheduled_at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def get_run_start(run: Run) -> datetime:
    """Return when the run's execution started, or its scheduled time if that's earlier.

    An earlier execution for the same scheduled time is the same run, so its work counts, too.
    """
    started_at = datetime.fromisoformat(run["startedAt"])
    scheduled_at = parse_scheduled_time(run["request"]) or started_at
    return min(started_at, scheduled_at)


def build_job_name(settings: Settings, run: Run, suffix: str) -> str:
    """Build a job's name, which must be unique in the account and region."""
    return f"{settings['prefix']}-{run['id']}-{suffix}"


def choose_export_day(run: Run) -> str:
    """Choose the day whose exports the run imports: the requested one, or the day in its id."""
    request = run["request"]
    run_id = run["id"]
    day_of_run = f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"

    return request.get("exportDate") or request.get("day") or day_of_run


def list_solution_results(execution_data: ExecutionData) -> list[SolutionResult]:
    """List the results of the run's trainings, or nothing if it ended before them."""
    if _has_planned_jobs(execution_data):
        return execution_data.get("solutions", [])
    return []


def list_trial_results(execution_data: ExecutionData) -> list[CampaignResult]:
    """List the results of earlier runs' trials that this run has tried to end."""
    if _has_planned_jobs(execution_data):
        return execution_data.get("trials", [])

    # So far, the trials that this run has just tried to end are under `solutions`.
    return list_campaign_results(execution_data)


def list_campaign_results(execution_data: ExecutionData) -> list[CampaignResult]:
    """List the results at all campaigns, starting with those of earlier runs' trials."""
    results = [*execution_data.get("trials", [])]
    for solution in execution_data.get("solutions", []):
        results += solution["campaigns"]
    return results


def _has_planned_jobs(execution_data: ExecutionData) -> bool:
    """Check if the run has planned its jobs. Until then, it only ends earlier runs' trials."""
    return "plan" in execution_data and execution_data["plan"]["todo"] == "WORK"
