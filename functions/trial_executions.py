"""Starts an execution that finishes the trials that a run has left."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .errors import ServiceUnavailable, Throttled
from .execution_input import MAX_ATTEMPTS
from .executions import machine_arn_of, short_hash

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from .campaign_reports import Standings
    from .contract import Run

TRIAL_NAME = re.compile(r"trial-([1-3])-(.+)")
"""The name of an execution that finishes trials: its attempt, and the run that left the trials."""


def finish_trials_later(client: SFNClient, run: Run, standings: Standings) -> str:
    """Start an execution that finishes trials if a campaign still has a version on trial.

    Return what happens next, as a part of a message. A dry run starts nothing. If no execution can
    be started, the next run finishes the trials. The name of the execution comes from the run and
    the attempt, so a second call for the same run starts no second execution.
    """
    if not any(standing["versionOnTrial"] for standing in standings.values()):
        return ""
    name = None if run["request"].get("dryRun") else _next_name(run)
    if name is None:
        return "the next run finishes the trial"
    try:
        _start(client, run, name)
    except (ClientError, ServiceUnavailable, Throttled) as error:
        return f"the execution {name} could not be started ({error}), so the next run finishes it"
    return f"the execution {name} finishes the trial"


def _next_name(run: Run) -> str | None:
    """Return the name of the next execution for the trials of a run, or None after the third."""
    match = TRIAL_NAME.fullmatch(run["executionArn"].rpartition(":")[2])
    if match is None:
        execution = short_hash(f"{run['executionArn']} {run['startedAt']}", 8)
        return f"trial-1-{run['id']}-{execution}"
    attempt = int(match[1]) + 1
    return f"trial-{attempt}-{match[2]}" if attempt <= MAX_ATTEMPTS else None


def _start(client: SFNClient, run: Run, name: str) -> None:
    """Start the execution with this name, unless it was started before."""
    attempt = int(name.split("-")[1])
    with suppress(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(
            stateMachineArn=machine_arn_of(run["executionArn"]),
            name=name,
            input=json.dumps({"trigger": "trial", "attempt": attempt}),
        )
