"""Writes the functions' log records. They contain ids and states, but no payloads."""

import logging
from typing import TypeVar

from .contract import Item, Run

AnyItem = TypeVar("AnyItem", bound=Item)

"""The item of an import, a training, a deployment or a batch job."""

logger = logging.getLogger("retraining")
# At level INFO, botocore logs where it found its credentials.
logging.getLogger("botocore").setLevel(logging.WARNING)


def log(step: str, text: str, **facts: object) -> None:
    """Log what a function has done. Each fact is a field of the record."""
    logger.info("%s: %s", step, text, extra={"step": step, **facts})


def log_item(step: str, run: Run, arn: str, item: AnyItem) -> AnyItem:
    """Log how far an item has come, and return it as the result of the handler.

    `arn` is the resource that the run works on.
    """
    facts = {key: item[key] for key in ("phase", "outcome", "reasons")}
    log(step, item["outcome"] or item["phase"], runId=run["id"], arn=arn, **facts)

    return item
