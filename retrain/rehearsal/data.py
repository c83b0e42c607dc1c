"""The data of a rehearsal: two exports of each dataset, from the user's CSV files or made up.

The user's file is the newer export, byte for byte. The older export, on which the first version is
trained, has the older 80% of its rows by TIMESTAMP. An export without a TIMESTAMP never changes.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from components.rules.arns import to_dataset_type as type_of_key
from emulator.personalize.tables import (
    MIN_INTERACTIONS,
    MIN_INTERACTIONS_PER_USER,
    MIN_USERS,
    REQUIRED_FIELDS,
)
from functions.planning.export_values import (
    MAX_TEXT_LENGTH,
    find_first_value_error,
    find_value_error,
)
from functions.s3.csv_files import (
    FileSample,
    parse_sample,
    split_values,
)
from retrain.account.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from functions.planning.snapshot import SchemaField

RESERVED_TYPES: Mapping[str, str | list[str]] = {
    "USER_ID": "string",
    "ITEM_ID": "string",
    "ACTION_ID": "string",
    "TIMESTAMP": "long",
    "CREATION_TIMESTAMP": ["null", "long"],
    "EVENT_TYPE": ["null", "string"],
    "EVENT_VALUE": ["null", "float"],
    "RECOMMENDATION_ID": ["null", "string"],
    "IMPRESSION": ["null", "string"],
}
"""The columns that Personalize knows, and their types (guide: "Creating schema JSON files")."""
LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
OLDER_PERCENT = 80
"""The percentage of the user's interactions on which the first version is trained."""
TRUNCATED_PERCENT = 20
"""The percentage of the rows that remains in a truncated export."""
MIN_ITEMS = 3
"""Recommendations to a user with fewer items say little about a model."""

Spoiling: TypeAlias = Literal["none", "truncated", "renamed", "shuffled"]


class User(NamedTuple):
    """A user and the ids of the items in the user's interactions, the newest interaction first."""

    id: str
    item_ids: list[str]


@dataclass(frozen=True)
class Data:
    """Two exports of each dataset type in Personalize."""

    schemas: Mapping[str, str]
    """The Avro schemas in JSON, as CreateSchema expects them."""
    older: Mapping[str, bytes]
    """The exports on which the first version is trained."""
    newer: Mapping[str, bytes]
    """Later exports. They contain every row of the older exports, and more."""

    def export(
        self, dataset_type: str, *, is_increment: bool, number: int, spoiling: Spoiling
    ) -> bytes:
        """Return the newer export, or only its new rows, for an INCREMENTAL import.

        `number` rows are moved from the beginning to the end, so that the exports differ. An
        export of interactions may be spoiled.
        """
        header, *rows = split_lines(self.newer[dataset_type])
        if is_increment:
            older = set(split_lines(self.older[dataset_type]))
            # A file without rows would import nothing.
            rows = [row for row in rows if row not in older] or rows
        start = number % len(rows)
        content = b"".join([header, *rows[start:], *rows[:start]])
        return spoil(spoiling, content) if dataset_type == "INTERACTIONS" else content

    def item_labels(self) -> dict[str, str]:
        """Return the title of each item by its id, with its genres, if items.csv has them."""
        header, *rows = read_rows(self.newer.get("ITEMS", b"ITEM_ID"))
        labels = {}
        for item in (dict(zip(header, row, strict=True)) for row in rows):
            genres = (item.get("GENRES") or item.get("GENRE", "")).replace("|", ", ")
            label = item.get("TITLE") or item["ITEM_ID"]
            labels[item["ITEM_ID"]] = f"{label} ({genres})" if genres else label
        return labels

    def typical_users(self) -> list[User]:
        """Return the users who have enough items, or else all. The last active user is first."""
        header, *rows = read_rows(self.newer["INTERACTIONS"])
        user, item, time = (header.index(name) for name in ("USER_ID", "ITEM_ID", "TIMESTAMP"))
        items_by_user: dict[str, dict[str, None]] = {}
        for row in sorted(rows, key=lambda row: int(row[time]), reverse=True):
            # The keys of a dict keep their order and occur once.
            items_by_user.setdefault(row[user], {})[row[item]] = None
        users = [User(user_id, list(items)) for user_id, items in items_by_user.items()]
        return [user for user in users if len(user.item_ids) >= MIN_ITEMS] or users


def read_custom_data(folder: Path, import_modes: Mapping[str, str]) -> Data:
    """Read `<key>.csv` for each key of the setting `datasets`.

    `import_modes` has the import mode of each key. Interactions are read even if they are not among
    the keys, because Personalize cannot train without them. Raises OperatorError with the first
    problem of each file.
    """
    schemas, older, newer, problems = {}, {}, {}, []
    for key, mode in {"interactions": "FULL", **import_modes}.items():
        path, dataset_type = folder / f"{key}.csv", type_of_key(key)
        try:
            content = path.read_bytes()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            problems.append(f"{path}: {reason}; export the {key} to this file")
            continue
        file = parse_sample(path.name, content, is_whole_file=True, max_rows=None)
        if problem := _file_problem(file, dataset_type, mode):
            problems.append(f"{path}: {problem}")
            continue
        schemas[dataset_type] = avro_schema(dataset_type, _avro_fields(file, dataset_type))
        older[dataset_type], newer[dataset_type] = _older(file, content), content
    if problems:
        raise OperatorError("\n".join(problems))
    return Data(schemas, older, newer)


