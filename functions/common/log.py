"""Writes the functions' log records. They contain ids and states, but no payloads."""

import logging

from ..contract import (
    JobStatus,
    Run,
)

logger = logging.getLogger("retraining")
# At level INFO, botocore logs where it found its credentials.
logging.getLogger("botocore").setLevel(logging.WARNING)


def log(step: str, text: str, **facts: object) -> None:
    """Log what a function has done. Each fact is a field of the record."""
    logger.info("%s: %s", step, text, extra={"step": step, **facts})


def log_status(step: str, run: Run, arn: str, status: JobStatus) -> None:
    """Log how far a status has come. `arn` is the resource that the status is about."""
    log(
        step,
        status["outcome"] or status["phase"],
        runId=run["id"],
        arn=arn,
        phase=status["phase"],
        outcome=status["outcome"],
        reasons=status["reasons"],
    )
