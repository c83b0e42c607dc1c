"""Finds problems before an import that the console of Personalize shows only after it.

Personalize calls them data insights.

Source: https://docs.aws.amazon.com/personalize/latest/dg/analyzing-data.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rules.recipes import makes_segments
from ..words import format_count, format_list
from .export_content import event_types, list_event_times, shorten_name
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .datasets import DatasetView
    from .plan_run import RunView

MAX_TYPES = 10
"""The most types of events and metadata columns together:
https://docs.aws.amazon.com/personalize/latest/dg/limits.html."""
SHOWN_TYPES = 15
"""The most types that a message names."""
OPTIONAL_COLUMNS = ("EVENT_VALUE", "IMPRESSION", "RECOMMENDATION_ID", "EVENT_ATTRIBUTION_SOURCE")
RESERVED_COLUMNS = ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE", *OPTIONAL_COLUMNS)
"""The columns of interactions that don't count as metadata:
https://docs.aws.amazon.com/personalize/latest/dg/custom-datasets-and-schemas.html."""
OFTEN_EMPTY = (*OPTIONAL_COLUMNS, "CATEGORY_L2", "CATEGORY_L3", "GENRE_L2", "GENRE_L3")
"""The columns that are often empty in good data, because only some events have a value or follow a
recommendation, and only some items have a category on a second level:
https://docs.aws.amazon.com/personalize/latest/dg/ECOMMERCE-items-dataset.html."""
MIN_TEXT_SHARE = 0.85
"""The share of the rows in which a textual column should have a value."""
MIN_SHARE = 0.7
"""The share of the rows in which any other column should have a value."""


@guard("data insights", "REFUSE", "run")
def refuse_failing_interactions(view: RunView) -> Iterator[str]:
    """Yield a message for interactions with which a training of the run would fail."""
    untrained = _list_untrained_solutions(view)
    segments = [item.arn for item in view.trained_solutions if makes_segments(item.recipe)]

    for dataset in _find_learned_interactions(view):
        if untrained:
            yield from _check_type_count(dataset, format_list(untrained))
        if segments:
            yield from _check_timestamps(dataset, format_list(segments))


@guard("data insights", "WARN", "run")
def warn_of_doubtful_interactions(view: RunView) -> Iterator[str]:
    """Yield a message for interactions with which a training may fail."""
    if not _list_untrained_solutions(view):
        for dataset in _find_learned_interactions(view):
            yield from _check_type_count(dataset, "a solution")


def _list_untrained_solutions(view: RunView) -> list[str]:
    """List the solutions that the run trains, and that have no ACTIVE version yet.

    Personalize may have trained an ACTIVE version on as many types, so it isn't certain that the
    next training fails.
    """
    return [
        solution.arn
        for solution in view.trained_solutions
        if not any(version.is_active for version in solution.state.versions)
    ]


def _find_learned_interactions(view: RunView) -> list[DatasetView]:
    """Find the dataset of interactions, if a training of the run learns from its present export.

    The list is empty or has one dataset.
    """
    return [
        dataset
        for dataset in view.datasets
        if dataset.dataset["type"] == "interactions"
        and (dataset.needs_import or dataset.holds_export)
    ]


def _check_type_count(view: DatasetView, trained: str) -> Iterator[str]:
    """Yield a message if there are too many types of events and metadata columns.

    Not all rows need to be read, because the others can only add types.
    """
    types = event_types(view)
    columns = [name for name in view.columns if name not in RESERVED_COLUMNS]

    if len(types) + len(columns) > MAX_TYPES:
        shown = format_list([shorten_name(name) for name, _ in types.most_common(SHOWN_TYPES)])
        yield (
            f"datasets.interactions: {view.export.location} has {len(types)} types of events, and "
            f"the schema has {format_count(len(columns), 'metadata column')}; Personalize fails to "
            f"train {trained} on more than {MAX_TYPES} of both together; write fewer types, and "
            f"each in only one spelling: {shown}"
        )


def _check_timestamps(view: DatasetView, trained: str) -> Iterator[str]:
    """Yield a message if all rows have the same time, on which user segments can't be trained.

    Those only know data of FULL imports, so an INCREMENTAL export isn't checked.
    https://docs.aws.amazon.com/personalize/latest/dg/getting-user-segments.html
    """
    times = list_event_times(view)
    if len(times) == 1 and view.is_full and view.content["areAllRowsRead"]:
        yield (
            f"datasets.interactions: all rows of {view.export.location} have the TIMESTAMP "
            f"{min(times)}, with which Personalize fails to train {trained}; write the time of "
            "each event"
        )


@guard("completeness", "WARN", "export")
def warn_of_incomplete_columns(view: DatasetView) -> Iterator[str]:
    """Yield a message for columns that have too few values to be useful to a model."""
    rows = view.content["rows"]
    if view.dataset["type"] not in ("interactions", "items", "users") or not rows:
        return  # Personalize has no insights about actions.

    sparse_columns = []
    for field in view.fields:
        values = view.export.values(field["name"])
        # A column that is missing from a file is null in each of its rows.
        share = (values.total() - values[""]) / rows
        min_share = MIN_SHARE
        if field.get("textual") is True:
            min_share = MIN_TEXT_SHARE
        if share < min_share and field["name"] not in OFTEN_EMPTY:
            sparse_columns.append(f"{shorten_name(field['name'])} ({share:.1%})")

    if sparse_columns:
        yield (
            f"columns of {view.export.location} have too few values: "
            f"{format_list(sparse_columns)}; models use a text column only if "
            f"{MIN_TEXT_SHARE:.0%} of the rows have a text, and "
            f"other columns help if {MIN_SHARE:.0%} have a value; write values in more rows"
        )