def _file_problem(file: FileSample, dataset_type: str, import_mode: str) -> str | None:
    """Return why Personalize could not import a file, or not train on it, or None."""
    if file.error and not file.header:
        return file.error
    if missing := [name for name in REQUIRED_FIELDS[dataset_type] if name not in file.header]:
        return (
            f"the header lacks {', '.join(missing)}; it is {','.join(file.header)!r}; rename the "
            "columns to the names that Personalize requires"
        )
    if "" in file.header:
        return f"column {file.header.index('') + 1} of the header has no name; name it"
    fields = [_known_field(dataset_type, name) for name in file.header if name in RESERVED_TYPES]
    if problem := find_first_value_error(file, fields, datetime.now(UTC)) or file.error:
        return problem
    if not file.rows:
        return "has no rows below its header; repeat the export"
    return _training_problem(file, import_mode) if dataset_type == "INTERACTIONS" else None


def _training_problem(file: FileSample, import_mode: str) -> str | None:
    """Return why too few interactions or users remain to train the first version, or None."""
    percent = OLDER_PERCENT
    reason = f"the first version is trained on the older {percent}%"
    if import_mode == "INCREMENTAL":
        percent = 100 - OLDER_PERCENT
        reason = f"an INCREMENTAL import gets the newer {percent}%"
    needed = MIN_INTERACTIONS * 100 // percent
    if len(file.rows) < needed:
        return (
            f"has {len(file.rows)} interactions; export at least {needed}, because "
            f"{reason}, and Personalize needs {MIN_INTERACTIONS}"
        )
    user = file.header.index("USER_ID")
    counts = Counter(file.rows[number].values[user] for number in _older_rows(file))
    returning = sum(count >= MIN_INTERACTIONS_PER_USER for count in counts.values())
    if returning < MIN_USERS:
        return (
            f"has {returning} users with {MIN_INTERACTIONS_PER_USER} or more interactions among "
            f"the older {OLDER_PERCENT}%; export at least {MIN_USERS}, which Personalize needs to "
            "train"
        )
    return None


def _older_rows(file: FileSample) -> list[int]:
    """Return the positions of the oldest OLDER_PERCENT of the rows by TIMESTAMP."""
    time = file.header.index("TIMESTAMP")
    times = [int(row.values[time]) for row in file.rows]
    return sorted(range(len(times)), key=times.__getitem__)[: len(times) * OLDER_PERCENT // 100]


def _older(file: FileSample, content: bytes) -> bytes:
    """Return the header and the older rows of a file, or the file if it has no TIMESTAMP."""
    if "TIMESTAMP" not in file.header:
        return content
    header, *rows = split_lines(content)
    older = set(_older_rows(file))
    return b"".join([header, *(row for number, row in enumerate(rows) if number in older)])


def _avro_fields(file: FileSample, dataset_type: str) -> list[SchemaField]:
    """Return the fields of an Avro schema that fits the header and all values."""
    fields = []
    for position, name in enumerate(file.header):
        field = _known_field(dataset_type, name)
        if name not in RESERVED_TYPES:
            values = [row.values[position] for row in file.rows]
            avro_type = _narrowest_type([value for value in values if value])
            field["type"] = ["null", avro_type] if "" in values else avro_type
            is_long_text = avro_type == "string" and max(map(len, values)) > MAX_TEXT_LENGTH
            if dataset_type == "ITEMS" and is_long_text:
                field["textual"] = True
        fields.append(field)
    return fields


def _known_field(dataset_type: str, name: str) -> SchemaField:
    """Return the field of a column that Personalize knows. Any other column is a string."""
    is_required = name in REQUIRED_FIELDS[dataset_type]
    avro_type = "string" if is_required and name == "EVENT_TYPE" else RESERVED_TYPES.get(name)
    return {"name": name, "type": avro_type or "string"}


def _narrowest_type(values: Sequence[str]) -> str:
    """Return the narrowest Avro type that fits the values of a column."""
    for avro_type in ("long", "float"):
        field: SchemaField = {"name": "", "type": avro_type}
        error = partial(find_value_error, field=field, now=datetime.now(UTC))
        if values and not any(map(error, values)):
            return avro_type
    return "string"


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


def split_lines(export: bytes) -> list[bytes]:
    """Return the lines of a CSV file that are not empty, each with its line break.

    The first line is the header. A line break is added to the last line if it has none.
    """
    lines = (line for line in LINE.findall(export) if line.strip(b"\r\n"))
    return [line if line.endswith((b"\r", b"\n")) else line + b"\n" for line in lines]


def read_rows(export: bytes) -> list[tuple[str, ...]]:
    """Return the values of each row of a CSV file, the header first."""
    return [split_values(line.decode("utf-8-sig").rstrip("\r\n")) for line in split_lines(export)]


def to_csv(header: Iterable[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return the content of a CSV file in UTF-8, with the header as its first row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", doublequote=False, escapechar="\\")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def spoil(spoiling: Spoiling, interactions: bytes) -> bytes:
    """Return an export of interactions as a broken export job writes it.

    `truncated` leaves a fifth of the rows, `renamed` writes userId for USER_ID, and `shuffled`
    gives the items to the users in a random order, which is always the same.
    """
    header, *lines = split_lines(interactions)
    if spoiling == "truncated":
        return b"".join([header, *lines[: len(lines) * TRUNCATED_PERCENT // 100]])
    if spoiling == "renamed":
        return b"".join([header.replace(b"USER_ID", b"userId", 1), *lines])
    if spoiling == "shuffled":
        names, *rows = read_rows(interactions)
        column = names.index("ITEM_ID")
        item_ids = [row[column] for row in rows]
        random.Random(1).shuffle(item_ids)  # noqa: S311  # sample data
        pairs = zip(rows, item_ids, strict=True)
        return to_csv(names, [(*row[:column], item, *row[column + 1 :]) for row, item in pairs])
    return interactions
