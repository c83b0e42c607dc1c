"""The operations on batch jobs, which write recommendations or user segments to S3.

Rules and file formats come from these pages of the guide: "Preparing input data for batch
recommendations", "Batch inference job output examples" and "Preparing input data for user
segments". According to the API reference, a job generates error messages for failed records, so an
input line without a result gets an `error` in the output. AWS doesn't document what happens if no
line of a file has a result. Here, the job fails.
"""

import json
from collections.abc import Mapping
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from emulator.personalize.errors import JobFailed, invalid_input
from emulator.personalize.filters import filter_scores, find_active_filter
from emulator.personalize.lifecycle import check_no_unfinished_job, create_resource, find_active
from emulator.personalize.recipes import Recipe
from emulator.personalize.resources import (
    BatchInferenceJob,
    BatchJob,
    BatchSegmentJob,
    DataDeletionJob,
    SolutionVersion,
)
from emulator.personalize.runtime import DEFAULT_RESULTS, compute_scores
from emulator.personalize.s3_files import S3Objects, parse_location
from emulator.personalize.store import Request, Store
from emulator.protocol.errors import ApiError

BatchJobT = TypeVar("BatchJobT", bound=BatchJob)
Line = dict[str, Any]
"""A parsed line of an input or output file. Both are in the JSON Lines format."""

REQUIRED_INPUT_KEYS = {
    "USER_PERSONALIZATION": ("userId",),
    "POPULAR_ITEMS": ("userId",),
    "PERSONALIZED_RANKING": ("userId", "itemList"),
    "RELATED_ITEMS": ("itemId",),
    "USER_SEGMENTATION": ("itemId",),
}
"""Type of recipe -> the keys that each line of the input must have."""
RECIPES_WITHOUT_BATCH_INFERENCE = ("aws-trending-now", "aws-next-best-action")
RECIPE_TYPES_WITH_SCORES = ("USER_PERSONALIZATION", "PERSONALIZED_RANKING")


def create_batch_inference_job(store: Store, request: Request) -> BatchInferenceJob:
    """Start a job that writes recommendations. Its input isn't read until it ends."""
    version = find_active(store, SolutionVersion, request["solutionVersionArn"])
    recipe = version.solution.recipe
    if recipe.type == "USER_SEGMENTATION" or recipe.name in RECIPES_WITHOUT_BATCH_INFERENCE:
        raise invalid_input(f"The recipe {recipe.name} does not support batch inference jobs")

    details = {"batchInferenceJobMode": "BATCH_INFERENCE", **request}
    if details["batchInferenceJobMode"] == "THEME_GENERATION":
        raise invalid_input("THEME_GENERATION is not supported by this emulator")

    return _create_batch_job(store, BatchInferenceJob, details, version)


def create_batch_segment_job(store: Store, request: Request) -> BatchSegmentJob:
    """Start a job that writes user segments. Its input isn't read until it ends."""
    version = find_active(store, SolutionVersion, request["solutionVersionArn"])
    recipe = version.solution.recipe
    if recipe.type != "USER_SEGMENTATION":
        raise invalid_input(f"The recipe {recipe.name} does not support batch segment jobs")
    if recipe.name != "aws-item-affinity":
        raise invalid_input(f"Segments of {recipe.name} are not supported by this emulator")

    return _create_batch_job(store, BatchSegmentJob, request, version)


def _create_batch_job(
    store: Store, job_class: type[BatchJobT], request: Request, version: SolutionVersion
) -> BatchJobT:
    """Start a batch inference or segment job, which uses a solution version."""
    solution = version.solution
    check_no_unfinished_job(store, solution.group_arn, DataDeletionJob)

    job = create_resource(
        store,
        job_class,
        {"numResults": DEFAULT_RESULTS, **request},
        parent_arns=[version.arn, solution.arn, solution.group_arn],
        version=version,
        filter=find_active_filter(store, request, solution.group_arn),
        source=parse_location(request["jobInput"]["s3DataSource"]["path"]),
        destination=parse_location(request["jobOutput"]["s3DataDestination"]["path"]),
    )

    job.timeline.on_active(partial(_write_results, store, job))
    return job


