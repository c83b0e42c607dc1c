"""Reads batch inference and batch segment jobs for the rules, and creates them.

Both kinds have the same life, and their operations differ only in their names. The recipe of a
solution decides which kind its version can run.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..contract import BatchJobSettings
from ..executions import DATE, export_day, short_hash
from ..rules.batch_jobs import EXPLORATION_KEYS, BatchJob
from .lists import PAGE_SIZE, read_list
from .statuses import is_active, is_running
from .tags import BATCH, RUN, tags_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import Run, SolutionSettings

SEGMENT_RECIPES = ("aws-item-affinity", "aws-item-attribute-affinity")
"""https://docs.aws.amazon.com/personalize/latest/dg/user-segmentation-recipes.html"""
SEGMENT_JOB = "batch-segment-job"
SLOT_DIGITS = 8


class BatchJobOfRun(BatchJobSettings):
    """The settings of a batch job in a run. Its locations have a day for `{date}`."""

    slot: str
    """A hash of the output in the config. The names of its batch jobs end with it."""


def batch_jobs_of(solution: SolutionSettings, run: Run) -> list[BatchJobOfRun]:
    """Return the batch jobs of a solution in a run."""
    day = export_day(run)
    return [
        {
            **job,
            "input": job["input"].replace(DATE, day),
            "output": job["output"].replace(DATE, day),
            "slot": short_hash(job["output"], SLOT_DIGITS),
        }
        for job in solution["batchJobs"]
    ]


def batch_job_arn(solution_arn: str, recipe: str, name: str) -> str:
    """Return the ARN that the batch job with this name has."""
    kind = SEGMENT_JOB if recipe in SEGMENT_RECIPES else "batch-inference-job"
    return f"{solution_arn.partition(':solution/')[0]}:{kind}/{name}"


def list_batch_jobs(
    client: PersonalizeClient, solution_arn: str, recipe: str, slot: str
) -> list[BatchJob]:
    """Return the newest ACTIVE batch job of a slot and those after it, newest first."""
    listed: list[Any]
    if recipe in SEGMENT_RECIPES:
        segments = client.get_paginator("list_batch_segment_jobs")
        pages = segments.paginate(PaginationConfig=PAGE_SIZE)
        listed = read_list(pages, lambda page: page["batchSegmentJobs"])
    else:
        inferences = client.get_paginator("list_batch_inference_jobs")
        inference_pages = inferences.paginate(PaginationConfig=PAGE_SIZE)
        listed = read_list(inference_pages, lambda page: page["batchInferenceJobs"])
    jobs: list[BatchJob] = []
    for shown in sorted(listed, key=lambda shown: shown["creationDateTime"], reverse=True):
        is_of_solution = shown["solutionVersionArn"].startswith(f"{solution_arn}/")
        if is_of_solution and shown["jobName"].endswith(f"-{slot}"):
            jobs.append(_job(client, shown))
            if jobs[-1].is_active:
                break
    return jobs


def find_batch_job(client: PersonalizeClient, arn: str) -> list[BatchJob]:
    """Return the batch job with this ARN, or nothing if it does not exist."""
    shown: Any
    with suppress(client.exceptions.ResourceNotFoundException):
        if SEGMENT_JOB in arn:
            shown = client.describe_batch_segment_job(batchSegmentJobArn=arn)["batchSegmentJob"]
        else:
            described = client.describe_batch_inference_job(batchInferenceJobArn=arn)
            shown = described["batchInferenceJob"]
        return [_job(client, shown)]
    return []


def create_batch_job(
    client: PersonalizeClient, arn: str, job: BatchJobOfRun, request: dict[str, Any]
) -> None:
    """Create the batch job with this ARN. `request` has the version, the role and the tags."""
    request |= {
        "jobName": arn.rpartition("/")[2],
        "jobInput": {"s3DataSource": {"path": job["input"]}},
        "jobOutput": {"s3DataDestination": {"path": job["output"]}},
        **{key: job[key] for key in ("numResults", "filterArn") if job[key] is not None},
    }
    if SEGMENT_JOB in arn:
        client.create_batch_segment_job(**request)
        return
    if exploration := {key: f"{job[key]:g}" for key in EXPLORATION_KEYS if job[key] is not None}:
        request["batchInferenceJobConfig"] = {"itemExplorationConfig": exploration}
    if job["themes"]:
        fields = {"itemName": job["themes"]}
        request["batchInferenceJobMode"] = "THEME_GENERATION"
        request["themeGenerationConfig"] = {"fieldsForThemeGeneration": fields}
    client.create_batch_inference_job(**request)


def _job(client: PersonalizeClient, shown: Mapping[str, Any]) -> BatchJob:
    arn = shown.get("batchSegmentJobArn") or shown["batchInferenceJobArn"]
    tags = tags_of(client, arn)
    return BatchJob(
        arn=arn,
        version=shown["solutionVersionArn"],
        is_running=is_running(shown["status"]),
        is_active=is_active(shown["status"]),
        created_at=shown["creationDateTime"],
        ended_at=shown["lastUpdatedDateTime"],
        run=tags.get(RUN),
        content=tags.get(BATCH),
        failure=shown.get("failureReason"),
    )
