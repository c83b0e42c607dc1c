"""Creates filters, and applies them to recommendations and user segments.

A filter consists of one or more *expressions*. Each one includes or excludes items or users, and
its *condition* compares a dataset's column with some values. The rules come from the guide's pages
about filter expressions, and from the API reference of GetRecommendations.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress

from emulator.personalize.datasets import find_dataset
from emulator.personalize.errors import invalid_input
from emulator.personalize.lifecycle import create_resource, find_active
from emulator.personalize.resources import (
    Condition,
    DatasetColumn,
    DatasetGroup,
    Filter,
)
from emulator.personalize.store import Request, Store

QUOTED_VALUES = r'"[^"]*"(?:\s*,\s*"[^"]*")*'
FILTER_EXPRESSION = re.compile(
    r"\s*(?P<verb>INCLUDE|EXCLUDE)\s+(?P<target>ItemID|UserID)\s+WHERE"
    rf"\s+(?P<dataset>\w+)\.(?P<field>\w+)\s+IN"
    rf"\s*\(\s*(?:(?P<values>{QUOTED_VALUES})|\$(?P<parameter>\w+))\s*\)\s*",
    re.IGNORECASE,
)
EXPRESSION_SEPARATOR = re.compile(r'\|(?=(?:[^"]*"[^"]*")*[^"]*$)')
"""A pipe between two expressions. A pipe within quotes is followed by an odd number of quotes."""
ID_COLUMNS = {"INTERACTIONS": "ITEM_ID", "ITEMS": "ITEM_ID", "USERS": "USER_ID"}
"""Type of dataset -> the column with the IDs of the items or users that it can filter."""


def create_filter(store: Store, request: Request) -> Filter:
    """Create a filter from one or more expressions, which are separated by pipes.

    AWS supports more complex expressions. In the emulator, each one must have a single condition
    with the operator IN.
    """
    group = find_active(store, DatasetGroup, request["datasetGroupArn"])
    texts = EXPRESSION_SEPARATOR.split(request["filterExpression"])
    conditions = tuple(_parse_condition(store, group.arn, text) for text in texts)
    return create_resource(store, Filter, request, parent_arns=[group.arn], conditions=conditions)


def _parse_condition(store: Store, group_arn: str, expression: str) -> Condition:
    """Parse an expression, and reject one that isn't supported or names an unknown column."""
    match = FILTER_EXPRESSION.fullmatch(expression)
    if match is None:
        raise invalid_input(
            "The filter expression is not valid, or not supported by this emulator. It supports one"
            " condition between pipes: EXCLUDE or INCLUDE ItemID or UserID WHERE Dataset.FIELD IN"
            ' ("a", "b") or IN ($NAME)'
        )

    groups = match.groupdict(default="")
    return Condition(
        includes=match["verb"].upper() == "INCLUDE",
        column=_find_compared_column(store, group_arn, match),
        quoted_values=groups["values"],
        parameter=groups["parameter"],
    )


def _find_compared_column(store: Store, group_arn: str, match: re.Match[str]) -> DatasetColumn:
    """Look up the column that an expression compares, in the datasets of a group."""
    dataset = find_dataset(store, group_arn, match["dataset"].upper())
    if dataset is not None and _can_compare(dataset.type, match):
        for column in dataset.schema.columns:
            if column.name.upper() == match["field"].upper():
                return DatasetColumn(dataset, column.name)

    name = f"{match['dataset']}.{match['field']}"
    raise invalid_input(f"{match['target']} of {group_arn} cannot be filtered by {name}")


def _can_compare(dataset_type: str, match: re.Match[str]) -> bool:
    """Return True if a dataset of this type can filter what the expression is about.

    Items and interactions can filter ItemID, and users can filter UserID. In interactions, the
    emulator can only compare the event type.
    """
    id_column = ID_COLUMNS.get(dataset_type, "")
    has_ids = id_column.replace("_", "") == match["target"].upper()
    return has_ids and (dataset_type != "INTERACTIONS" or match["field"].upper() == "EVENT_TYPE")


