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

from components.rules.arns import to_dataset_type
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

Damage: TypeAlias = Literal["none", "truncated", "renamed", "shuffled"]


class User(NamedTuple):
    """A user and the ids of the items in the user's interactions, the newest interaction first."""

    id: str
    item_ids: list[str]


class CustomFile(NamedTuple):
    """A CSV file of the user, as it is and as its rows."""

    content: bytes
    parsed: FileSample


@dataclass(frozen=True)
class Data:
    """Two exports of each dataset type in Personalize."""

    schemas: Mapping[str, str]
    """The Avro schemas in JSON, as CreateSchema expects them."""
    older: Mapping[str, bytes]
    """The exports on which the first version is trained."""
    newer: Mapping[str, bytes]
    """Later exports. They contain every row of the older exports, and more."""

    def build_export(
        self, dataset_type: str, *, only_new_rows: bool, rotate_by: int, damage: Damage
    ) -> bytes:
        """Build an export with every row, or with the new rows alone for an INCREMENTAL import.

        `rotate_by` rows move from the beginning to the end, so that the exports differ. Only
        interactions are damaged.
        """
        header, *rows = split_lines(self.newer[dataset_type])
        if only_new_rows:
            older_rows = set(split_lines(self.older[dataset_type]))
            new_rows = [row for row in rows if row not in older_rows]
            # A file without rows would import nothing.
            if new_rows:
                rows = new_rows

        start = rotate_by % len(rows)
        content = b"".join([header, *rows[start:], *rows[:start]])
        if dataset_type == "INTERACTIONS":
            return damage_export(damage, content)
        return content

    def build_item_labels(self) -> dict[str, str]:
        """Map the id of each item to its title and genres, if items.csv has them."""
        labels = {}
        for item in read_records(self.newer.get("ITEMS", b"ITEM_ID")):
            label = item.get("TITLE") or item["ITEM_ID"]
            genres = item.get("GENRES") or item.get("GENRE")
            if genres:
                label += f" ({genres.replace('|', ', ')})"

            labels[item["ITEM_ID"]] = label
        return labels

    def list_typical_users(self) -> list[User]:
        """List the users who have enough items, or else all. The last active user is first."""
        interactions = read_records(self.newer["INTERACTIONS"])
        interactions.sort(key=lambda interaction: int(interaction["TIMESTAMP"]), reverse=True)

        # The keys of a dict keep their order and occur once.
        items_by_user: dict[str, dict[str, None]] = {}
        for interaction in interactions:
            items = items_by_user.setdefault(interaction["USER_ID"], {})
            items[interaction["ITEM_ID"]] = None

        users = [User(user_id, list(items)) for user_id, items in items_by_user.items()]
        typical_users = [user for user in users if len(user.item_ids) >= MIN_ITEMS]
        return typical_users or users


def read_custom_data(folder: Path, import_modes: Mapping[str, str]) -> Data:
    """Read `<key>.csv` for each key of the setting `datasets`.

    `import_modes` has the import mode of each key. Interactions are read even if they are not among
    the keys, because Personalize cannot train without them. Raises OperatorError with the first
    problem of each file.
    """
    files = _read_files(folder, {"interactions": "FULL", **import_modes})

    return Data(
        schemas={
            dataset_type: build_schema(dataset_type, _build_fields(file.parsed, dataset_type))
            for dataset_type, file in files.items()
        },
        older={dataset_type: _select_older_part(file) for dataset_type, file in files.items()},
        newer={dataset_type: file.content for dataset_type, file in files.items()},
    )


def _read_files(folder: Path, import_modes: Mapping[str, str]) -> dict[str, CustomFile]:
    """Read all files before any problem is reported, so that the user learns of all at once."""
    files = {}
    problems = []
    for key, import_mode in import_modes.items():
        dataset_type = to_dataset_type(key)
        try:
            files[dataset_type] = _read_file(folder / f"{key}.csv", key, dataset_type, import_mode)
        except OperatorError as error:
            problems.append(str(error))

    if problems:
        raise OperatorError("\n".join(problems))
    return files


def _read_file(path: Path, key: str, dataset_type: str, import_mode: str) -> CustomFile:
    """Read a file of the user. Raises OperatorError with its first problem."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OperatorError(f"{path}: {reason}; export the {key} to this file") from error

    parsed = parse_sample(path.name, content, is_whole_file=True, max_rows=None)
    problem = _find_problem(parsed, dataset_type, import_mode)
    if problem:
        raise OperatorError(f"{path}: {problem}")
    return CustomFile(content, parsed)


def _find_problem(file: FileSample, dataset_type: str, import_mode: str) -> str | None:
    """Explain why Personalize could not import a file or not train on it, or return None."""
    problem = _find_header_problem(file, dataset_type)
    if problem:
        return problem

    known_names = [name for name in file.header if name in RESERVED_TYPES]
    known_fields = [_build_known_field(dataset_type, name) for name in known_names]
    problem = find_first_value_error(file, known_fields, datetime.now(UTC))
    if problem or file.error:
        return problem or file.error

    if not file.rows:
        return "has no rows below its header; repeat the export"
    if dataset_type == "INTERACTIONS":
        return _find_training_problem(file, import_mode)
    return None


def _find_header_problem(file: FileSample, dataset_type: str) -> str | None:
    """Explain what a file's header lacks, or return None."""
    if file.error and not file.header:
        return file.error

    missing = [name for name in REQUIRED_FIELDS[dataset_type] if name not in file.header]
    if missing:
        return (
            f"the header lacks {', '.join(missing)}; it is {','.join(file.header)!r}; rename the "
            "columns to the names that Personalize requires"
        )
    if "" in file.header:
        return f"column {file.header.index('') + 1} of the header has no name; name it"
    return None


