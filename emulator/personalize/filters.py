"""The operation that creates filters, and how a filter is applied to results.

The rules are from the guide's pages about filter expressions and from the API reference of
GetRecommendations.
"""

import re
from collections.abc import Collection, Mapping

from emulator.personalize.errors import invalid_input
from emulator.personalize.lifecycle import active, create
from emulator.personalize.resources import Dataset, DatasetGroup, Filter
from emulator.personalize.store import Request, Store
from emulator.personalize.tables import Field, Table

VALUES = r'"[^"]*"(?:\s*,\s*"[^"]*")*'
EXPRESSION = re.compile(
    r"\s*(?P<verb>INCLUDE|EXCLUDE)\s+(?P<target>ItemID|UserID)\s+WHERE"
    rf"\s+(?P<dataset>\w+)\.(?P<field>\w+)\s+IN\s*\(\s*(?P<values>{VALUES}|\$\w+)\s*\)\s*",
    re.IGNORECASE,
)
ID_COLUMNS = {"INTERACTIONS": "ITEM_ID", "ITEMS": "ITEM_ID", "USERS": "USER_ID"}
"""The column with the ids that the data of each type of dataset can include or exclude."""


def create_filter(store: Store, request: Request) -> Filter:
    """Create a filter. Its expression has one condition, which compares a field with IN."""
    group = active(store, DatasetGroup, request["datasetGroupArn"])
    match = EXPRESSION.fullmatch(request["filterExpression"])
    if match is None:
        raise invalid_input(
            "The filter expression is not valid, or not supported by this emulator. It supports"
            ' one condition: EXCLUDE or INCLUDE ItemID or UserID WHERE Dataset.FIELD IN ("a", "b")'
            " or IN ($NAME)"
        )
    dataset_type, field = match["dataset"].upper(), match["field"].upper()
    columns = columns_of(store, group.arn, dataset_type)
    columns = [(dataset, column) for dataset, column in columns if column.name.upper() == field]
    target = ID_COLUMNS.get(dataset_type, "").replace("_", "")
    is_no_event_type = dataset_type == "INTERACTIONS" and field != "EVENT_TYPE"
    if not columns or is_no_event_type or target != match["target"].upper():
        name = f"{match['dataset']}.{match['field']}"
        raise invalid_input(f"{match['target']} of {group.arn} cannot be filtered by {name}")
    return create(
        store,
        Filter,
        request,
        belongs_to=[group.arn],
        includes=match["verb"].upper() == "INCLUDE",
        dataset=columns[0][0],
        column=columns[0][1].name,
        values=match["values"],
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

    The request has the value of the filter's parameter in `filterValues`. An INCLUDE filter needs
    the value. An EXCLUDE filter without it excludes nothing.

    Raise ApiError if a value is missing, is not in quotes, or belongs to no parameter.
    """
    given: Mapping[str, str] = request.get("filterValues", {})
    parameter = item_filter.values.partition("$")[2] if item_filter is not None else ""
    if unknown := [name for name in given if name != parameter]:
        raise invalid_input(f"filterValues has {unknown[0]}, which is no parameter of a filter")
    if item_filter is None or (parameter and not given and not item_filter.includes):
        return dict(scores)
    values = given.get(parameter, item_filter.values)
    if not re.fullmatch(VALUES, values):
        raise invalid_input(f"filterValues must have {parameter} with each value in double quotes")
    wanted, table = set(re.findall('"([^"]*)"', values)), item_filter.dataset.table
    if item_filter.dataset.type == "INTERACTIONS":
        if "userId" not in request:
            raise invalid_input("userId is required, because the filter uses interactions")
        table = table.where("USER_ID", request["userId"])
    id_column = ID_COLUMNS[item_filter.dataset.type]
    ids = matching_ids(table, id_column, item_filter.column, wanted)
    return {key: scores[key] for key in scores if (key in ids) == item_filter.includes}


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
