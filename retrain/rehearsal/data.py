"""The data of a rehearsal: two exports of each dataset, made from CSV files.

The files are the user's, or those in `sample_data/`, which describe a film service that does not
exist. Each file is the newer export, byte for byte. The older export, on which the first version is
trained, has the older 80% of its rows by TIMESTAMP. Without a TIMESTAMP, both are the same.
"""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from components.rules.arns import to_dataset_type
from emulator.personalize.tables import MIN_INTERACTIONS, REQUIRED_FIELDS
from functions.planning.export_values import (
    MAX_TEXT_LENGTH,
    find_first_value_error,
    find_value_error,
)
from functions.s3.csv_files import FileSample, parse_sample
from retrain.account.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from functions.planning.snapshot import SchemaField

SAMPLE_FOLDER = Path(__file__).with_name("sample_data")
"""Large enough for INCREMENTAL imports: the newer 20% of its interactions are still 1,000 rows."""
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
OLDER_PERCENT = 80
"""The percentage of the interactions on which the first version is trained."""
TRUNCATED_PERCENT = 20
"""The percentage of the rows that remains in a truncated export."""
MIN_ITEMS = 3
"""Recommendations to a user with fewer items say little about a model."""

Damage: TypeAlias = Literal["none", "truncated", "renamed", "shuffled"]


class User(NamedTuple):
    """A user with the IDs of the items that the user chose, the last choice first."""

    id: str
    item_ids: list[str]


class ExportFile(NamedTuple):
    """A CSV file of one dataset, as bytes and as rows."""

    content: bytes
    parsed: FileSample


@dataclass(frozen=True)
class RehearsalData:
    """Two exports of each dataset type."""

    schemas: Mapping[str, str]
    """Dataset type -> its Avro schema in JSON, as CreateSchema expects it."""
    older: Mapping[str, bytes]
    """Dataset type -> the export on which the first version is trained."""
    newer: Mapping[str, bytes]
    """Dataset type -> a later export. It contains every row of the older export, and more."""

    def build_export(
        self, dataset_type: str, *, only_new_rows: bool, rotate_by: int, damage: Damage
    ) -> bytes:
        """Build an export that a run can import, or one that it should refuse.

        `rotate_by` rows move from the beginning to the end, so that the bytes differ from those of
        the export before. Only interactions are damaged.
        """
        header, *rows = split_lines(self.newer[dataset_type])
        if only_new_rows:
            older_rows = set(split_lines(self.older[dataset_type]))
            # A file needs rows, so if none is new, it has all of them.
            rows = [row for row in rows if row not in older_rows] or rows

        start = rotate_by % len(rows)
        export = b"".join([header, *rows[start:], *rows[:start]])
        if dataset_type == "INTERACTIONS":
            return damage_export(damage, export)
        return export

    def build_item_labels(self) -> dict[str, str]:
        """Map the ID of each item to its title and genres, if the file of the items has them."""
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
        users = _list_users(read_records(self.newer["INTERACTIONS"]))
        typical_users = [user for user in users if len(user.item_ids) >= MIN_ITEMS]
        return typical_users or users


def read_data(folder: Path, import_modes: Mapping[str, str]) -> RehearsalData:
    """Read `<key>.csv` for each key of the setting `datasets`, and build schemas that fit.

    `import_modes` has the import mode of each key. Interactions are read even if they are not among
    the keys, because Personalize cannot train without them. Raises OperatorError with the first
    problem of each file.
    """
    files = _read_files(folder, {"interactions": "FULL", **import_modes})

    return RehearsalData(
        schemas={
            dataset_type: _build_schema(dataset_type, file.parsed)
            for dataset_type, file in files.items()
        },
        older={dataset_type: _select_older_part(file) for dataset_type, file in files.items()},
        newer={dataset_type: file.content for dataset_type, file in files.items()},
    )


def _read_files(folder: Path, import_modes: Mapping[str, str]) -> dict[str, ExportFile]:
    """Read all files before any problem is reported, so that the user learns of all at once."""
    files = {}
    problems = []
    for key, import_mode in import_modes.items():
        try:
            files[to_dataset_type(key)] = _read_file(folder / f"{key}.csv", key, import_mode)
        except OperatorError as error:
            problems.append(str(error))

    if problems:
        raise OperatorError("\n".join(problems))
    return files


def _read_file(path: Path, key: str, import_mode: str) -> ExportFile:
    """Read a CSV file. Raises OperatorError with its first problem."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OperatorError(f"{path}: {reason}; export the {key} to this file") from error

    parsed = parse_sample(path.name, content, is_whole_file=True, max_rows=None)
    problem = _find_problem(parsed, to_dataset_type(key), import_mode)
    if problem:
        raise OperatorError(f"{path}: {problem}")
    return ExportFile(content, parsed)


def _find_problem(file: FileSample, dataset_type: str, import_mode: str) -> str | None:
    """Explain why Personalize could not import a file or train on it, or return None."""
    problem = _find_header_problem(file, dataset_type) or _find_row_problem(file, dataset_type)
    if problem or dataset_type != "INTERACTIONS":
        return problem
    return _find_lack_of_interactions(file, import_mode)


def _find_header_problem(file: FileSample, dataset_type: str) -> str | None:
    """Explain what a file's header lacks, or return None."""
    if file.error and not file.header:
        return file.error

    missing_columns = [name for name in REQUIRED_FIELDS[dataset_type] if name not in file.header]
    if missing_columns:
        return (
            f"the header lacks {', '.join(missing_columns)}; it is {','.join(file.header)!r}; "
            "rename the columns to the names that Personalize requires"
        )
    if "" in file.header:
        return f"column {file.header.index('') + 1} of the header has no name; name it"
    return None


