"""Reads and creates batch inference jobs and batch segment jobs, depending on the recipe.

A job turns the input file `users.json` into the result file `users.json.out`, line by line. If a
line fails, its result has an `error` instead of an output.

Batch jobs with the same configured output belong together, whoever created them.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ..common import aws
from ..common.formatting import resource_name
from ..common.hashes import compute_short_hash
from ..constants import DATE_PLACEHOLDER
from ..contract import (
    BatchJobSettings,
    Run,
    SolutionSettings,
)
from ..rules.batch_jobs import (
    BatchJob,
    find_last_successful_job,
)
from ..rules.recipes import (
    EXPLORATION_KEYS,
    has_segment_jobs,
)
from ..run.execution_data import choose_export_day
from ..s3 import exports
from ..s3.exports import (
    S3Listing,
    S3Object,
)
from .lists import (
    PAGE_SIZE,
    read_list,
)
from .statuses import (
    is_active,
    is_running,
)
from .tags import (
    BATCH_TAG,
    CLOCK_TOLERANCE,
    RUN_TAG,
    read_tags,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import Tags


class ResolvedBatchJobSettings(BatchJobSettings):
    """A batch job's settings for one run, with a day in place of `{date}` in its locations."""

    output_pattern: str
    """The configured output, which may contain `{date}`."""
    output_hash: str
    """A hash of the configured output. The names of the batch jobs that write there end with it."""


def resolve_batch_jobs(
    solution_settings: SolutionSettings, run: Run
) -> list[ResolvedBatchJobSettings]:
    """Resolve the settings of a solution's batch jobs for one run."""
    day = choose_export_day(run)

    return [
        {
            **batch_settings,
            "input": batch_settings["input"].replace(DATE_PLACEHOLDER, day),
            "output": batch_settings["output"].replace(DATE_PLACEHOLDER, day),
            "output_pattern": batch_settings["output"],
            "output_hash": compute_short_hash(batch_settings["output"], 8),
        }
        for batch_settings in solution_settings["batchJobs"]
    ]


def list_batch_jobs(
    client: PersonalizeClient, recipe: str, output_hash: str, version_arn: str | None = None
) -> list[BatchJob]:
    """List the batch jobs that write to an output, newest first, up to the newest ACTIVE one.

    Without a version, this searches all batch jobs in the region, a list that only grows.
    """
    jobs: list[BatchJob] = []
    for arn, summary in _list_job_summaries(client, recipe, version_arn).items():
        # Jobs of any solution count, because the output may have moved from another solution.
        if not arn.endswith(f"-{output_hash}"):
            continue

        job = _parse_batch_job(summary, arn, read_tags(client, arn))
        jobs.append(job)
        if job.is_active:
            break
    return jobs


def _list_job_summaries(
    client: PersonalizeClient, recipe: str, version_arn: str | None
) -> dict[str, Any]:
    """Map the ARNs of segment or inference jobs to their summaries, newest first."""
    job_type = "Inference"
    paginator: Any = client.get_paginator("list_batch_inference_jobs")
    if has_segment_jobs(recipe):
        job_type = "Segment"
        paginator = client.get_paginator("list_batch_segment_jobs")

    request: Any = {"PaginationConfig": PAGE_SIZE}
    if version_arn:
        request["solutionVersionArn"] = version_arn
    summaries = read_list(paginator.paginate(**request), lambda page: page[f"batch{job_type}Jobs"])

    summaries.sort(key=lambda summary: summary["creationDateTime"], reverse=True)
    return {summary[f"batch{job_type}JobArn"]: summary for summary in summaries}


def _parse_batch_job(summary: Any, arn: str, tags: Tags) -> BatchJob:  # noqa: ANN401 - of either type
    """Parse a batch job from its summary in a list, and from its tags."""
    # A foreign job has no such tag.
    content_hash, _, day = tags.get(BATCH_TAG, "").partition(" ")

    return BatchJob(
        arn=arn,
        version_arn=summary["solutionVersionArn"],
        is_running=is_running(summary["status"]),
        is_active=is_active(summary["status"]),
        created_at=summary["creationDateTime"],
        ended_at=summary["lastUpdatedDateTime"],
        run_id=tags.get(RUN_TAG),
        content_hash=content_hash,
        day=day,
        failure=summary.get("failureReason"),
    )


