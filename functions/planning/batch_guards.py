"""Checks that the batch jobs of a solution can be written, before a version is trained for them.

https://docs.aws.amazon.com/personalize/latest/dg/getting-batch-recommendations.html and
https://docs.aws.amazon.com/personalize/latest/dg/limits.html have the rules of the service.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from ..personalize.batch_jobs import EXPLORATION_KEYS, SEGMENT_RECIPES
from ..words import list_text, size_text
from .guards import guard
from .resource_guards import PROBE_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..personalize.batch_jobs import BatchJobOfRun
    from .batch_inputs import BatchInput
    from .solutions import SolutionView

MAX_FILES, MAX_BYTES = 1000, 1024**3
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
    """Yield a message for a batch job that its recipe or its input makes impossible.

    Its settings have to fit the recipe and the region. Of the input, the first lines of three files
    are checked. If it is a file, no other key may begin with its key, because Personalize would
    read that object too.
    """
    for job in view.batch_jobs:
        found = view.world.batch_inputs[job["input"]]
        errors = (*_setting_errors(view, job), *_input_errors(view, job, found))
        yield from (f"batch job to {job['output']}: {error}" for error in errors)


def _setting_errors(view: SolutionView, job: BatchJobOfRun) -> Iterator[str]:
    recipe, region, settings = view.recipe or "", view.arn.split(":")[3], {**job}
    for key, recipes in RECIPES_OF_SETTINGS.items():
        if settings[key] is not None and recipe not in recipes:
            yield f"{key} needs the recipe {' or '.join(recipes)}, not {recipe}; remove {key}"
    if job["themes"] and region not in THEME_REGIONS:
        yield f"{region} has no themes, only {list_text(THEME_REGIONS)} have; remove themes"


def _input_errors(view: SolutionView, job: BatchJobOfRun, found: BatchInput) -> Iterator[str]:
    """Yield a message about the first problem of the input, if it has one."""
    export, expected = found.export, INPUT_KEYS.get(view.recipe or "")
    others = [file.key for file in export.objects if export.url(file.key) != job["input"]]
    if expected == ():
        yield f"the recipe {view.recipe} has no batch jobs; remove it from batchJobs"
    elif export.read_error:
        yield f"{export.read_error}; check that the role of plan-retraining may list and read it"
    elif others and not job["input"].endswith("/"):
        yield (
            f"Personalize would also read {others[0]}, because it begins like the input; move it, "
            "or put the input into a folder"
        )
    elif len(export.objects) > MAX_FILES or export.size > MAX_BYTES:
        yield (
            f"{job['input']} has {len(export.objects)} files with {size_text(export.size)}, but "
            f"a batch job reads at most {MAX_FILES} files with 1 GiB; divide it"
        )
    else:
        for key, line in found.first_lines.items():
            if not _is_query(line, expected or ()):
                yield (
                    f"{export.url(key)} begins with {line[:SHOWN_CHARACTERS]!r}, but each line has "
                    f"to be a JSON object with {list_text(expected or ['a query'])}; correct it"
                )
                return


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
        export = view.world.batch_inputs[job["input"]].export
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
