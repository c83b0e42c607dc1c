"""The operations on filters, and what a filter leaves of recommendations and of user segments.

The rules are from the guide's pages about filter expressions and from the API reference of
GetRecommendations.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from emulator.personalize.errors import invalid_input
from emulator.personalize.lifecycle import active, create
from emulator.personalize.resources import Dataset, DatasetGroup, Filter
from emulator.personalize.store import Request, Store

VALUES = r'"[^"]*"(?:\s*,\s*"[^"]*")*'
EXPRESSION = re.compile(
    r"\s*(?P<verb>INCLUDE|EXCLUDE)\s+(?P<id>ItemID|UserID)\s+WHERE"
    rf"\s+(?P<dataset>\w+)\.(?P<field>\w+)\s+IN\s*\(\s*(?P<values>{VALUES}|\$\w+)\s*\)\s*",
    re.IGNORECASE,
)
ID_COLUMNS = {"INTERACTIONS": "ITEM_ID", "ITEMS": "ITEM_ID", "USERS": "USER_ID"}
"""The column with the ids that the data of each type of dataset can include or exclude."""


class Condition(NamedTuple):
    """The expression of a filter. `values` is a list in quotes, or a parameter like "$GENRE"."""

    includes: bool
    dataset: Dataset
    column: str
    values: str


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
    columns = [
        (dataset, name)
        for dataset in store.all(Dataset, group.arn)
        for name in dataset.table.columns
        if (dataset.type, name.upper()) == (dataset_type, field)
    ]
    if not columns or (dataset_type == "INTERACTIONS" and field != "EVENT_TYPE"):
        raise invalid_input(
            f"{group.arn} cannot be filtered by {match['dataset']}.{match['field']}"
        )
    if ID_COLUMNS.get(dataset_type) != match["id"].upper().replace("ID", "_ID"):
        raise invalid_input(f"{match['dataset']} cannot be used with {match['id']}")
    includes = match["verb"].upper() == "INCLUDE"
    condition = Condition(includes, *columns[0], match["values"])
    return create(store, Filter, request, belongs_to=[group.arn], condition=condition)


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
    condition = item_filter.condition if item_filter is not None else None
    parameter = condition.values.partition("$")[2] if condition is not None else ""
    if unknown := [name for name in given if name != parameter]:
        raise invalid_input(f"filterValues has {unknown[0]}, which is no parameter of a filter")
    if condition is None or (parameter and not given and not condition.includes):
        return dict(scores)
    values = given.get(parameter, condition.values)
    if not re.fullmatch(VALUES, values):
        raise invalid_input(f"filterValues must have {parameter} with each value in double quotes")
    ids = _matching_ids(condition, set(re.findall('"([^"]*)"', values)), request)
    return {key: scores[key] for key in scores if (key in ids) == condition.includes}


def _matching_ids(condition: Condition, values: set[str], request: Request) -> set[str]:
    """Return the ids that meet a condition, in the rows that the dataset has now.

    Of interactions, only those of the user in the request count, and the case of event types makes
    no difference. "*" stands for all of them. Other text can be a list with `|` between its values.
    """
    table = condition.dataset.table
    if condition.dataset.type == "INTERACTIONS":
        if "userId" not in request:
            raise invalid_input("userId is required, because the filter uses interactions")
        table = table.where("USER_ID", request["userId"])
        values = {value.lower() for value in values}
    ids = table.column(ID_COLUMNS[condition.dataset.type])
    texts = [str(value) for value in table.column(condition.column)]
    if condition.dataset.type == "INTERACTIONS":
        texts = ["*" if "*" in values else text.lower() for text in texts]
    pairs = zip(ids, texts, strict=True)
    return {key for key, text in pairs if not values.isdisjoint(text.split("|"))}
