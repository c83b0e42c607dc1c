"""Reads and creates batch inference jobs and batch segment jobs. The recipe decides which kind.

Personalize writes the results of the input `users.json` to `users.json.out`, with a line for each
line of the input. A line that has failed has an `error` instead of an output.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .. import aws, exports
from ..contract import BatchJobSettings, Run, SolutionSettings
from ..executions import DATE, export_day, short_hash
from ..exports import Export, S3Object
from ..rules.batch_jobs import BatchJob, last_job
from ..rules.recipes import EXPLORATION_KEYS, makes_segments
from ..words import name_of
from .lists import PAGE_SIZE, read_list
from .statuses import is_active, is_running
from .tags import BATCH, CLOCK_TOLERANCE, RUN, tags_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_personalize import PersonalizeClient


class BatchJobOfRun(BatchJobSettings):
    """The settings of a batch job in a run. Its locations have a day for `{date}`."""

    pattern: str
    """The output in the config."""
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
            "pattern": job["output"],
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
        content, _, day = tags.get(BATCH, "").partition(" ")
        job = BatchJob(
            arn=arn,
            version_arn=shown["solutionVersionArn"],
            is_running=is_running(shown["status"]),
            is_active=is_active(shown["status"]),
            created_at=shown["creationDateTime"],
            ended_at=shown["lastUpdatedDateTime"],
            run=tags.get(RUN),
            content=content,
            day=day,
            failure=shown.get("failureReason"),
        )
        jobs.append(job)
        if job.is_active:
            break
    return jobs


def read_results(job: BatchJobOfRun, jobs: Sequence[BatchJob]) -> Export:
    """List all results beside the last ones of a slot. With `{date}`, they are those of its day.

    A run can do without them, so an error is returned.
    """
    last = last_job(jobs)
    if last is None:
        return Export(location=job["output"])

    location = job["pattern"].replace(DATE, last.day)
    try:
        objects = exports.list_objects(aws.s3(), location)
    except ClientError as error:
        return Export(location=location, read_error=exports.error_text(location, error))
    results = [file for file in objects if file.key.endswith(".out")]
    return Export(location=location, objects=results)


def with_present_results(
    jobs: Sequence[BatchJob], batch_input: Export, results: Export
) -> Sequence[BatchJob]:
    """Return the jobs, without their content if files of the last results were deleted.

    If there are files with other names than we expect, we can't say whether one is missing.
    Otherwise, each run would write and pay again.
    """
    names = {name_of(file.key) for file in _last_results(jobs, results)}
    if results.read_error or not names < _result_names(batch_input):
        return jobs
    return [job._replace(content=None) for job in jobs]


def obsolete_results(batch_input: Export, results: Export) -> list[str]:
    """Return the keys of the results whose input is gone.

    Subfolders may be outputs of other batch jobs.
    """
    names = _result_names(batch_input)
    keys = {file.key for file in results.objects if name_of(file.key) not in names}
    return sorted(keys - {*results.subfolder_keys})


def failed_lines(jobs: Sequence[BatchJob], results: Export) -> list[str]:
    """Return a warning if lines of the last results have failed, or nothing.

    The job succeeds nevertheless. Of large results, only the beginning is read.
    """
    files = _last_results(jobs, results)
    errors = []
    for line in exports.read_lines(aws.s3(), results.location, files):
        # The last line may be cut, and files of other programs may end in .out too.
        with suppress(ValueError, AttributeError):
            errors.append(json.loads(line).get("error"))

    found = [error for error in errors if error]
    if not found:
        return []
    warning = (
        f"at least {len(found):,} of {len(errors):,} lines that were read failed; correct them in "
        f"the input; the first error: {found[0]}"
    )
    return [warning]


def _last_results(jobs: Sequence[BatchJob], results: Export) -> list[S3Object]:
    """Return the results that were written since the creation of the last job."""
    last = last_job(jobs)
    if last is None:
        return []
    since = last.created_at - CLOCK_TOLERANCE
    return [file for file in results.objects if file.modified_at >= since]


def _result_names(batch_input: Export) -> set[str]:
    """Return the names of the files that a batch job writes. An empty file has no results."""
    return {f"{name_of(file.key)}.out" for file in batch_input.objects if file.size}


def create_batch_job(
    client: PersonalizeClient, recipe: str, job: BatchJobOfRun, request: dict[str, Any]
) -> None:
    """Create a batch job. `request` has its name, its version, its role and its tags."""
    request |= {
        "jobInput": {"s3DataSource": {"path": job["input"]}},
        "jobOutput": {"s3DataDestination": {"path": job["output"]}},
        **{key: job[key] for key in ("numResults", "filterArn") if job[key] is not None},
    }
    if makes_segments(recipe):
        client.create_batch_segment_job(**request)
        return

    exploration = {key: f"{job[key]:g}" for key in EXPLORATION_KEYS if job[key] is not None}
    if exploration:
        request["batchInferenceJobConfig"] = {"itemExplorationConfig": exploration}
    if job["themes"]:
        fields = {"itemName": job["themes"]}
        request["batchInferenceJobMode"] = "THEME_GENERATION"
        request["themeGenerationConfig"] = {"fieldsForThemeGeneration": fields}
    client.create_batch_inference_job(**request)
