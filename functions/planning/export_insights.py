"""Finds problems before an import that the console of Personalize shows only afterwards.

Personalize calls them data insights.

Source: https://docs.aws.amazon.com/personalize/latest/dg/analyzing-data.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.formatting import format_count, format_list
from ..rules.recipes import has_segment_jobs
from .export_content import collect_event_times, count_event_types, shorten_name
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .datasets import DatasetView
    from .plan_run import RunView

MAX_TYPES_AND_COLUMNS = 10
"""The maximum number of event types and metadata columns together:
https://docs.aws.amazon.com/personalize/latest/dg/limits.html."""
MAX_SHOWN_TYPES = 15
"""The maximum number of event types in a message."""
OPTIONAL_COLUMNS = ("EVENT_VALUE", "IMPRESSION", "RECOMMENDATION_ID", "EVENT_ATTRIBUTION_SOURCE")
RESERVED_COLUMNS = ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE", *OPTIONAL_COLUMNS)
"""The columns of interactions that aren't metadata:
https://docs.aws.amazon.com/personalize/latest/dg/custom-datasets-and-schemas.html."""
OFTEN_EMPTY = (*OPTIONAL_COLUMNS, "CATEGORY_L2", "CATEGORY_L3", "GENRE_L2", "GENRE_L3")
"""Columns that are often empty in good data, because only some events have a value or follow a
recommendation, and only some items have a second category level:
https://docs.aws.amazon.com/personalize/latest/dg/ECOMMERCE-items-dataset.html."""
MIN_FILLED_TEXT_SHARE = 0.85
"""The minimum share of rows with a value in a textual column."""
MIN_FILLED_SHARE = 0.7
"""The minimum share of rows with a value in any other column."""


@guard("data insights", "REFUSE", "run")
def refuse_failing_interactions(view: RunView) -> Iterator[str]:
    """Yield a message for interactions that would make a training of the run fail."""
    untrained_arns = _list_untrained_solution_arns(view)
    segment_arns = [
        solution.arn for solution in view.solutions_to_train if has_segment_jobs(solution.recipe)
    ]

    for interactions in _list_interactions_to_train(view):
        if untrained_arns:
            yield from _check_type_count(interactions, format_list(untrained_arns))
        if segment_arns:
            yield from _check_timestamps(interactions, format_list(segment_arns))


@guard("data insights", "WARN", "run")
def warn_of_doubtful_interactions(view: RunView) -> Iterator[str]:
    """Yield a message for interactions that may make a training fail.

    If the run trains a solution for the first time, refuse_failing_interactions() checks them.
    """
    if not _list_untrained_solution_arns(view):
        for interactions in _list_interactions_to_train(view):
            yield from _check_type_count(interactions, "a solution")


def _list_untrained_solution_arns(view: RunView) -> list[str]:
    """List the ARNs of the solutions that the run trains and that have no ACTIVE version yet.

    An ACTIVE version may have been trained on just as many event types. So if a solution has one,
    its next training may succeed as well.
    """
    return [
        solution.arn
        for solution in view.solutions_to_train
        if not any(version.is_active for version in solution.solution_state.versions)
    ]


def _list_interactions_to_train(view: RunView) -> list[DatasetView]:
    """List the interactions dataset, or nothing if the trainings don't use its present export."""
    return [
        dataset
        for dataset in view.datasets
        if dataset.dataset_settings["type"] == "interactions"
        and (dataset.needs_import or dataset.contains_export)
    ]


def _check_type_count(view: DatasetView, solution_names: str) -> Iterator[str]:
    """Yield a message if there are too many event types and metadata columns.

    The rows that were read are enough, because more rows can only add types.
    """
    type_counts = count_event_types(view)
    metadata_columns = [name for name in view.columns if name not in RESERVED_COLUMNS]

    if len(type_counts) + len(metadata_columns) > MAX_TYPES_AND_COLUMNS:
        shown_types = [shorten_name(name) for name, _ in type_counts.most_common(MAX_SHOWN_TYPES)]
        yield (
            f"datasets.interactions: {view.export.location} has {len(type_counts)} types of "
            f"events, and the schema has {format_count(len(metadata_columns), 'metadata column')}; "
            f"Personalize fails to train {solution_names} on more than {MAX_TYPES_AND_COLUMNS} of "
            "both together; write fewer types, and each in only one spelling: "
            f"{format_list(shown_types)}"
        )


def _check_timestamps(view: DatasetView, solution_names: str) -> Iterator[str]:
    """Yield a message if all rows have the same time, so training user segments would fail.

    User segments use only data from FULL imports, so an INCREMENTAL export isn't checked.
    https://docs.aws.amazon.com/personalize/latest/dg/getting-user-segments.html
    """
    times = collect_event_times(view)
    if len(times) == 1 and view.is_full and view.content["areAllRowsRead"]:
        yield (
            f"datasets.interactions: all rows of {view.export.location} have the TIMESTAMP "
            f"{min(times)}, with which Personalize fails to train {solution_names}; write the time "
            "of each event"
        )


@guard("completeness", "WARN", "export")
def warn_of_incomplete_columns(view: DatasetView) -> Iterator[str]:
    """Yield a message for columns with too few values to be useful to a model."""
    row_count = view.content["rows"]
    if view.dataset_settings["type"] not in ("interactions", "items", "users") or not row_count:
        return  # Personalize has no insights about actions.

    sparse_columns = _describe_sparse_columns(view, row_count)
    if sparse_columns:
        yield (
            f"columns of {view.export.location} have too few values: "
            f"{format_list(sparse_columns)}; models use a text column only if "
            f"{MIN_FILLED_TEXT_SHARE:.0%} of the rows have a text, and "
            f"other columns help if {MIN_FILLED_SHARE:.0%} have a value; write values in more rows"
        )


def _describe_sparse_columns(view: DatasetView, row_count: int) -> list[str]:
    """List the columns with too few values, each with the share of rows that have one."""
    sparse_columns = []
    for field in view.fields:
        name = field["name"]
        value_counts = view.export.count_values(name)
        # If a file lacks the column, its rows count as rows without a value.
        filled_share = (value_counts.total() - value_counts[""]) / row_count
        min_share = MIN_FILLED_SHARE
        if field.get("textual") is True:
            min_share = MIN_FILLED_TEXT_SHARE

        if filled_share < min_share and name not in OFTEN_EMPTY:
            sparse_columns.append(f"{shorten_name(name)} ({filled_share:.1%})")
    return sparse_columns
