"""The operations on batch jobs, which write recommendations or user segments to S3.

The rules and the formats are from the guide's pages "Preparing input data for batch
recommendations", "Batch inference job output examples" and "Preparing input data for user
segments". A line of the input without a result has an `error` in the output, because the API
reference says that a job generates error messages for failed records. What happens if no line has a
result is not documented: here the job fails.
"""

import json
from collections.abc import Mapping
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from emulator.personalize.errors import JobFailed, invalid_input
from emulator.personalize.filters import filter_scores, find_active_filter
from emulator.personalize.lifecycle import check_no_unfinished_job, create, find_active
from emulator.personalize.recipes import Recipe
from emulator.personalize.resources import (
    BatchInferenceJob,
    BatchJob,
    BatchSegmentJob,
    DataDeletionJob,
    SolutionVersion,
)
from emulator.personalize.runtime import DEFAULT_RESULTS, compute_scores
from emulator.personalize.s3_files import parse_location
from emulator.personalize.store import Objects, Request, Store
from emulator.protocol.errors import ApiError

B = TypeVar("B", bound=BatchJob)
Line = dict[str, Any]
"""A line of an input or output file, which is a JSON object."""

INPUT_KEYS = {
    "USER_PERSONALIZATION": ("userId",),
    "POPULAR_ITEMS": ("userId",),
    "PERSONALIZED_RANKING": ("userId", "itemList"),
    "RELATED_ITEMS": ("itemId",),
    "USER_SEGMENTATION": ("itemId",),
}
"""The keys that a line of the input needs, by the type of the recipe."""
WITHOUT_BATCH_INFERENCE = ("aws-trending-now", "aws-next-best-action")
TYPES_WITH_SCORES = ("USER_PERSONALIZATION", "PERSONALIZED_RANKING")


def create_batch_inference_job(store: Store, request: Request) -> BatchInferenceJob:
    """Start a job that writes recommendations. It reads its input when it ends."""
    version = find_active(store, SolutionVersion, request["solutionVersionArn"])
    recipe = version.solution.recipe
    if recipe.type == "USER_SEGMENTATION" or recipe.name in WITHOUT_BATCH_INFERENCE:
        raise invalid_input(f"The recipe {recipe.name} does not support batch inference jobs")

    details = {"batchInferenceJobMode": "BATCH_INFERENCE", **request}
    if details["batchInferenceJobMode"] == "THEME_GENERATION":
        raise invalid_input("THEME_GENERATION is not supported by this emulator")

    return _create(store, BatchInferenceJob, details, version)


def create_batch_segment_job(store: Store, request: Request) -> BatchSegmentJob:
    """Start a job that writes user segments. It reads its input when it ends."""
    version = find_active(store, SolutionVersion, request["solutionVersionArn"])
    recipe = version.solution.recipe
    if recipe.type != "USER_SEGMENTATION":
        raise invalid_input(f"The recipe {recipe.name} does not support batch segment jobs")
    if recipe.name != "aws-item-affinity":
        raise invalid_input(f"Segments of {recipe.name} are not supported by this emulator")

    return _create(store, BatchSegmentJob, request, version)


def _create(store: Store, kind: type[B], request: Request, version: SolutionVersion) -> B:
    """Start a batch job of either kind, which uses a version."""
    solution = version.solution
    check_no_unfinished_job(store, solution.group_arn, DataDeletionJob)

    job = create(
        store,
        kind,
        {"numResults": DEFAULT_RESULTS, **request},
        belongs_to=[version.arn, solution.arn, solution.group_arn],
        version=version,
        filter=find_active_filter(store, request, solution.group_arn),
        source=parse_location(request["jobInput"]["s3DataSource"]["path"]),
        destination=parse_location(request["jobOutput"]["s3DataDestination"]["path"]),
    )

    job.timeline.when_active(partial(_write_results, store, job))
    return job


