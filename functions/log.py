"""The record that a function writes of what it did: ids and states, never payloads."""

import logging

from .contract import Job, Planned, Run
from .report import RunReport

logger = logging.getLogger("retraining")
# At INFO it records where it found its credentials.
logging.getLogger("botocore").setLevel(logging.WARNING)


def log_plan(planned: Planned) -> Planned:
    """Record how much a run is going to do, and give the plan back."""
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


def log_campaign(step: str, run: Run, campaign_arn: str, outcome: str) -> None:
    """Record what the gate or the probe says of a campaign."""
    logger.info(
        "%s: %s",
        step,
        outcome,
        extra={"step": step, "runId": run["id"], "arn": campaign_arn, "outcome": outcome},
    )


def log_report(step: str, made: RunReport) -> RunReport:
    """Record a run's report, and give it back."""
    logger.info(
        made["text"],
        extra={"step": step, "runId": made["runId"], "outcome": made["status"]},
    )
    return made
