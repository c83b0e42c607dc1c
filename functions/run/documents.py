"""Derives a run's id, day, job names and results from its document."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from ..common.hashes import compute_short_hash

if TYPE_CHECKING:
    from ..contract import (
        CampaignResult,
        Run,
        RunDocument,
        RunRequest,
        Settings,
        SolutionResult,
        StartedExecution,
    )

RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z|[0-9]{8}-[0-9a-f]{8}")
"""A run's id: its scheduled time, or the day when it started and a hash."""


def identify_run(started: StartedExecution) -> Run:
    """Derive the run from its execution."""
    request = parse_request(started["request"])

    return {
        **started,
        "id": _run_id(started, request),
        "trigger": str(request.get("trigger") or request.get("only") or "manual"),
        "request": request,
    }


def _run_id(started: StartedExecution, request: RunRequest) -> str:
    """Derive the run's id: its scheduled time, or else the day when it started and a hash."""
    if scheduled := parse_scheduled_time(request):
        return scheduled.strftime("%Y%m%dT%H%M%SZ")

    day = datetime.fromisoformat(started["startedAt"]).astimezone(UTC).strftime("%Y%m%d")
    execution_name = started["executionArn"].rpartition(":")[2]
    # `retrain start` names the execution after the run.
    if re.fullmatch(f"{day}-[0-9a-f]{{8}}", execution_name):
        return execution_name

    # The ARN alone isn't unique, because execution names can be reused after 90 days.
    execution = f"{started['executionArn']} {started['startedAt']}"
    return f"{day}-{compute_short_hash(execution, 8)}"


def parse_request(execution_input: object) -> RunRequest:
    """Return an execution's input without null values, or {} if it isn't an object."""
    if not isinstance(execution_input, dict):
        return {}

    return cast(
        "RunRequest", {key: value for key, value in execution_input.items() if value is not None}
    )


def parse_scheduled_time(request: RunRequest) -> datetime | None:
    """Parse the scheduled time as UTC, or return None unless it's a valid time with a zone."""
    try:
        scheduled = datetime.fromisoformat(str(request.get("scheduledTime")))
        return scheduled.astimezone(UTC) if scheduled.tzinfo else None
    except (ValueError, OverflowError):
        return None


def get_run_start(run: Run) -> datetime:
    """Return when the run's execution started, or its scheduled time if that's earlier.

    So whatever an earlier execution did for the same scheduled time counts as done by this run.
    """
    started_at = datetime.fromisoformat(run["startedAt"])
    return min(started_at, parse_scheduled_time(run["request"]) or started_at)


def build_job_name(settings: Settings, run: Run, suffix: str) -> str:
    """Build a job's name, which must be unique in the account and region."""
    return f"{settings['prefix']}-{run['id']}-{suffix}"


def choose_export_day(run: Run) -> str:
    """Return the day whose exports the run imports. The default is the day in its id."""
    request = run["request"]
    run_id = run["id"]
    day_of_run = f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"

    return request.get("exportDate") or request.get("day") or day_of_run


def list_solution_results(document: RunDocument) -> list[SolutionResult]:
    """Return the results of the trainings, or [] if the run ended before them."""
    if _has_worked(document):
        return document.get("solutions", [])
    return []


def list_trial_results(document: RunDocument) -> list[CampaignResult]:
    """Return the results of earlier runs' trials that this run tried to end."""
    if _has_worked(document):
        return document.get("trials", [])

    # Until the run's own work begins, `solutions` has the results of trials.
    return list_campaign_results(document)


def list_campaign_results(document: RunDocument) -> list[CampaignResult]:
    """Return the results of all campaigns, starting with those of earlier runs' trials."""
    results = [*document.get("trials", [])]
    for solution in document.get("solutions", []):
        results += solution["campaigns"]
    return results


def _has_worked(document: RunDocument) -> bool:
    """Return True if `solutions` has the results of trainings, not of earlier runs' trials."""
    return "plan" in document and document["plan"]["todo"] == "WORK"