def _write_results(store: Store, job: BatchJob) -> None:
    """Write a file of output for each file of input. The output of users.json is users.json.out."""
    for key, content in _read_input_files(store.objects, job).items():
        file_name = key.rpartition("/")[2]
        output_lines = _answer_file(store, job, file_name, content)

        json_lines = [json.dumps(line, separators=(",", ":")) for line in output_lines]
        output = "".join(f"{json_line}\n" for json_line in json_lines)
        output_key = f"{job.destination.key}{file_name}.out"
        role_arn = job.details["roleArn"]
        store.objects.write(job.destination.bucket, output_key, output.encode(), role_arn)


def _read_input_files(objects: Objects, job: BatchJob) -> dict[str, bytes]:
    """Read each object whose key begins with the input path, also in other folders."""
    bucket, prefix = job.source
    role_arn = job.details["roleArn"]
    all_keys = objects.keys(bucket, prefix, role_arn)

    # The S3 console creates an object with a slash at its end for each folder.
    keys = [key for key in all_keys if not key.endswith("/")]
    if not keys:
        raise JobFailed(f"There is no input file at s3://{bucket}/{prefix}")

    return {key: objects.read(bucket, key, role_arn) for key in keys}


def _answer_file(store: Store, job: BatchJob, file_name: str, content: bytes) -> list[Line]:
    """Answer each line of an input file, or fail the job if none of them has a result."""
    input_lines = content.decode(errors="replace").split("\n")
    output_lines = [_answer_text(store, job, text) for text in input_lines if text.strip()]
    if not output_lines:
        raise JobFailed(f"{file_name} has no valid line: it is empty")

    errors = [line["error"] for line in output_lines if line.get("error")]
    if len(errors) == len(output_lines):
        raise JobFailed(f"{file_name} has no valid line: {errors[0]}")

    return output_lines


def _answer_text(store: Store, job: BatchJob, text: str) -> Line:
    """Answer a line of an input file, or say in the output what is wrong with it."""
    line: Any = text
    try:
        line = json.loads(text)
        return _answer_line(store, job, line)
    except ApiError as error:
        message = error.message
    except (ValueError, TypeError, AttributeError):
        # It is not JSON, or not an object, or a value in it has another type than the recipe needs.
        message = "The line is not valid"

    return {"input": line, "output": None, "error": message}


def _answer_line(store: Store, job: BatchJob, line: Line) -> Line:
    """Build the output for a line of the input, or reject a line that lacks a key."""
    recipe = job.version.solution.recipe
    _check_keys(line, recipe)
    if recipe.type == "USER_SEGMENTATION":
        return _list_segment(job, line)

    return _recommend_items(store, job, line)


def _check_keys(line: Line, recipe: Recipe) -> None:
    """Reject a line of the input in which a key is missing, empty, or of the wrong type."""
    for key in INPUT_KEYS[recipe.type]:
        value = line.get(key)
        if not value or not isinstance(value, str | list):
            raise invalid_input(f"{key} is required by the recipe {recipe.name}")


def _recommend_items(store: Store, job: BatchJob, line: Line) -> Line:
    """Build the output with the best items for a line of the input."""
    query = {**line, "inputList": line.get("itemList", [])}
    scores = filter_scores(job.filter, line, compute_scores(store, job.version, query))
    if "itemList" not in line:
        # Only a ranking has all items that were given.
        scores = dict(islice(scores.items(), job.details["numResults"]))

    return _format_items(line, scores, job.version.solution.recipe.type)


def _format_items(line: Line, scores: Mapping[str, float], recipe_type: str) -> Line:
    """Format the results of a line as in the guide's examples for a type of recipe."""
    output: Line = {"recommendedItems": [*scores]}
    if recipe_type in TYPES_WITH_SCORES:
        output["scores"] = [round(score, 7) for score in scores.values()]

    if recipe_type == "USER_PERSONALIZATION":
        return {"input": line, "output": output, "error": None}

    return {"input": line, "output": output}


def _list_segment(job: BatchJob, line: Line) -> Line:
    """Build the output with the users who like an item."""
    users = filter_scores(job.filter, line, job.version.model.rank_users(line["itemId"]))
    return {"input": line, "output": {"recommendedUsers": [*users][: job.details["numResults"]]}}
