"""The two exports of each dataset: an older one, and a newer one that contains more."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Protocol

from retrain.rehearsal.data.csv_files import parse, read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TYPES = {
    "interactions": "INTERACTIONS",
    "items": "ITEMS",
    "users": "USERS",
    "actions": "ACTIONS",
    "actionInteractions": "ACTION_INTERACTIONS",
}
"""The key of a dataset in the stack's settings -> its type in Personalize."""
MIN_INTERACTIONS = 2
EVALUATED_SHARE = 0.1
MIN_ITEMS = 3
"""Recommendations to a user with fewer items say little about a model."""


class DataSet(Protocol):
    """The CSV exports of each dataset type (a value of TYPES)."""

    @property
    def parts(self) -> int:
        """The number of files of an export whose location is a folder."""

    def schema(self, dataset_type: str) -> str:
        """Return the Avro schema in JSON, as CreateSchema expects it."""

    def older(self, dataset_type: str) -> bytes:
        """Return the export on which the first solution version is trained."""

    def newer(self, dataset_type: str) -> bytes:
        """Return a later export. It contains every row of the older export, and more."""

    def titles(self) -> Mapping[str, str]:
        """Return the titles of the items by item id. Items without a title are left out."""

    def genres(self) -> Mapping[str, str]:
        """Return the genres of the items by item id. Several genres are separated by `|`."""


class User(NamedTuple):
    """A user and the ids of the items in the user's interactions, the newest interaction first."""

    user_id: str
    item_ids: list[str]


def avro_schema(dataset_type: str, fields: Sequence[Mapping[str, object]]) -> str:
    """Return an Avro schema in JSON, as CreateSchema expects it."""
    record = {
        "type": "record",
        "name": dataset_type.title().replace("_", ""),
        "namespace": "com.amazonaws.personalize.schema",
        "fields": fields,
        "version": "1.0",
    }
    return json.dumps(record)


def increment(older: bytes, newer: bytes) -> bytes:
    """Return the rows that only the newer export has, as an export for an INCREMENTAL import.

    If there are no such rows, return all rows, because a file without rows imports nothing.
    """
    older_rows = set(parse(older).rows)
    export = parse(newer)
    new_rows = [row for row in export.rows if row not in older_rows]
    return export.with_rows(new_rows or export.rows)


def typical_user(data: DataSet) -> User:
    """Return the user whose recommendations are shown.

    The user has the median number of items among the users with MIN_ITEMS or more. If several
    users have this number, return the user with the newest interaction. A user with nearly all
    items would be a bad example, because Personalize recommends only items that are new to a user.
    """
    users = _users(data.newer("INTERACTIONS"))
    counts = [len(user.item_ids) for user in users]
    enough = [count for count in counts if count >= MIN_ITEMS]
    typical_count = statistics.median_low(enough or counts)
    return next(user for user in users if len(user.item_ids) == typical_count)


def evaluation_users(data: DataSet) -> int:
    """Return the number of users on whom the metrics of a version rest.

    They are a random tenth of the users with two or more interactions, as in Personalize (guide:
    "Evaluating a solution version with metrics").
    """
    header, *rows = read_rows(data.newer("INTERACTIONS"))
    position = header.index("USER_ID")
    interactions_by_user = Counter(row[position] for row in rows)
    returning = sum(number >= MIN_INTERACTIONS for number in interactions_by_user.values())
    return math.ceil(returning * EVALUATED_SHARE)


def _users(interactions: bytes) -> list[User]:
    """Return the users in an export of interactions. The first user has the newest interaction."""
    header, *rows = read_rows(interactions)
    user, item, time = (header.index(name) for name in ("USER_ID", "ITEM_ID", "TIMESTAMP"))
    users: dict[str, dict[str, None]] = {}
    for row in sorted(rows, key=lambda row: int(row[time]), reverse=True):
        # The keys of a dict keep their order and occur once.
        users.setdefault(row[user], {})[row[item]] = None
    return [User(user_id, list(item_ids)) for user_id, item_ids in users.items()]
