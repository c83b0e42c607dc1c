"""Reads and creates batch inference jobs and batch segment jobs. The recipe decides which kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..contract import BatchJobSettings
from ..executions import DATE, export_day, short_hash
from ..rules.batch_jobs import BatchJob
from ..rules.recipes import EXPLORATION_KEYS, makes_segments
from .lists import PAGE_SIZE, read_list
from .statuses import is_active, is_running
from .tags import BATCH, RUN, tags_of

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import Run, SolutionSettings


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
            "slot": short_hash(job["output"], 8),
        }
        for job in solution["batchJobs"]
    ]


def list_batch_jobs(
    client: PersonalizeClient, recipe: str, slot: str, version_arn: str | None = None
) -> list[BatchJob]:
    """Return a slot's newest ACTIVE batch job and those after it, of one version or all.

    The newest is first. The list of all versions only grows, so it takes longer.
    """
    request: Any = {"solutionVersionArn": version_arn} if version_arn else {}
    paginator: Any = client.get_paginator("list_batch_inference_jobs")
    kind = "Inference"
    if makes_segments(recipe):
        paginator = client.get_paginator("list_batch_segment_jobs")
        kind = "Segment"

    pages = paginator.paginate(**request, PaginationConfig=PAGE_SIZE)
    listed = read_list(pages, lambda page: page[f"batch{kind}Jobs"])
    jobs: list[BatchJob] = []
    for shown in sorted(listed, key=lambda shown: shown["creationDateTime"], reverse=True):
        arn = shown[f"batch{kind}JobArn"]
        # Another solution may have written there, if the batch job was its own meanwhile.
        if not arn.endswith(f"-{slot}"):
            continue

        tags = tags_of(client, arn)
        job = BatchJob(
            arn=arn,
            version_arn=shown["solutionVersionArn"],
            is_running=is_running(shown["status"]),
            is_active=is_active(shown["status"]),
            created_at=shown["creationDateTime"],
            ended_at=shown["lastUpdatedDateTime"],
            run=tags.get(RUN),
            content=tags.get(BATCH),
            failure=shown.get("failureReason"),
        )
        jobs.append(job)
        if job.is_active:
            break
    return jobs


def create_batch_job(
    client: PersonalizeClient, recipe: str, job: BatchJobOfRun, request: dict[str, Any]
) -> None:
    """Create a batch job. `request` has the name, the version, the role and the tags."""
    request |= {
        "jobInput": {"s3DataSource": {"path": job["input"]}},
        "jobOutput": {"s3DataDestination": {"path": job["output"]}},
        **{key: job[key] for key in ("numResults", "filterArn") if job[key] is not None},
    }
    if makes_segments(recipe):
        client.create_batch_segment_job(**request)
        return
    if exploration := {key: f"{job[key]:g}" for key in EXPLORATION_KEYS if job[key] is not None}:
        request["batchInferenceJobConfig"] = {"itemExplorationConfig": exploration}
    if job["themes"]:
        fields = {"itemName": job["themes"]}
        request["batchInferenceJobMode"] = "THEME_GENERATION"
        request["themeGenerationConfig"] = {"fieldsForThemeGeneration": fields}
    client.create_batch_inference_job(**request)
