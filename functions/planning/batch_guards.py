"""Checks that the batch jobs of a solution can be written, before a version is trained for them.

https://docs.aws.amazon.com/personalize/latest/dg/getting-batch-recommendations.html and
https://docs.aws.amazon.com/personalize/latest/dg/limits.html have the rules of the service.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from ..personalize.batch_jobs import SEGMENT_RECIPES
from ..rules.batch_jobs import EXPLORATION_KEYS
from ..words import list_text, size_text
from .guards import guard
from .resource_guards import PROBE_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..exports import Export
    from .solutions import SolutionView

MAX_FILES, MAX_BYTES = 1000, 10**9
"""The most files and bytes in the input of a batch job."""
QUERY_KEYS = {"userId": ("userId",), "itemId": ("itemId",), "inputList": ("userId", "itemList")}
"""The key of a probe -> the keys in each line of an input for the same recipe."""
INPUT_KEYS = {
    **{recipe: QUERY_KEYS[key] for recipe, key in PROBE_KEYS.items() if key},
    "aws-item-affinity": ("itemId",),
    "aws-item-attribute-affinity": ("itemAttributes",),
    "aws-trending-now": (),
    "aws-next-best-action": (),
}
"""Recipe -> the keys that each line of an input must have. A recipe without keys has no batch jobs:
https://docs.aws.amazon.com/personalize/latest/dg/API_CreateBatchInferenceJob.html."""
RECIPES_OF_SETTINGS = {
    "themes": ("aws-similar-items",),
    **dict.fromkeys(EXPLORATION_KEYS, ("aws-user-personalization", "aws-user-personalization-v2")),
}
THEME_REGIONS = ("us-east-1", "us-west-2", "ap-northeast-1")
"""https://docs.aws.amazon.com/personalize/latest/dg/themed-batch-recommendations.html"""
SHOWN_CHARACTERS = 60


@guard("batch jobs", "REFUSE", "solution")
def impossible_batch_jobs(view: SolutionView) -> Iterator[str]:
    """Yield a message for a batch job that its recipe, its region or its input makes impossible.

    Of the input, only the first lines of three files are read. If it is a file, no other key may
    begin with its key, because Personalize would read that object too.
    """
    region, recipe = view.arn.split(":")[3], view.recipe or ""
    for job in view.batch_jobs:
        settings, name = {**job}, f"batch job to {job['output']}"
        for key, recipes in RECIPES_OF_SETTINGS.items():
            if settings[key] is not None and recipe not in recipes:
                needed = " or ".join(recipes)
                yield f"{name}: {key} needs the recipe {needed}, not {recipe}; remove {key}"
        if job["themes"] and region not in THEME_REGIONS:
            regions = list_text(THEME_REGIONS)
            yield f"{name}: {region} has no themes, only {regions} have; remove themes"
        if error := _input_error(job["input"], view.world.batch_inputs[job["input"]], recipe):
            yield f"{name}: {error}"


def _input_error(location: str, export: Export, recipe: str) -> str | None:
    """Return a message about the first problem of an input, or None."""
    keys = INPUT_KEYS.get(recipe)
    others = [file.key for file in export.objects if export.url(file.key) != location]
    wrong = [item for item in export.first_lines.items() if not _is_query(item[1], keys or ())]
    if keys == ():
        return f"the recipe {recipe} has no batch jobs; remove it from batchJobs"
    if export.read_error:
        return f"{export.read_error}; check that the role of plan-retraining may list and read it"
    if others and not location.endswith("/"):
        return (
            f"Personalize would also read {others[0]}, because it begins like the input; move it, "
            "or put the input into a folder"
        )
    if len(export.objects) > MAX_FILES or export.size > MAX_BYTES:
        return (
            f"{location} has {len(export.objects)} files with {size_text(export.size)}, but a "
            f"batch job reads at most {MAX_FILES} files with {size_text(MAX_BYTES)}; divide it"
        )
    for key, line in wrong[:1]:
        return (
            f"{export.url(key)} begins with {line[:SHOWN_CHARACTERS]!r}, but each line has to be a "
            f"JSON object with {list_text(keys or ['a query'])}; correct it"
        )
    return None


def _is_query(line: str, keys: tuple[str, ...]) -> bool:
    """Return True if a line is a JSON object with these keys."""
    with suppress(ValueError):
        query = json.loads(line)
        return isinstance(query, dict) and all(key in query for key in keys)
    return False


@guard("missing batch inputs", "WARN", "solution")
def missing_inputs(view: SolutionView) -> Iterator[str]:
    """Yield a message for an input without objects, or with an empty one.

    The run is not refused, because the input may be written while it trains.
    """
    for job in view.batch_jobs:
        export = view.world.batch_inputs[job["input"]]
        is_complete = export.objects and all(file.size for file in export.objects)
        if not is_complete and not export.read_error:
            yield (
                f"batch job to {job['output']}: {job['input']} has no objects, or an empty one; "
                "the batch job fails unless it is written before the training ends"
            )


@guard("user segments", "WARN", "solution")
def partial_segments(view: SolutionView) -> Iterator[str]:
    """Yield a message for user segments of a dataset that INCREMENTAL imports fill.

    Segments use only the bulk data of FULL imports:
    https://docs.aws.amazon.com/personalize/latest/dg/getting-user-segments.html.
    """
    modes = [dataset["importMode"] for dataset in view.settings["datasets"]]
    if view.recipe in SEGMENT_RECIPES and view.batch_jobs and "INCREMENTAL" in modes:
        yield (
            f"{view.arn}: user segments leave out what INCREMENTAL imports have added; use "
            "importMode FULL"
        )