def _write_results(store: Store, job: BatchJob) -> None:
    """Write an output file per input file, for example users.json.out for users.json."""
    for key, content in _read_input_files(store.objects, job).items():
        file_name = key.rpartition("/")[2]
        output_lines = _process_file(store, job, file_name, content)

        json_lines = [json.dumps(line, separators=(",", ":")) for line in output_lines]
        output = "".join(f"{json_line}\n" for json_line in json_lines)
        output_key = f"{job.destination.key}{file_name}.out"
        role_arn = job.details["roleArn"]
        store.objects.write(job.destination.bucket, output_key, output.encode(), role_arn)


def _read_input_files(objects: S3Objects, job: BatchJob) -> dict[str, bytes]:
    """Read all objects whose keys begin with the input path, even those in subfolders."""
    bucket, prefix = job.source
    role_arn = job.details["roleArn"]
    all_keys = objects.keys(bucket, prefix, role_arn)

    # To show a folder, the S3 console creates an object whose key ends with a slash.
    keys = [key for key in all_keys if not key.endswith("/")]
    if not keys:
        raise JobFailed(f"There is no input file at s3://{bucket}/{prefix}")

    return {key: objects.read(bucket, key, role_arn) for key in keys}


def _process_file(store: Store, job: BatchJob, file_name: str, content: bytes) -> list[Line]:
    """Compute the output lines for an input file. If none of them has a result, fail the job."""
    input_lines = content.decode(errors="replace").split("\n")
    output_lines = [_process_text(store, job, text) for text in input_lines if text.strip()]
    if not output_lines:
        raise JobFailed(f"{file_name} has no valid line: it is empty")

    errors = [line["error"] for line in output_lines if line.get("error")]
    if len(errors) == len(output_lines):
        raise JobFailed(f"{file_name} has no valid line: {errors[0]}")

    return output_lines


def _process_text(store: Store, job: BatchJob, text: str) -> Line:
    """Compute the output line for an unparsed input line. An invalid one results in an `error`."""
    line: Any = text
    try:
        line = json.loads(text)
        return _process_line(store, job, line)
    except ApiError as error:
        message = error.message
    except (ValueError, TypeError, AttributeError):
        # It isn't JSON, it isn't an object, or a value has a type that the recipe can't handle.
        message = "The line is not valid"

    return {"input": line, "output": None, "error": message}


def _process_line(store: Store, job: BatchJob, line: Line) -> Line:
    """Compute the output line for a parsed input line."""
    recipe = job.version.solution.recipe
    _check_required_keys(line, recipe)
    if recipe.type == "USER_SEGMENTATION":
        return _list_segment(job, line)

    return _recommend_items(store, job, line)


def _check_required_keys(line: Line, recipe: Recipe) -> None:
    """Reject an input line in which a required key is missing, empty, or of the wrong type."""
    for key in REQUIRED_INPUT_KEYS[recipe.type]:
        value = line.get(key)
        if not value or not isinstance(value, str | list):
            raise invalid_input(f"{key} is required by the recipe {recipe.name}")


def _recommend_items(store: Store, job: BatchJob, line: Line) -> Line:
    """Recommend or rank items for an input line, and return the output line."""
    # The runtime operations use another name for the items to rank.
    query = {**line, "inputList": line.get("itemList", [])}
    scores = filter_scores(job.filter, line, compute_scores(job.version, query, store.switches))
    if "itemList" not in line:
        # numResults doesn't limit a ranking, which contains all of the given items.
        scores = dict(islice(scores.items(), job.details["numResults"]))

    return _format_items(line, scores, job.version.solution.recipe.type)


def _format_items(line: Line, scores: Mapping[str, float], recipe_type: str) -> Line:
    """Build an output line in the format that the guide shows for this type of recipe."""
    output: Line = {"recommendedItems": [*scores]}
    if recipe_type in RECIPE_TYPES_WITH_SCORES:
        output["scores"] = [round(score, 7) for score in scores.values()]

    if recipe_type == "USER_PERSONALIZATION":
        return {"input": line, "output": output, "error": None}

    return {"input": line, "output": output}


def _list_segment(job: BatchJob, line: Line) -> Line:
    """List the users with the highest affinity for an item, and return the output line."""
    users = filter_scores(job.filter, line, job.version.model.rank_users(line["itemId"]))
    return {"input": line, "output": {"recommendedUsers": [*users][: job.details["numResults"]]}}
