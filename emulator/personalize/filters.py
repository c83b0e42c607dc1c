"""The operation that creates filters, and how a filter is applied to results.

The rules are from the guide's pages about filter expressions and from the API reference of
GetRecommendations.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress

from emulator.personalize.datasets import find_dataset
from emulator.personalize.errors import invalid_input
from emulator.personalize.lifecycle import create, find_active
from emulator.personalize.resources import (
    Condition,
    DatasetColumn,
    DatasetGroup,
    Filter,
)
from emulator.personalize.store import Request, Store

VALUES = r'"[^"]*"(?:\s*,\s*"[^"]*")*'
EXPRESSION = re.compile(
    r"\s*(?P<verb>INCLUDE|EXCLUDE)\s+(?P<target>ItemID|UserID)\s+WHERE"
    rf"\s+(?P<dataset>\w+)\.(?P<field>\w+)\s+IN"
    rf"\s*\(\s*(?:(?P<values>{VALUES})|\$(?P<parameter>\w+))\s*\)\s*",
    re.IGNORECASE,
)
PIPE = re.compile(r'\|(?=(?:[^"]*"[^"]*")*[^"]*$)')
"""A separator of expressions, which has an even number of quotes behind it."""
ID_COLUMNS = {"INTERACTIONS": "ITEM_ID", "ITEMS": "ITEM_ID", "USERS": "USER_ID"}
"""The column with the ids that the data of each type of dataset can include or exclude."""


def create_filter(store: Store, request: Request) -> Filter:
    """Create a filter of one or more expressions, which are separated by a pipe.

    Each expression has one condition, which compares a field with IN.
    """
    group = find_active(store, DatasetGroup, request["datasetGroupArn"])
    texts = PIPE.split(request["filterExpression"])
    conditions = tuple(_parse_condition(store, group.arn, text) for text in texts)
    return create(store, Filter, request, belongs_to=[group.arn], conditions=conditions)


def _parse_condition(store: Store, group_arn: str, expression: str) -> Condition:
    """Parse the condition of one expression, and find its column in the group's datasets."""
    match = EXPRESSION.fullmatch(expression)
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
        values=groups["values"],
        parameter=groups["parameter"],
    )


def _find_compared_column(store: Store, group_arn: str, match: re.Match[str]) -> DatasetColumn:
    """Find the column that an expression compares."""
    dataset = find_dataset(store, group_arn, match["dataset"].upper())
    if dataset is not None and _can_compare(dataset.type, match):
        for column in dataset.schema.columns:
            if column.name.upper() == match["field"].upper():
                return DatasetColumn(dataset, column.name)

    name = f"{match['dataset']}.{match['field']}"
    raise invalid_input(f"{match['target']} of {group_arn} cannot be filtered by {name}")


def _can_compare(dataset_type: str, match: re.Match[str]) -> bool:
    """Tell if a type of dataset has the ids of an expression, and if its field can be compared.

    Of the interactions, this emulator compares only the event type.
    """
    id_column = ID_COLUMNS.get(dataset_type, "")
    has_ids = id_column.replace("_", "") == match["target"].upper()
    return has_ids and (dataset_type != "INTERACTIONS" or match["field"].upper() == "EVENT_TYPE")


def find_active_filter(store: Store, request: Request, group_arn: str) -> Filter | None:
    """Find the filter that a request names, or return None if it names none.

    It must be ACTIVE and of the same dataset group.
    """
    if "filterArn" not in request:
        return None

    item_filter = store.get(Filter, request["filterArn"])
    if not item_filter.is_active(store.now):
        raise invalid_input(f"Filter {item_filter.arn} is {item_filter.status(store.now)}")
    if group_arn not in item_filter.belongs_to:
        raise invalid_input(f"Filter {item_filter.arn} does not belong to {group_arn}")

    return item_filter


def filter_scores(
    item_filter: Filter | None, request: Request, scores: Mapping[str, float]
) -> dict[str, float]:
    """Keep the items or users that pass a filter, in the same order, with their scores.

    The request has the values of the filter's parameters in `filterValues`. What any INCLUDE
    expression includes passes, unless an EXCLUDE expression excludes it (guide, "Combining multiple
    expressions").
    """
    if item_filter is None:
        return dict(scores)

    passing_ids = set(scores)
    includes = [condition for condition in item_filter.conditions if condition.includes]
    if includes:
        passing_ids = _find_ids_of_any(includes, request)

    passing_ids -= _find_ids_of_any(_list_used_excludes(item_filter, request), request)
    return {key: score for key, score in scores.items() if key in passing_ids}


def _list_used_excludes(item_filter: Filter, request: Request) -> list[Condition]:
    """List the EXCLUDE expressions that have the values of their parameters.

    The others are not used (guide, "Creating filter expressions"), while INCLUDE needs its values.
    """
    present_parameters = {"", *request.get("filterValues", {})}
    return [
        condition
        for condition in item_filter.conditions
        if not condition.includes and condition.parameter in present_parameters
    ]


def _find_ids_of_any(conditions: Iterable[Condition], request: Request) -> set[str]:
    """Find the ids that fulfil at least one of the conditions."""
    ids: set[str] = set()
    for condition in conditions:
        ids |= _find_ids(condition, request)

    return ids


def _find_ids(condition: Condition, request: Request) -> set[str]:
    """Find the ids that fulfil a condition, with the value of its parameter in a request."""
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
    """Parse the values of a condition, or those that a request gives to its parameter."""
    values = condition.values
    if condition.parameter:
        values = request.get("filterValues", {}).get(condition.parameter, "")
        if not re.fullmatch(VALUES, values):
            raise invalid_input(
                f"filterValues must have {condition.parameter} with each value in double quotes"
            )

    return re.findall('"([^"]*)"', values)


def _match_values(
    column_name: str, values: Iterable[object], wanted_values: Sequence[str]
) -> list[bool]:
    """Tell for each value of a column if it is one of the wanted values.

    The case of event types makes no difference, and "*" stands for all of them. A text with `|` in
    another column is a list of values.
    """
    if column_name == "EVENT_TYPE":
        event_types = {value.lower() for value in wanted_values}
        return ["*" in wanted_values or str(value).lower() in event_types for value in values]

    return [not set(str(value).split("|")).isdisjoint(wanted_values) for value in values]
