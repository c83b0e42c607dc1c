"""Writes one log record for each call of a function. It has ids and states, but no payloads."""

import logging
from collections.abc import Sequence
from typing import TypeVar

from .contract import BegunRun, Item, PlannedRun, Run, UnfinishedTrials

AnyItem = TypeVar("AnyItem", bound=Item)

logger = logging.getLogger("retraining")
# At the level INFO, botocore logs where it found its credentials.
logging.getLogger("botocore").setLevel(logging.WARNING)


def log_begin(begun: BegunRun) -> BegunRun:
    """Log whether the run begins, and return the document."""
    begin = begun["begin"]
    logger.info(
        "begin_run: %s",
        begin["phase"],
        extra={"step": "begin_run", "runId": begun["run"]["id"], **begin},
    )
    return begun


def log_trials(run: Run, trials: UnfinishedTrials) -> UnfinishedTrials:
    """Log the number of campaigns with a version on trial, and return them."""
    campaign_count = len(trials["campaigns"])
    logger.info(
        "find_trials: %d on trial",
        campaign_count,
        extra={"step": "find_trials", "runId": run["id"], "campaigns": campaign_count},
    )
    return trials


def log_plan(planned: PlannedRun) -> PlannedRun:
    """Log the number of planned imports and trainings, and return the document."""
    plan = planned["plan"]
    import_count, solution_count = len(plan["imports"]), len(plan["solutions"])
    logger.info(
        "plan_retraining: %d to import, %d to train",
        import_count,
        solution_count,
        extra={
            "step": "plan_retraining",
            "runId": planned["run"]["id"],
            "imports": import_count,
            "solutions": solution_count,
            "skipped": plan["skipped"],
        },
    )
    return planned


def log_item(step: str, run: Run, arn: str, item: AnyItem) -> AnyItem:
    """Log how far an item has come, and return the item. `arn` is what it works on."""
    logger.info(
        "%s: %s",
        step,
        item["outcome"] or item["phase"],
        extra={
            "step": step,
            "runId": run["id"],
            "arn": arn,
            "phase": item["phase"],
            "outcome": item["outcome"],
            "reasons": item["reasons"],
        },
    )
    return item


def log_marker(location: str, *, started: str | None, missing: Sequence[str]) -> str | None:
    """Log what a written object has started, and which markers are missing. Return `started`."""
    logger.info(
        "start_on_export: %s",
        started or "nothing started",
        extra={
            "step": "start_on_export",
            "locationWritten": location,
            "execution": started,
            "missing": list(missing),
        },
    )
    return started
