"""Reads and creates batch inference jobs and batch segment jobs. The recipe decides which kind.

A job turns the input `users.json` into the results `users.json.out`, line by line. A line that has
failed has an `error` instead of an output.

Batch jobs that write to the same output of the config belong to the same *slot*.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .. import aws, exports
from ..constants import DATE_PLACEHOLDER
from ..contract import BatchJobSettings, Run, SolutionSettings
from ..exports import Listing, S3Object
from ..hashes import hash_shortly
from ..rules.batch_jobs import BatchJob, find_last_job
from ..rules.recipes import EXPLORATION_KEYS, makes_segments
from ..runs import choose_export_day
from ..words import resource_name
from .lists import PAGE_SIZE, read_list
from .statuses import is_active, is_running
from .tags import BATCH, CLOCK_TOLERANCE, RUN, read_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import Tags


class ResolvedBatchJob(BatchJobSettings):
    """The settings of a batch job in a run. A day has replaced `{date}` in its locations."""

    pattern: str
    """The output as it is in the config, with `{date}`."""
    slot: str
    """A hash of this pattern, with which the names of the slot's batch jobs end."""


def batch_jobs_of(solution: SolutionSettings, run: Run) -> list[ResolvedBatchJob]:
    """Derive the batch jobs of a solution in a run from the settings."""
    day = choose_export_day(run)

    return [
        {
            **job,
            "input": job["input"].replace(DATE_PLACEHOLDER, day),
            "output": job["output"].replace(DATE_PLACEHOLDER, day),
            "pattern": job["output"],
            "slot": hash_shortly(job["output"], 8),
        }
        for job in solution["batchJobs"]
    ]


def list_batch_jobs(
    client: PersonalizeClient, recipe: str, slot: str, version_arn: str | None = None
) -> list[BatchJob]:
    """List the batch jobs of a slot, newest first, until the newest ACTIVE one.

    Without a version, all batch jobs of the region are searched, a list that only grows.
    """
    jobs: list[BatchJob] = []
    for arn, summary in _list_summaries(client, recipe, version_arn).items():
        # The job's solution doesn't matter, because the output may have moved to another one.
        if not arn.endswith(f"-{slot}"):
            continue

        job = _parse_batch_job(summary, arn, read_tags(client, arn))
        jobs.append(job)
        if job.is_active:
            break
    return jobs


def _list_summaries(
    client: PersonalizeClient, recipe: str, version_arn: str | None
) -> dict[str, Any]:
    """List the jobs of the recipe's kind, newest first: their ARNs, and what Personalize shows."""
    kind = "Inference"
    paginator: Any = client.get_paginator("list_batch_inference_jobs")
    if makes_segments(recipe):
        kind = "Segment"
        paginator = client.get_paginator("list_batch_segment_jobs")

    request: Any = {"PaginationConfig": PAGE_SIZE}
    if version_arn:
        request["solutionVersionArn"] = version_arn
    summaries = read_list(paginator.paginate(**request), lambda page: page[f"batch{kind}Jobs"])

    summaries.sort(key=lambda summary: summary["creationDateTime"], reverse=True)
    return {summary[f"batch{kind}JobArn"]: summary for summary in summaries}


def _parse_batch_job(summary: Any, arn: str, tags: Tags) -> BatchJob:  # noqa: ANN401 - of either kind
    """Convert a batch job, as a list shows it, and its tags."""
    # A foreign job in the slot has no such tag.
    content, _, day = tags.get(BATCH, "").partition(" ")

    return BatchJob(
        arn=arn,
        version_arn=summary["solutionVersionArn"],
        is_running=is_running(summary["status"]),
        is_active=is_active(summary["status"]),
        created_at=summary["creationDateTime"],
        ended_at=summary["lastUpdatedDateTime"],
        run=tags.get(RUN),
        content=content,
        day=day,
        failure=summary.get("failureReason"),
    )


