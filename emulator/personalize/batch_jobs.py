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
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from math import inf
from typing import Any

from emulator.personalize.errors import JobFailed, invalid_input
from emulator.personalize.filters import active_filter, columns_of, matching_ids, passing
from emulator.personalize.import_jobs import bucket_and_key
from emulator.personalize.lifecycle import active, check_no_deletion, create
from emulator.personalize.resources import (
    BatchInferenceJob,
    BatchSegmentJob,
    Filter,
    SolutionVersion,
)
from emulator.personalize.runtime import DEFAULT_RESULTS, scores
from emulator.personalize.store import R, Request, Store
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
MAX_EXPLORATION = {"explorationWeight": 1, "explorationItemAgeCutOff": inf}
"""The largest value of each parameter (guide, "User-Personalization recipe")."""
THEME_REGIONS = ("us-east-1", "us-west-2", "ap-northeast-1")
ATTRIBUTE = re.compile(r'ITEMS\.(\w+)\s*=\s*(?:"([^"]*)"|(-?[\d.]+))', re.IGNORECASE)


def create_batch_inference_job(store: Store, request: Request) -> BatchInferenceJob:
    """Start a job that writes recommendations. It reads its input when it ends."""
    version = active(store, SolutionVersion, request["solutionVersionArn"])
    recipe = version.solution.recipe
    if recipe.type not in INPUT_KEYS or recipe.name == "aws-trending-now":
        raise invalid_input(f"The recipe {recipe.name} does not support batch inference jobs")
    exploration = request.get("batchInferenceJobConfig", {}).get("itemExplorationConfig", {})
    # User-Personalization-v2 handles exploration itself (guide, "Use case and recipe features").
    if exploration and recipe.name != "aws-user-personalization":
        raise invalid_input(f"The recipe {recipe.name} has no itemExplorationConfig")
    for key, value in exploration.items():
        is_number = re.fullmatch(r"\d+(\.\d+)?", value)
        if not is_number or float(value) > MAX_EXPLORATION.get(key, -1):
            raise invalid_input(f"itemExplorationConfig cannot have {key}: {value}")
    details = {"batchInferenceJobMode": "BATCH_INFERENCE", **request}
    if details["batchInferenceJobMode"] == "THEME_GENERATION":
        _check_themes(store, request, version)
    return _create(store, BatchInferenceJob, details, version)


def create_batch_segment_job(store: Store, request: Request) -> BatchSegmentJob:
    """Start a job that writes user segments. It reads its input when it ends."""
    version = active(store, SolutionVersion, request["solutionVersionArn"])
    recipe = version.solution.recipe
    if recipe.type != "USER_SEGMENTATION":
        raise invalid_input(f"The recipe {recipe.name} does not support batch segment jobs")
    return _create(store, BatchSegmentJob, request, version)


def _check_themes(store: Store, request: Request, version: SolutionVersion) -> None:
    """Raise ApiError if the region, the recipe or the items do not allow themes."""
    recipe = version.solution.recipe
    if store.region not in THEME_REGIONS or recipe.name != "aws-similar-items":
        raise invalid_input(f"The recipe {recipe.name} has no themes in {store.region}")
    columns = [column for _, column in columns_of(store, version.solution.group_arn, "ITEMS")]
    config: Mapping[str, Any] = request.get("themeGenerationConfig", {})
    name = config.get("fieldsForThemeGeneration", {}).get("itemName")
    if name not in [column.name for column in columns if column.type == "string"]:
        raise invalid_input(f"itemName {name} is not a string field of the items")
    if not any("textual" in column.attributes for column in columns):
        raise invalid_input("Themes need a textual field of the items")


def _create(store: Store, kind: type[R], request: Request, version: SolutionVersion) -> R:
    """Start a batch job of a version. The output file of `users.json` is `users.json.out`."""
    input_bucket, prefix = bucket_and_key(request["jobInput"]["s3DataSource"]["path"])
    bucket, folder = bucket_and_key(request["jobOutput"]["s3DataDestination"]["path"])
    details = {"numResults": DEFAULT_RESULTS, **request}
    if details["numResults"] < 1:
        raise invalid_input("numResults must be at least 1")
    check_no_deletion(store, version.solution.group_arn)
    item_filter = active_filter(store, request, version.solution.group_arn)
    answer = partial(_answer, store, version, item_filter, details)
    limits = (version.solution.recipe.name, request.get("batchInferenceJobMode"))
    max_lines = min(MAX_LINES.get(str(limit), inf) for limit in limits)

    def write_results() -> None:
        files = _read_files(store, input_bucket, prefix, request["roleArn"])
        for key, content in files.items():
            name = key.rpartition("/")[2]
            results = _results(name, content, answer, max_lines)
            text = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in results)
            store.objects.write(bucket, f"{folder}{name}.out", text.encode(), request["roleArn"])

    belongs_to = [version.arn, version.solution.arn, version.solution.group_arn]
    return create(store, kind, details, belongs_to=belongs_to, on_end=write_results)