def find_active_filter(store: Store, request: Request, group_arn: str) -> Filter | None:
    """Look up the filter of a request, or return None if the request doesn't have one.

    It must be ACTIVE, and belong to the given dataset group.
    """
    if "filterArn" not in request:
        return None

    item_filter = store.get(Filter, request["filterArn"])
    if not item_filter.is_active(store.now):
        raise invalid_input(f"Filter {item_filter.arn} is {item_filter.status(store.now)}")
    if group_arn not in item_filter.parent_arns:
        raise invalid_input(f"Filter {item_filter.arn} does not belong to {group_arn}")

    return item_filter


def filter_scores(
    item_filter: Filter | None, request: Request, scores: Mapping[str, float]
) -> dict[str, float]:
    """Keep the scores of the items or users that pass a filter, in the same order.

    To pass, an item must match at least one INCLUDE expression, if there are any, and no EXCLUDE
    expression (guide, "Combining multiple expressions"). The request provides the values of
    parameters in `filterValues`.
    """
    if item_filter is None:
        return dict(scores)

    passing_ids = set(scores)
    includes = [condition for condition in item_filter.conditions if condition.includes]
    if includes:
        passing_ids = _find_ids_matching_any(includes, request)

    passing_ids -= _find_ids_matching_any(_list_usable_excludes(item_filter, request), request)
    return {result_id: score for result_id, score in scores.items() if result_id in passing_ids}


def _list_usable_excludes(item_filter: Filter, request: Request) -> list[Condition]:
    """List the EXCLUDE expressions for whose parameters the request provides values.

    The others are ignored (guide, "Creating filter expressions"). An INCLUDE expression, on the
    other hand, always requires its values.
    """
    # A condition without a parameter has an empty one, which is always provided.
    provided_parameters = {"", *request.get("filterValues", {})}
    return [
        condition
        for condition in item_filter.conditions
        if not condition.includes and condition.parameter in provided_parameters
    ]


def _find_ids_matching_any(conditions: Iterable[Condition], request: Request) -> set[str]:
    """Find the IDs of items or users that match at least one of the conditions."""
    ids: set[str] = set()
    for condition in conditions:
        ids |= _find_matching_ids(condition, request)

    return ids


def _find_matching_ids(condition: Condition, request: Request) -> set[str]:
    """Find the IDs of items or users that match a condition.

    If the condition is about interactions, only those of the user in the request count.
    """
    dataset, column_name = condition.column
    table = dataset.table
    if dataset.type == "INTERACTIONS":
        if "userId" not in request:
            raise invalid_input("userId is required, because the filter uses interactions")
        table = table.where("USER_ID", request["userId"])

    ids = table.column(ID_COLUMNS[dataset.type])
    wanted_values = _parse_wanted_values(condition, request)
    matches = _match_values(column_name, table.column(column_name), wanted_values)
    return set(compress(ids, matches))


def _parse_wanted_values(condition: Condition, request: Request) -> list[str]:
    """Parse the values of a condition, which are in the request if there's a parameter."""
    quoted_values = condition.quoted_values
    if condition.parameter:
        quoted_values = request.get("filterValues", {}).get(condition.parameter, "")
        if not re.fullmatch(QUOTED_VALUES, quoted_values):
            raise invalid_input(
                f"filterValues must have {condition.parameter} with each value in double quotes"
            )

    return re.findall('"([^"]*)"', quoted_values)


def _match_values(
    column_name: str, values: Iterable[object], wanted_values: Sequence[str]
) -> list[bool]:
    """Return, for each value of a column, whether it's one of the wanted values.

    Event types are compared regardless of case, and "*" matches all of them. In other columns, a
    value can be a list that is separated by `|`, and a single match is enough.
    """
    if column_name == "EVENT_TYPE":
        event_types = {value.lower() for value in wanted_values}
        return ["*" in wanted_values or str(value).lower() in event_types for value in values]

    return [not set(str(value).split("|")).isdisjoint(wanted_values) for value in values]
