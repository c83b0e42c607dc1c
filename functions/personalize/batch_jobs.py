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
from ..contract import BatchJobSettings, Run, SolutionSettings, Tags
from ..rules.batch_jobs import BatchJob, find_last_successful_job
from ..rules.recipes import EXPLORATION_KEYS, has_segment_jobs
from ..run.execution_data import choose_export_day
from ..s3 import exports
from ..s3.exports import S3Listing, S3Object
from .lists import read_list
from .statuses import is_active, is_running
from .tags import BATCH_TAG, CLOCK_TOLERANCE, RUN_TAG, read_tags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_personalize import PersonalizeClient


class ResolvedBatchJobSettings(BatchJobSettings):
    """A batch job's settings for one run, with a day in place of `{date}` in its locations."""

    output_pattern: str
    """The configured output, which may contain `{date}`."""
    output_hash: str
    """A hash of the configured output. The names of the batch jobs that write there end with it."""


def resolve_batch_jobs(
    solution_settings: SolutionSettings, run: Run
) -> list[ResolvedBatchJobSettings]:
    """Replace `{date}` in the settings of a solution's batch jobs by the day of a run's exports."""
    day = choose_export_day(run)

    return [
        {
            **batch_settings,
            "input": batch_settings["input"].replace(DATE_PLACEHOLDER, day),
            "output": batch_settings["output"].replace(DATE_PLACEHOLDER, day),
            "output_pattern": batch_settings["output"],
            "output_hash": compute_short_hash(batch_settings["output"], length=8),
        }
        for batch_settings in solution_settings["batchJobs"]
    ]


def list_batch_jobs(
    client: PersonalizeClient, recipe: str, output_hash: str, version_arn: str | None = None
) -> list[BatchJob]:
    """List the batch jobs that write to an output, newest first.

    The list ends with the newest ACTIVE job, because that one wrote the last results. Without a
    version, this searches all batch jobs in the region, a list that only grows.
    """
    jobs: list[BatchJob] = []
    for arn, summary in _list_job_summaries(client, recipe, version_arn).items():
        # The output may have been configured under another solution before, so jobs of any
        # solution count.
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
    """List the segment jobs or the inference jobs, newest first, as ARN -> summary."""
    request = {"solutionVersionArn": version_arn} if version_arn else {}
    if has_segment_jobs(recipe):
        arn_key = "batchSegmentJobArn"
        summaries = read_list(client, "list_batch_segment_jobs", "batchSegmentJobs", **request)
    else:
        arn_key = "batchInferenceJobArn"
        summaries = read_list(client, "list_batch_inference_jobs", "batchInferenceJobs", **request)

    summaries.sort(key=lambda summary: summary["creationDateTime"], reverse=True)
    return {summary[arn_key]: summary for summary in summaries}


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

    A run can go on without this list. So if S3 refuses the request, the result has a `read_error`
    instead of files.
    """
    last_job = find_last_successful_job(jobs)
    if last_job is None:
        return S3Listing(location=batch_settings["output"])

    # If the output contains `{date}`, each day has its own folder.
    location = batch_settings["output_pattern"].replace(DATE_PLACEHOLDER, last_job.day)
    try:
        objects = exports.list_objects(aws.s3(), location)
    except ClientError as error:
        return S3Listing(location=location, read_error=exports.format_s3_error(location, error))

    result_files = [file for file in objects if file.key.endswith(".out")]
    return S3Listing(location=location, objects=result_files)


def clear_hashes_if_results_are_missing(
    jobs: Sequence[BatchJob], batch_input: S3Listing, results: S3Listing
) -> Sequence[BatchJob]:
    """Clear the content hashes of all jobs if files of the last results were deleted.

    A job without a content hash never counts as up to date, so the results are written again.
    """
    if results.read_error or not _are_results_missing(jobs, batch_input, results):
        return jobs

    return [job._replace(content_hash=None) for job in jobs]


def _are_results_missing(
    jobs: Sequence[BatchJob], batch_input: S3Listing, results: S3Listing
) -> bool:
    """Check if an input file has no result file, unless result files have unexpected names.

    If Personalize ever named its files differently than documented, all of them would seem to be
    missing, and each run would pay for writing them again.
    """
    expected_names = _predict_result_names(batch_input)
    present_names = {resource_name(file.key) for file in _list_last_results(jobs, results)}
    if present_names - expected_names:
        return False

    return bool(expected_names - present_names)


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
    """Return a warning if lines of the last results failed, or if results couldn't be read.

    A batch job succeeds even if lines fail. Only the first MAX_RESULT_BYTES are read.
    """
    if results.read_error:
        return [results.read_error]

    # The error of each line, or None if it didn't fail.
    line_errors = []
    files = _list_last_results(jobs, results)
    for line in exports.read_result_lines(aws.s3(), results.location, files):
        # The last line may be cut off, and other programs' files may end in .out, too.
        with suppress(ValueError, AttributeError):
            result = json.loads(line)
            line_errors.append(result.get("error"))

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
    """Predict the names of the result files: one for each input file that isn't empty."""
    return {f"{resource_name(file.key)}.out" for file in batch_input.objects if file.size}


def create_batch_job(
    client: PersonalizeClient,
    recipe: str,
    batch_settings: ResolvedBatchJobSettings,
    key_arn: str | None,
    common_fields: Mapping[str, Any],
) -> None:
    """Create a batch segment job or a batch inference job, depending on the recipe.

    `key_arn` is the KMS key of the input and the results, if there is one. `common_fields` are the
    name, version, role and tags.
    """
    key_field = {"kmsKeyArn": key_arn} if key_arn else {}
    request = {
        **common_fields,
        "jobInput": {"s3DataSource": {"path": batch_settings["input"], **key_field}},
        "jobOutput": {"s3DataDestination": {"path": batch_settings["output"], **key_field}},
    }
    # The API doesn't accept null.
    if batch_settings["numResults"] is not None:
        request["numResults"] = batch_settings["numResults"]
    if batch_settings["filterArn"] is not None:
        request["filterArn"] = batch_settings["filterArn"]

    if has_segment_jobs(recipe):
        client.create_batch_segment_job(**request)
    else:
        client.create_batch_inference_job(**request, **_build_inference_fields(batch_settings))


def _build_inference_fields(batch_settings: ResolvedBatchJobSettings) -> dict[str, Any]:
    """Build the request fields for exploration and themes, which segment jobs don't have."""
    fields: dict[str, Any] = {}

    # The API takes these settings as strings.
    exploration = {
        key: f"{batch_settings[key]:g}"
        for key in EXPLORATION_KEYS
        if batch_settings[key] is not None
    }
    if exploration:
        fields["batchInferenceJobConfig"] = {"itemExplorationConfig": exploration}

    if batch_settings["themes"]:
        theme_fields = {"itemName": batch_settings["themes"]}
        fields["batchInferenceJobMode"] = "THEME_GENERATION"
        fields["themeGenerationConfig"] = {"fieldsForThemeGeneration": theme_fields}
    return fields