def read_results(job: ResolvedBatchJob, jobs: Sequence[BatchJob]) -> Listing:
    """List all results in the folder of a slot's last results.

    With `{date}`, each day has a folder. A run can do without the list, so an error becomes the
    `read_error` of the result.
    """
    last = find_last_job(jobs)
    if last is None:
        return Listing(location=job["output"])

    location = job["pattern"].replace(DATE_PLACEHOLDER, last.day)
    try:
        objects = exports.list_objects(aws.s3(), location)
    except ClientError as error:
        return Listing(location=location, read_error=exports.describe_s3_error(location, error))

    results = [file for file in objects if file.key.endswith(".out")]
    return Listing(location=location, objects=results)


def forget_lost_results(
    jobs: Sequence[BatchJob], batch_input: Listing, results: Listing
) -> Sequence[BatchJob]:
    """Forget the content of the jobs if files of the last results were deleted.

    Then the rules write the results again. As long as there are files with names that we don't
    expect, nothing counts as deleted. Otherwise, if Personalize named its files differently than
    documented, each run would write and pay again.
    """
    present_names = {resource_name(file.key) for file in _find_last_results(jobs, results)}
    # With sets, < is True only for a proper subset.
    is_one_missing = present_names < _predict_result_names(batch_input)
    if results.read_error or not is_one_missing:
        return jobs

    return [job._replace(content=None) for job in jobs]


def find_obsolete_results(batch_input: Listing, results: Listing) -> list[str]:
    """List the keys of the results whose input is gone.

    Results in subfolders don't count, because they may be those of other batch jobs.
    """
    expected_names = _predict_result_names(batch_input)
    obsolete_keys = {
        file.key for file in results.objects if resource_name(file.key) not in expected_names
    }

    return sorted(obsolete_keys - {*results.subfolder_keys})


def warn_of_failed_lines(jobs: Sequence[BatchJob], results: Listing) -> list[str]:
    """Return a warning if lines of the last results have failed or can't be read, or nothing.

    The job succeeds nevertheless. Only the beginning of large results is read.
    """
    if results.read_error:
        return [results.read_error]

    files = _find_last_results(jobs, results)
    errors_of_lines = []
    for line in exports.read_lines(aws.s3(), results.location, files):
        # The last line may be cut off, and files of other programs may end in .out, too.
        with suppress(ValueError, AttributeError):
            errors_of_lines.append(json.loads(line).get("error"))

    errors = [error for error in errors_of_lines if error]
    if not errors:
        return []

    warning = (
        f"at least {len(errors):,} of {len(errors_of_lines):,} lines that were read failed; "
        f"correct them in the input; the first error: {errors[0]}"
    )
    return [warning]


def _find_last_results(jobs: Sequence[BatchJob], results: Listing) -> list[S3Object]:
    """Find the results that were written since the creation of the last job."""
    last = find_last_job(jobs)
    if last is None:
        return []

    since = last.created_at - CLOCK_TOLERANCE
    return [file for file in results.objects if file.modified_at >= since]


def _predict_result_names(batch_input: Listing) -> set[str]:
    """Predict the names of the files that a batch job writes. An empty input has no results."""
    return {f"{resource_name(file.key)}.out" for file in batch_input.objects if file.size}


def create_batch_job(
    client: PersonalizeClient, recipe: str, job: ResolvedBatchJob, request: dict[str, Any]
) -> None:
    """Create a batch job. `request` already has its name, version, role and tags."""
    request = {
        **request,
        "jobInput": {"s3DataSource": {"path": job["input"]}},
        "jobOutput": {"s3DataDestination": {"path": job["output"]}},
        **{key: job[key] for key in ("numResults", "filterArn") if job[key] is not None},
    }

    if makes_segments(recipe):
        client.create_batch_segment_job(**request)
        return

    # The API takes the values of these settings as strings.
    exploration = {key: f"{job[key]:g}" for key in EXPLORATION_KEYS if job[key] is not None}
    if exploration:
        request["batchInferenceJobConfig"] = {"itemExplorationConfig": exploration}

    if job["themes"]:
        fields = {"itemName": job["themes"]}
        request["batchInferenceJobMode"] = "THEME_GENERATION"
        request["themeGenerationConfig"] = {"fieldsForThemeGeneration": fields}

    client.create_batch_inference_job(**request)
