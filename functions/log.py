"""The record that a function writes of what it did: ids and states, never payloads."""

import logging

from .documents import Job, Run
from .report import RunReport

logger = logging.getLogger("retraining")


def logged(step: str, run: Run, job: Job) -> Job:
    """Record how a job stands after this step, and give it back."""
    logger.info(
        "%s: %s",
        step,
        job["status"],
        extra={
            "step": step,
            "runId": run["id"],
            "arn": job["arn"],
            "phase": job["phase"],
            "failure": job["failure"],
        },
    )
    return job


def log_report(made: RunReport) -> RunReport:
    """Record a run's report, and give it back."""
    logger.info(
        made["text"],
        extra={"step": "report_outcome", "runId": made["runId"], "outcome": made["status"]},
    )
    return made