def _read_files(store: Store, bucket: str, prefix: str, role_arn: str) -> dict[str, bytes]:
    """Return the bytes of each object whose key begins with the prefix, also in other folders.

    Raise JobFailed if there is no file, or too much input, or if a file cannot be read.
    """
    keys = store.objects.keys(bucket, prefix, role_arn)
    keys = [key for key in keys if not key.endswith("/")]  # the S3 console creates such objects
    if not keys:
        raise JobFailed(f"There is no input file at s3://{bucket}/{prefix}")
    if len(keys) > MAX_FILES:
        raise JobFailed(f"The input has {len(keys)} files, more than {MAX_FILES}")
    files = {key: store.objects.read(bucket, key, role_arn) for key in keys}
    if sum(map(len, files.values())) > MAX_BYTES:
        raise JobFailed("The input has more than 1 GB")
    return files


def _results(
    name: str, content: bytes, answer: Callable[[Line], Line], max_lines: float
) -> list[Line]:
    """Return a line of output for each line of an input file.

    Raise JobFailed if the file has too many lines, or if none of them has a result.
    """
    texts = [text for text in content.decode(errors="replace").split("\n") if text.strip()]
    if len(texts) > max_lines:
        raise JobFailed(f"{name} has {len(texts)} lines, more than {max_lines}")
    results = []
    for text in texts:
        line: Any = text
        try:
            line = json.loads(text)
            results.append(answer(line))
        except (ApiError, ValueError, TypeError, AttributeError) as error:
            message = getattr(error, "message", "The line is not valid")
            results.append({"input": line, "output": None, "error": message})
    errors = [line["error"] for line in results if line.get("error")]
    if len(errors) == len(results):
        raise JobFailed(f"{name} has no valid line: {', '.join(errors[:1]) or 'it is empty'}")
    return results


def _answer(
    store: Store,
    version: SolutionVersion,
    item_filter: Filter | None,
    request: Request,
    line: Line,
) -> Line:
    """Return the output for a line of the input. Raise ApiError if the line is not valid."""
    recipe = version.solution.recipe
    is_segment = recipe.type == "USER_SEGMENTATION"
    for key in INPUT_KEYS[recipe.name if is_segment else recipe.type]:
        if not isinstance(line.get(key), list if key == "itemList" else str) or not line[key]:
            raise invalid_input(f"{key} is required by the recipe {recipe.name}")
    if is_segment:
        users = passing(item_filter, line, _segment(store, version, line))
        about = line if "itemAttributes" in line else {"input": line}
        return {**about, "output": {"recommendedUsers": [*users][: request["numResults"]]}}
    query = {**line, "inputList": line.get("itemList", [])}
    passed = passing(item_filter, line, scores(store, version, query))
    limit = None if "itemList" in line else request["numResults"]
    best = {item: round(score, 7) for item, score in islice(passed.items(), limit)}
    output: Line = {"recommendedItems": [*best]}
    if recipe.type in WITH_SCORES:
        output["scores"] = [*best.values()]
    if request["batchInferenceJobMode"] == "THEME_GENERATION":
        output["theme"] = f"More like {line['itemId']}"
        output["itemsThemeRelevanceScores"] = [*best.values()]
    error = {"error": None} if recipe.type == "USER_PERSONALIZATION" else {}
    return {"input": line, "output": output, **error}


def _segment(store: Store, version: SolutionVersion, line: Line) -> dict[str, float]:
    """Return the users who like an item, or who like items with all attributes of a query."""
    assert version.model is not None, "an ACTIVE version has been trained"
    if version.solution.recipe.name == "aws-item-affinity":
        return version.model.users_of({line["itemId"]})
    pairs = columns_of(store, version.solution.group_arn, "ITEMS")
    columns = {column.name.upper(): (dataset, column) for dataset, column in pairs}
    found = []
    for text in re.split(r"\s+AND\s+", line["itemAttributes"].strip(), flags=re.IGNORECASE):
        match = ATTRIBUTE.fullmatch(text)
        if match is None or match[1].upper() not in columns:
            raise invalid_input(f'{text} is not like ITEMS.genre = "Comedy"')
        dataset, column = columns[match[1].upper()]
        value = match[2] or match[3]
        found.append(matching_ids(dataset.table, "ITEM_ID", column.name, {value}))
    return version.model.users_of(set.intersection(*found))
