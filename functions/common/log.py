"""Writes the functions' log records. They contain ids and states, but no payloads."""

import logging

from ..contract import (
    Item,
    Run,
)

logger = logging.getLogger("retraining")
# At level INFO, botocore logs where it found its credentials.
logging.getLogger("botocore").setLevel(logging.WARNING)


def log(step: str, text: str, **facts: object) -> None:
    """Log what a function has done. Each fact is a field of the record."""
    logger.info("%s: %s", step, text, extra={"step": step, **facts})


def log_item(step: str, run: Run, arn: str, item: Item) -> None:
    """Log how far an item has come. `arn` is the resource that the item is about."""
    log(
        step,
        item["outcome"] or item["phase"],
        runId=run["id"],
        arn=arn,
        phase=item["phase"],
        outcome=item["outcome"],
        reasons=item["reasons"],
    )