def _find_row_problem(file: FileSample, dataset_type: str) -> str | None:
    """Explain what Personalize could not read in a file's rows, or return None.

    Only the columns that Personalize knows can have a wrong value. The schema of the other columns
    is made to fit their values.
    """
    known_fields = [
        _build_known_field(dataset_type, name) for name in file.header if name in RESERVED_TYPES
    ]
    value_error = find_first_value_error(file, known_fields, datetime.now(UTC))
    if value_error:
        return value_error

    if not file.rows and not file.error:
        return "has no rows below its header; repeat the export"
    return file.error


def _find_lack_of_interactions(file: FileSample, import_mode: str) -> str | None:
    """Explain that one of the two exports would have too few interactions, or return None."""
    percent = OLDER_PERCENT
    reason = f"the first version is trained on the older {percent}%"
    if import_mode == "INCREMENTAL":
        percent = 100 - OLDER_PERCENT
        reason = f"an INCREMENTAL import gets the newer {percent}%"

    needed_count = MIN_INTERACTIONS * 100 // percent
    if len(file.rows) >= needed_count:
        return None
    return (
        f"has {len(file.rows)} interactions; export at least {needed_count}, because {reason}, and "
        f"Personalize needs {MIN_INTERACTIONS}"
    )


def _select_older_part(file: ExportFile) -> bytes:
    """Keep the header and the older rows of a file, or the whole file if it has no TIMESTAMP."""
    if "TIMESTAMP" not in file.parsed.header:
        return file.content

    header, *lines = split_lines(file.content)
    times = _read_times(file.parsed)
    numbered_lines = sorted(enumerate(lines), key=lambda numbered: times[numbered[0]])
    older_count = len(lines) * OLDER_PERCENT // 100

    # The lines that remain keep their order.
    older_lines = [line for _, line in sorted(numbered_lines[:older_count])]
    return b"".join([header, *older_lines])


def _read_times(file: FileSample) -> list[int]:
    """Read the TIMESTAMP of each row."""
    time_column = file.header.index("TIMESTAMP")
    return [int(row.values[time_column]) for row in file.rows]


def _build_schema(dataset_type: str, file: FileSample) -> str:
    """Build an Avro schema in JSON that fits the header and all values of a file."""
    fields: list[SchemaField] = []
    for name in file.header:
        if name in RESERVED_TYPES:
            fields.append(_build_known_field(dataset_type, name))
        else:
            fields.append(_build_other_field(dataset_type, name, file.value_counts[name]))

    schema = {
        "type": "record",
        "name": dataset_type.title().replace("_", ""),
        "namespace": "com.amazonaws.personalize.schema",
        "fields": fields,
        "version": "1.0",
    }
    return json.dumps(schema)


def _build_known_field(dataset_type: str, name: str) -> SchemaField:
    """Build the field of a column that Personalize knows."""
    # Interactions may have no EVENT_TYPE, but action interactions need one.
    if name == "EVENT_TYPE" and name in REQUIRED_FIELDS[dataset_type]:
        return {"name": name, "type": "string"}
    return {"name": name, "type": RESERVED_TYPES[name]}


def _build_other_field(dataset_type: str, name: str, values: Collection[str]) -> SchemaField:
    """Build the field of a column that Personalize doesn't know, with the narrowest type."""
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


def split_lines(export: bytes) -> list[bytes]:
    """Split a CSV file into the lines that are not empty, each with its line break.

    The first line is the header. A line break is added to the last line if it has none.
    """
    if not export.endswith((b"\r", b"\n")):
        export += b"\n"
    return [line for line in export.splitlines(keepends=True) if line.strip(b"\r\n")]


def read_records(export: bytes) -> list[dict[str, str]]:
    """Read each row of a CSV file as a dict, whose keys are the columns of the header."""
    file = parse_sample("", export, is_whole_file=True, max_rows=None)
    return [dict(zip(file.header, row.values, strict=True)) for row in file.rows]


def to_csv(header: Iterable[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Write a CSV file in UTF-8, with the header as its first row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", doublequote=False, escapechar="\\")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _list_users(interactions: Sequence[Mapping[str, str]]) -> list[User]:
    """List all users with their items. The users and their items are sorted, the newest first."""
    newest_first = sorted(interactions, key=lambda row: int(row["TIMESTAMP"]), reverse=True)

    # A dict keeps the order of its keys, and has an item only once.
    items_by_user: dict[str, dict[str, None]] = {}
    for interaction in newest_first:
        items = items_by_user.setdefault(interaction["USER_ID"], {})
        items[interaction["ITEM_ID"]] = None
    return [User(user_id, list(items)) for user_id, items in items_by_user.items()]


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
    random.Random(1).shuffle(item_ids)  # noqa: S311  # no secret

    for record, item_id in zip(records, item_ids, strict=True):
        record["ITEM_ID"] = item_id
    return to_csv(records[0], [list(record.values()) for record in records])
