"""Writes the log record of a function: ids and states, but no payloads."""

import logging

from .contract import Job, PlannedRun, Run
from .report import RunReport

logger = logging.getLogger("retraining")
# At INFO, botocore logs where it found its credentials.
logging.getLogger("botocore").setLevel(logging.WARNING)


def log_plan(planned: PlannedRun) -> PlannedRun:
    """Log the number of planned jobs, and return the document."""
    plan = planned["plan"]
    imports, solutions = len(plan["imports"]), len(plan["solutions"])
    logger.info(
        "plan_retraining: %d to import, %d to train",
        imports,
        solutions,
        extra={
            "step": "plan_retraining",
            "runId": planned["run"]["id"],
            "imports": imports,
            "solutions": solutions,
            "skipped": plan["skipped"],
        },
    )
    return planned


def log_job(step: str, run: Run, job: Job) -> Job:
    """Log the state of a job after this step, and return the job."""
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


def log_campaign(step: str, run: Run, campaign_arn: str, outcome: str) -> None:
    """Log the judgement of the gate or the probe for a campaign."""
    logger.info(
        "%s: %s",
        step,
        outcome,
        extra={"step": step, "runId": run["id"], "arn": campaign_arn, "outcome": outcome},
    )


def log_report(step: str, report: RunReport) -> RunReport:
    """Log the report of a run, and return it."""
    logger.info(
        report["text"],
        extra={"step": step, "runId": report["runId"], "outcome": report["status"]},
    )
    return report
