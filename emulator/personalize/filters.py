"""The operation that creates filters, and how a filter is applied to results.

The rules are from the guide's pages about filter expressions and from the API reference of
GetRecommendations.
"""

import re
from collections.abc import Collection, Mapping

from emulator.personalize.errors import invalid_input
from emulator.personalize.lifecycle import active, create
from emulator.personalize.resources import Condition, Dataset, DatasetGroup, Filter
from emulator.personalize.store import Request, Store
from emulator.personalize.tables import Field, Table

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
    group = active(store, DatasetGroup, request["datasetGroupArn"])
    texts = PIPE.split(request["filterExpression"])
    conditions = tuple(_parse_condition(store, group.arn, text) for text in texts)
    return create(store, Filter, request, belongs_to=[group.arn], conditions=conditions)


def _parse_condition(store: Store, group_arn: str, expression: str) -> Condition:
    """Return the condition of one expression. Raise ApiError if the group cannot have it."""
    match = EXPRESSION.fullmatch(expression)
    if match is None:
        raise invalid_input(
            "The filter expression is not valid, or not supported by this emulator. It supports one"
            " condition between pipes: EXCLUDE or INCLUDE ItemID or UserID WHERE Dataset.FIELD IN"
            ' ("a", "b") or IN ($NAME)'
        )

    dataset_type, field = match["dataset"].upper(), match["field"].upper()
    columns = columns_of(store, group_arn, dataset_type)
    columns = [(dataset, column) for dataset, column in columns if column.name.upper() == field]
    target = ID_COLUMNS.get(dataset_type, "").replace("_", "")
    is_no_event_type = dataset_type == "INTERACTIONS" and field != "EVENT_TYPE"
    if not columns or is_no_event_type or target != match["target"].upper():
        name = f"{match['dataset']}.{match['field']}"
        raise invalid_input(f"{match['target']} of {group_arn} cannot be filtered by {name}")

    return Condition(
        includes=match["verb"].upper() == "INCLUDE",
        dataset=columns[0][0],
        column=columns[0][1].name,
        values=match["values"] or "",
        parameter=match["parameter"] or "",
    )


def columns_of(store: Store, group_arn: str, dataset_type: str) -> list[tuple[Dataset, Field]]:
    """Return the columns of a group's dataset, each with the dataset. It may not exist."""
    datasets = [item for item in store.all(Dataset, group_arn) if item.type == dataset_type]
    return [(dataset, column) for dataset in datasets for column in dataset.schema.columns]


def active_filter(store: Store, request: Request, group_arn: str) -> Filter | None:
    """Return the filter that a request names, or None if it names none.

    Raise ApiError if the filter does not exist, is not ACTIVE, or is of another dataset group.
    """
    if "filterArn" not in request:
        return None
    item_filter = store.get(Filter, request["filterArn"])
    if not item_filter.is_active(store.now):
        raise invalid_input(f"Filter {item_filter.arn} is {item_filter.status(store.now)}")
    if group_arn not in item_filter.belongs_to:
        raise invalid_input(f"Filter {item_filter.arn} does not belong to {group_arn}")
    return item_filter


def passing(
    item_filter: Filter | None, request: Request, scores: Mapping[str, float]
) -> dict[str, float]:
    """Return the items or users that pass a filter, in the same order, with their scores.

    The request has the values of the filter's parameters in `filterValues`. What any INCLUDE
    expression includes passes, unless an EXCLUDE expression excludes it (guide, "Combining multiple
    expressions").

    Raise ApiError if a value is missing, is not in quotes, or belongs to no parameter.
    """
    conditions = item_filter.conditions if item_filter is not None else ()
    given: Mapping[str, str] = request.get("filterValues", {})
    parameters = {condition.parameter for condition in conditions}
    if unknown := [name for name in given if name not in parameters]:
        raise invalid_input(f"filterValues has {unknown[0]}, which is no parameter of a filter")

    # Without its value, an EXCLUDE expression is not used. INCLUDE needs all its values.
    used = [item for item in conditions if item.includes or item.parameter in {"", *given}]
    included = [_ids(item, request) for item in used if item.includes]
    excluded = [_ids(item, request) for item in used if not item.includes]
    left = set().union(*included) if included else {*scores}
    left.difference_update(*excluded)
    return {key: score for key, score in scores.items() if key in left}


def _ids(condition: Condition, request: Request) -> set[str]:
    """Return the ids that fulfil a condition, with the value of its parameter in a request."""
    name = condition.parameter
    values = condition.values
    if name:
        values = request.get("filterValues", {}).get(name, "")
        if not re.fullmatch(VALUES, values):
            raise invalid_input(f"filterValues must have {name} with each value in double quotes")

    table = condition.dataset.table
    if condition.dataset.type == "INTERACTIONS":
        if "userId" not in request:
            raise invalid_input("userId is required, because the filter uses interactions")
        table = table.where("USER_ID", request["userId"])
    wanted = re.findall('"([^"]*)"', values)
    return matching_ids(table, ID_COLUMNS[condition.dataset.type], condition.column, wanted)


def matching_ids(table: Table, id_column: str, column: str, values: Collection[str]) -> set[str]:
    """Return the ids of the rows that have one of the values in a column.

    A text with `|` is a list of values. The case of event types makes no difference, and "*" stands
    for all of them.
    """
    pairs = zip(table.column(id_column), map(str, table.column(column)), strict=True)
    if column != "EVENT_TYPE":
        return {key for key, text in pairs if not set(text.split("|")).isdisjoint(values)}
    wanted = {value.lower() for value in values}
    return {key for key, text in pairs if "*" in wanted or text.lower() in wanted}