def read_results(batch_settings: ResolvedBatchJobSettings, jobs: Sequence[BatchJob]) -> S3Listing:
    """List all result files in the folder that the last successful job wrote to.

    With `{date}`, each day has its own folder. A run can do without this list, so an error only
    sets `read_error`.
    """
    last_job = find_last_successful_job(jobs)
    if last_job is None:
        return S3Listing(location=batch_settings["output"])

    location = batch_settings["output_pattern"].replace(DATE_PLACEHOLDER, last_job.day)
    try:
        objects = exports.list_objects(aws.s3(), location)
    except ClientError as error:
        return S3Listing(location=location, read_error=exports.format_s3_error(location, error))

    results = [file for file in objects if file.key.endswith(".out")]
    return S3Listing(location=location, objects=results)


def clear_hashes_of_lost_results(
    jobs: Sequence[BatchJob], batch_input: S3Listing, results: S3Listing
) -> Sequence[BatchJob]:
    """Clear the jobs' content hashes if files of the last results were deleted.

    The rules then write the results again. If there are files with unexpected names, nothing
    counts as deleted. Otherwise, if Personalize named its files differently than documented, every
    run would write and pay again.
    """
    present_names = {resource_name(file.key) for file in _list_last_results(jobs, results)}
    # On sets, < means a proper subset.
    has_missing_results = present_names < _predict_result_names(batch_input)
    if results.read_error or not has_missing_results:
        return jobs

    return [job._replace(content_hash=None) for job in jobs]


def list_obsolete_result_keys(batch_input: S3Listing, results: S3Listing) -> list[str]:
    """List the keys of the results whose input files are gone.

    Results in subfolders don't count, because they may belong to other batch jobs.
    """
    expected_names = _predict_result_names(batch_input)
    obsolete_keys = {
        file.key for file in results.objects if resource_name(file.key) not in expected_names
    }

    return sorted(obsolete_keys - {*results.subfolder_keys})


def warn_of_failed_lines(jobs: Sequence[BatchJob], results: S3Listing) -> list[str]:
    """Warn of lines that failed in the last results, or of results that can't be read.

    The job succeeds all the same. Only the first MAX_RESULT_BYTES are read.
    """
    if results.read_error:
        return [results.read_error]

    files = _list_last_results(jobs, results)
    line_errors = []
    for line in exports.read_result_lines(aws.s3(), results.location, files):
        # The last line may be cut off, and other programs' files may end in .out, too.
        with suppress(ValueError, AttributeError):
            line_errors.append(json.loads(line).get("error"))

    errors = [error for error in line_errors if error]
    if not errors:
        return []

    warning = (
        f"at least {len(errors):,} of {len(line_errors):,} lines that were read failed; "
        f"correct them in the input; the first error: {errors[0]}"
    )
    return [warning]


def _list_last_results(jobs: Sequence[BatchJob], results: S3Listing) -> list[S3Object]:
    """List the results written since the last successful job was created."""
    last_job = find_last_successful_job(jobs)
    if last_job is None:
        return []

    since = last_job.created_at - CLOCK_TOLERANCE
    return [file for file in results.objects if file.modified_at >= since]


def _predict_result_names(batch_input: S3Listing) -> set[str]:
    """Predict the names of the files that a batch job writes: none for an empty input file."""
    return {f"{resource_name(file.key)}.out" for file in batch_input.objects if file.size}


def create_batch_job(
    client: PersonalizeClient,
    recipe: str,
    settings: ResolvedBatchJobSettings,
    request: dict[str, Any],
) -> None:
    """Create a batch job. `request` already has its name, version, role and tags."""
    request = {
        **request,
        "jobInput": {"s3DataSource": {"path": settings["input"]}},
        "jobOutput": {"s3DataDestination": {"path": settings["output"]}},
        **{key: settings[key] for key in ("numResults", "filterArn") if settings[key] is not None},
    }

    if has_segment_jobs(recipe):
        client.create_batch_segment_job(**request)
        return

    # The API takes these settings as strings.
    exploration = {
        key: f"{settings[key]:g}" for key in EXPLORATION_KEYS if settings[key] is not None
    }
    if exploration:
        request["batchInferenceJobConfig"] = {"itemExplorationConfig": exploration}

    if settings["themes"]:
        fields = {"itemName": settings["themes"]}
        request["batchInferenceJobMode"] = "THEME_GENERATION"
        request["themeGenerationConfig"] = {"fieldsForThemeGeneration": fields}

    client.create_batch_inference_job(**request)