def _find_training_problem(file: FileSample, import_mode: str) -> str | None:
    """Explain why too few interactions or users remain to train the first version, or None."""
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

    user_column = file.header.index("USER_ID")
    counts = Counter(file.rows[index].values[user_column] for index in _find_older_rows(file))
    returning_users = sum(count >= MIN_INTERACTIONS_PER_USER for count in counts.values())
    if returning_users < MIN_USERS:
        return (
            f"has {returning_users} users with {MIN_INTERACTIONS_PER_USER} or more interactions "
            f"among the older {OLDER_PERCENT}%; export at least {MIN_USERS}, which Personalize "
            "needs to train"
        )
    return None


def _find_older_rows(file: FileSample) -> list[int]:
    """Find the positions of the oldest OLDER_PERCENT of the rows by TIMESTAMP."""
    time_column = file.header.index("TIMESTAMP")
    times = [int(row.values[time_column]) for row in file.rows]
    positions = sorted(range(len(times)), key=times.__getitem__)
    return positions[: len(times) * OLDER_PERCENT // 100]


def _select_older_part(file: CustomFile) -> bytes:
    """Keep the header and the older rows of a file, or the whole file if it has no TIMESTAMP."""
    if "TIMESTAMP" not in file.parsed.header:
        return file.content

    header, *rows = split_lines(file.content)
    older_rows = [rows[position] for position in sorted(_find_older_rows(file.parsed))]
    return b"".join([header, *older_rows])


def _build_fields(file: FileSample, dataset_type: str) -> list[SchemaField]:
    """Build the fields of an Avro schema that fits the header and all values."""
    fields = []
    for position, name in enumerate(file.header):
        if name in RESERVED_TYPES:
            fields.append(_build_known_field(dataset_type, name))
        else:
            values = [row.values[position] for row in file.rows]
            fields.append(_build_field(dataset_type, name, values))
    return fields


def _build_known_field(dataset_type: str, name: str) -> SchemaField:
    """Build the field of a column that Personalize knows."""
    # It may be missing in interactions, whose field has null as well.
    if name == "EVENT_TYPE" and name in REQUIRED_FIELDS[dataset_type]:
        return {"name": name, "type": "string"}
    return {"name": name, "type": RESERVED_TYPES[name]}


def _build_field(dataset_type: str, name: str, values: Sequence[str]) -> SchemaField:
    """Build the field of a column that only the user knows, with the narrowest type."""
    avro_type = _find_narrowest_type([value for value in values if value])
    field: SchemaField = {"name": name, "type": avro_type}
    if "" in values:
        field["type"] = ["null", avro_type]

    # Only textual columns may have longer texts, and only items have textual columns.
    is_long_text = avro_type == "string" and max(map(len, values)) > MAX_TEXT_LENGTH
    if dataset_type == "ITEMS" and is_long_text:
        field["textual"] = True
    return field


def _find_narrowest_type(values: Sequence[str]) -> str:
    """Find the narrowest Avro type that fits the values of a column."""
    for avro_type in ("long", "float"):
        field: SchemaField = {"name": "", "type": avro_type}
        find_error = partial(find_value_error, field=field, now=datetime.now(UTC))
        if values and not any(map(find_error, values)):
            return avro_type
    return "string"


def build_schema(dataset_type: str, fields: Sequence[Mapping[str, object]]) -> str:
    """Build an Avro schema in JSON, as CreateSchema expects it."""
    record = {
        "type": "record",
        "name": dataset_type.title().replace("_", ""),
        "namespace": "com.amazonaws.personalize.schema",
        "fields": fields,
        "version": "1.0",
    }
    return json.dumps(record)


def split_lines(export: bytes) -> list[bytes]:
    """Split a CSV file into the lines that are not empty, each with its line break.

    The first line is the header. A line break is added to the last line if it has none.
    """
    lines = (line for line in LINE.findall(export) if line.strip(b"\r\n"))
    return [line if line.endswith((b"\r", b"\n")) else line + b"\n" for line in lines]


def read_rows(export: bytes) -> list[tuple[str, ...]]:
    """Read the values of each row of a CSV file, the header first."""
    return [split_values(line.decode("utf-8-sig").rstrip("\r\n")) for line in split_lines(export)]


def read_records(export: bytes) -> list[dict[str, str]]:
    """Read each row of a CSV file as a dict, whose keys are the columns of the header."""
    header, *rows = read_rows(export)
    return [dict(zip(header, row, strict=True)) for row in rows]


def to_csv(header: Iterable[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Write a CSV file in UTF-8, with the header as its first row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", doublequote=False, escapechar="\\")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def damage_export(damage: Damage, interactions: bytes) -> bytes:
    """Build an export of interactions as a broken export job writes it."""
    header, *lines = split_lines(interactions)

    match damage:
        case "truncated":
            remaining = len(lines) * TRUNCATED_PERCENT // 100
            return b"".join([header, *lines[:remaining]])
        case "renamed":
            return b"".join([header.replace(b"USER_ID", b"userId", 1), *lines])
        case "shuffled":
            return _shuffle_items(interactions)
        case "none":
            return interactions


def _shuffle_items(interactions: bytes) -> bytes:
    """Give the items to the users in a random order, which is always the same."""
    records = read_records(interactions)
    item_ids = [record["ITEM_ID"] for record in records]
    random.Random(1).shuffle(item_ids)  # noqa: S311  # sample data

    for record, item_id in zip(records, item_ids, strict=True):
        record["ITEM_ID"] = item_id
    return to_csv(records[0], [list(record.values()) for record in records])
