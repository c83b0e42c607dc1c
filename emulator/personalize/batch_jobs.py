"""The operations on batch jobs, which write recommendations or user segments to S3.

The rules and the formats are from the guide's pages "Preparing input data for batch
recommendations", "Batch inference job output examples", "Preparing input data for user segments",
"Batch recommendations with themes from Content Generator" and "Amazon Personalize endpoints and
quotas". A line of the input without a result has an `error` in the output, because the API
reference says that a job generates error messages for failed records. What happens if no line has a
result is not documented: here the job fails.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from math import inf
from typing import Any

from emulator.personalize.errors import JobFailed, invalid_input
from emulator.personalize.filters import (
    filter_scores,
    find_active_filter,
    find_ids_with_values,
    list_columns,
)
from emulator.personalize.import_jobs import Location, parse_location
from emulator.personalize.lifecycle import check_no_deletion, create, find_active
from emulator.personalize.recipes import Recipe
from emulator.personalize.resources import (
    BatchInferenceJob,
    BatchSegmentJob,
    Dataset,
    Filter,
    Solution,
    SolutionVersion,
)
from emulator.personalize.runtime import DEFAULT_RESULTS, compute_scores
from emulator.personalize.store import Objects, R, Request, Store
from emulator.personalize.tables import Field
from emulator.protocol.errors import ApiError

Line = dict[str, Any]
"""A line of an input or output file, which is a JSON object."""

MAX_FILES = 1000
MAX_BYTES = 10**9
MAX_LINES = {"THEME_GENERATION": 100, "aws-item-affinity": 500, "aws-item-attribute-affinity": 10}
"""The lines that a file can have, by the mode of the job or by the recipe."""
INPUT_KEYS = {
    "USER_PERSONALIZATION": ("userId",),
    "POPULAR_ITEMS": ("userId",),
    "PERSONALIZED_RANKING": ("userId", "itemList"),
    "RELATED_ITEMS": ("itemId",),
    "aws-item-affinity": ("itemId",),
    "aws-item-attribute-affinity": ("itemAttributes",),
}
"""The keys that a line of the input needs, by the type of the recipe or by the recipe."""
WITH_SCORES = ("USER_PERSONALIZATION", "PERSONALIZED_RANKING")
THEME_REGIONS = ("us-east-1", "us-west-2", "ap-northeast-1")
ATTRIBUTE = re.compile(
    r'ITEMS\.(?P<column>\w+)\s*=\s*(?:"(?P<text>[^"]*)"|(?P<number>-?[\d.]+))', re.IGNORECASE
)
AND = re.compile(r"\s+AND\s+", re.IGNORECASE)


def create_batch_inference_job(store: Store, request: Request) -> BatchInferenceJob:
    """Start a job that writes recommendations. It reads its input when it ends."""
    version = find_active(store, SolutionVersion, request["solutionVersionArn"])
    recipe = version.solution.recipe
    if recipe.type not in INPUT_KEYS or recipe.name == "aws-trending-now":
        raise invalid_input(f"The recipe {recipe.name} does not support batch inference jobs")

    _check_exploration(request, recipe)
    details = {"batchInferenceJobMode": "BATCH_INFERENCE", **request}
    if details["batchInferenceJobMode"] == "THEME_GENERATION":
        _check_themes(store, request, version.solution)
    return _create(store, BatchInferenceJob, details, version)


def create_batch_segment_job(store: Store, request: Request) -> BatchSegmentJob:
    """Start a job that writes user segments. It reads its input when it ends."""
    version = find_active(store, SolutionVersion, request["solutionVersionArn"])
    recipe = version.solution.recipe
    if recipe.type != "USER_SEGMENTATION":
        raise invalid_input(f"The recipe {recipe.name} does not support batch segment jobs")

    return _create(store, BatchSegmentJob, request, version)


def _check_exploration(request: Request, recipe: Recipe) -> None:
    """Reject settings for exploration that the recipe doesn't have.

    User-Personalization-v2 handles exploration itself (guide, "Use case and recipe features").
    """
    job_config = request.get("batchInferenceJobConfig", {})
    if job_config.get("itemExplorationConfig") and recipe.name != "aws-user-personalization":
        raise invalid_input(f"The recipe {recipe.name} has no itemExplorationConfig")


def _check_themes(store: Store, request: Request, solution: Solution) -> None:
    """Reject themes if the region, the recipe or the items do not allow them."""
    recipe = solution.recipe
    if store.region not in THEME_REGIONS or recipe.name != "aws-similar-items":
        raise invalid_input(f"The recipe {recipe.name} has no themes in {store.region}")

    columns = [column for _, column in list_columns(store, solution.group_arn, "ITEMS")]
    string_names = [column.name for column in columns if column.type == "string"]
    theme_config: Mapping[str, Any] = request.get("themeGenerationConfig", {})
    item_name = theme_config.get("fieldsForThemeGeneration", {}).get("itemName")
    if item_name not in string_names:
        raise invalid_input(f"itemName {item_name} is not a string field of the items")
    if not any("textual" in column.attributes for column in columns):
        raise invalid_input("Themes need a textual field of the items")


def _create(store: Store, kind: type[R], request: Request, version: SolutionVersion) -> R:
    """Start a batch job of a version."""
    source = parse_location(request["jobInput"]["s3DataSource"]["path"])
    destination = parse_location(request["jobOutput"]["s3DataDestination"]["path"])
    details = {"numResults": DEFAULT_RESULTS, **request}
    if details["numResults"] < 1:
        raise invalid_input("numResults must be at least 1")

    solution = version.solution
    check_no_deletion(store, solution.group_arn)
    item_filter = find_active_filter(store, request, solution.group_arn)
    job_mode = request.get("batchInferenceJobMode", "")
    write_results = partial(
        _write_results,
        store.objects,
        source=source,
        destination=destination,
        role_arn=request["roleArn"],
        answer_line=partial(_answer_line, store, version, item_filter, details),
        max_lines=min(MAX_LINES.get(solution.recipe.name, inf), MAX_LINES.get(job_mode, inf)),
    )

    belongs_to = [version.arn, solution.arn, solution.group_arn]
    return create(store, kind, details, belongs_to=belongs_to, on_end=write_results)


def _write_results(
    objects: Objects,
    *,
    source: Location,
    destination: Location,
    role_arn: str,
    answer_line: Callable[[Line], Line],
    max_lines: float,
) -> None:
    """Write a file of output for each file of input. The output of users.json is users.json.out."""
    for key, content in _read_files(objects, source, role_arn).items():
        file_name = key.rpartition("/")[2]
        output_lines = _answer_file(file_name, content, answer_line, max_lines)

        texts = [json.dumps(line, separators=(",", ":")) for line in output_lines]
        output = "".join(f"{text}\n" for text in texts)
        output_key = f"{destination.key}{file_name}.out"
        objects.write(destination.bucket, output_key, output.encode(), role_arn)


def _read_files(objects: Objects, source: Location, role_arn: str) -> dict[str, bytes]:
    """Read each object whose key begins with the prefix, also in other folders.

    The job fails if there is no file, or too much input, or if a file cannot be read.
    """
    all_keys = objects.keys(source.bucket, source.key, role_arn)
    keys = [key for key in all_keys if not key.endswith("/")]  # the S3 console creates such objects
    if not keys:
        raise JobFailed(f"There is no input file at s3://{source.bucket}/{source.key}")
    if len(keys) > MAX_FILES:
        raise JobFailed(f"The input has {len(keys)} files, more than {MAX_FILES}")

    files = {key: objects.read(source.bucket, key, role_arn) for key in keys}
    if sum(map(len, files.values())) > MAX_BYTES:
        raise JobFailed("The input has more than 1 GB")
    return files


def _answer_file(
    file_name: str, content: bytes, answer_line: Callable[[Line], Line], max_lines: float
) -> list[Line]:
    """Answer each line of an input file.

    The job fails if the file has too many lines, or if none of them has a result.
    """
    texts = [text for text in content.decode(errors="replace").split("\n") if text.strip()]
    if len(texts) > max_lines:
        raise JobFailed(f"{file_name} has {len(texts)} lines, more than {max_lines}")
    if not texts:
        raise JobFailed(f"{file_name} has no valid line: it is empty")

    output_lines = [_answer_text(text, answer_line) for text in texts]
    errors = [line["error"] for line in output_lines if line.get("error")]
    if len(errors) == len(output_lines):
        raise JobFailed(f"{file_name} has no valid line: {errors[0]}")
    return output_lines


def _answer_text(text: str, answer_line: Callable[[Line], Line]) -> Line:
    """Answer a line of an input file, or say in the output what is wrong with it."""
    line: Any = text
    try:
        line = json.loads(text)
        return answer_line(line)
    except ApiError as error:
        message = error.message
    except (ValueError, TypeError, AttributeError):
        # It is not JSON, or not an object, or a value in it has another type than the recipe needs.
        message = "The line is not valid"

    return {"input": line, "output": None, "error": message}


def _answer_line(
    store: Store,
    version: SolutionVersion,
    item_filter: Filter | None,
    request: Request,
    line: Line,
) -> Line:
    """Build the output for a valid line of the input."""
    recipe = version.solution.recipe
    if recipe.type != "USER_SEGMENTATION":
        _check_keys(line, INPUT_KEYS[recipe.type], recipe)
        return _recommend_items(store, version, item_filter, request, line)

    _check_keys(line, INPUT_KEYS[recipe.name], recipe)
    users = filter_scores(item_filter, line, _find_segment(store, version, line))
    output = {"recommendedUsers": [*users][: request["numResults"]]}
    if "itemAttributes" in line:
        return {**line, "output": output}
    return {"input": line, "output": output}


def _check_keys(line: Line, keys: Sequence[str], recipe: Recipe) -> None:
    """Reject a line of the input in which a key is missing, empty, or of the wrong type."""
    for key in keys:
        expected_type: type = str
        if key == "itemList":
            expected_type = list

        value = line.get(key)
        if not value or not isinstance(value, expected_type):
            raise invalid_input(f"{key} is required by the recipe {recipe.name}")


def _recommend_items(
    store: Store,
    version: SolutionVersion,
    item_filter: Filter | None,
    request: Request,
    line: Line,
) -> Line:
    """Build the output with the best items for a line of the input."""
    query = {**line, "inputList": line.get("itemList", [])}
    passed = filter_scores(item_filter, line, compute_scores(store, version, query))

    limit = request["numResults"]
    if "itemList" in line:
        limit = None  # a ranking has all items that were given
    best_items = {item: round(score, 7) for item, score in islice(passed.items(), limit)}
    output: Line = {"recommendedItems": [*best_items]}

    recipe_type = version.solution.recipe.type
    if recipe_type in WITH_SCORES:
        output["scores"] = [*best_items.values()]
    if request["batchInferenceJobMode"] == "THEME_GENERATION":
        output["theme"] = f"More like {line['itemId']}"
        output["itemsThemeRelevanceScores"] = [*best_items.values()]

    if recipe_type == "USER_PERSONALIZATION":
        return {"input": line, "output": output, "error": None}
    return {"input": line, "output": output}


def _find_segment(store: Store, version: SolutionVersion, line: Line) -> dict[str, float]:
    """Find the users who like an item, or who like items with all attributes of a query."""
    assert version.model is not None, "an ACTIVE version has been trained"
    if version.solution.recipe.name == "aws-item-affinity":
        return version.model.rank_users({line["itemId"]})

    columns = list_columns(store, version.solution.group_arn, "ITEMS")
    conditions = AND.split(line["itemAttributes"].strip())
    found = [_find_items_with_attribute(columns, condition) for condition in conditions]
    return version.model.rank_users(set.intersection(*found))


def _find_items_with_attribute(
    columns: Sequence[tuple[Dataset, Field]], condition: str
) -> set[str]:
    """Find the ids of the items that fulfil one condition of a query."""
    match = ATTRIBUTE.fullmatch(condition)
    if match is not None:
        value = match["text"]
        if value is None:
            value = match["number"]
        for dataset, column in columns:
            if column.name.upper() == match["column"].upper():
                return find_ids_with_values(dataset.table, "ITEM_ID", column.name, {value})

    raise invalid_input(f'{condition} is not like ITEMS.genre = "Comedy"')
