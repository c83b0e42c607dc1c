"""Writes the functions' log records. They contain IDs and states, but no payloads."""

import logging

from ..contract import JobStatus, Run

logger = logging.getLogger("retraining")
# At level INFO, botocore logs where it found its credentials.
logging.getLogger("botocore").setLevel(logging.WARNING)


def log(function_name: str, text: str, **fields: object) -> None:
    """Log what a function has done, with further fields of the record."""
    logger.info("%s: %s", function_name, text, extra={"step": function_name, **fields})


def log_status(function_name: str, run: Run, resource: str, status: JobStatus) -> None:
    """Log how far a job has come. `resource` is usually the ARN of what the job works on."""
    log(
        function_name,
        status["outcome"] or status["phase"],
        runId=run["id"],
        arn=resource,
        phase=status["phase"],
        outcome=status["outcome"],
        reasons=status["reasons"],
    )
