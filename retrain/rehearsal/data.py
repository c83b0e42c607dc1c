"""Provides the data of a rehearsal: an older and a newer export of each dataset.

Both exports come from one CSV file, either the operator's own or one in `sample_data/`, which has
the data of a made-up film service. The file itself is the newer export. The older export, on which
the first solution version is trained, contains only the oldest 80% of the rows by TIMESTAMP. If the
file has no TIMESTAMP column, both exports are the same.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections import defaultdict
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
"""The sample data, which is large enough for an INCREMENTAL import, because the newest 20% of the
interactions are still 1,000 rows."""
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
"""Reserved column -> its Avro type (in AWS's guide, see "Creating schema JSON files")."""
OLDER_PERCENT = 80
"""The percentage of the interactions on which the first solution version is trained."""
TRUNCATED_PERCENT = 20
"""The percentage of rows that are left in a truncated export."""
MIN_ITEMS = 3
"""How many items a user needs to count as typical, because recommendations based on fewer items say
little about a model."""

Damage: TypeAlias = Literal["none", "truncated", "renamed", "shuffled"]


class User(NamedTuple):
    """A user who has interacted with some items."""

    id: str
    item_ids: list[str]
    """Sorted, the most recently chosen item first."""


@dataclass(frozen=True)
class RehearsalData:
    """An older and a newer export of each dataset, and schemas for them."""

    schemas: Mapping[str, str]
    """Dataset type -> its Avro schema, serialized as JSON for CreateSchema."""
    older: Mapping[str, bytes]
    """Dataset type -> the export on which the first version is trained."""
    newer: Mapping[str, bytes]
    """Dataset type -> a later export, which also contains all rows of the older export."""

    def build_export(
        self, dataset_type: str, *, only_new_rows: bool, rotate_by: int, damage: Damage
    ) -> bytes:
        """Build an export for the next run.

        The first `rotate_by` rows are moved to the end, so that no two exports are the same.
        `damage` applies only to interactions, and breaks them in a way that the run should notice.
        """
        header, *rows = split_lines(self.newer[dataset_type])
        if only_new_rows:
            older_rows = set(split_lines(self.older[dataset_type]))
            # An export can't be empty, so repeat all rows if none are new.
            rows = [row for row in rows if row not in older_rows] or rows

        start = rotate_by % len(rows)
        export = b"".join([header, *rows[start:], *rows[:start]])
        if dataset_type == "INTERACTIONS":
            return damage_export(damage, export)
        return export

    def build_item_labels(self) -> dict[str, str]:
        """Map item IDs to labels with the title and the genres, if items.csv has such columns."""
        labels = {}
        for item in read_records(self.newer.get("ITEMS", b"ITEM_ID")):
            label = item.get("TITLE") or item["ITEM_ID"]
            genres = item.get("GENRES") or item.get("GENRE")
            if genres:
                label += f" ({genres.replace('|', ', ')})"

            labels[item["ITEM_ID"]] = label
        return labels

    def list_typical_users(self) -> list[User]:
        """List the users with at least MIN_ITEMS items, or all users if none have that many.

        The users are sorted, the most recently active one first.
        """
        interactions = read_records(self.newer["INTERACTIONS"])
        newest_first = sorted(interactions, key=lambda row: int(row["TIMESTAMP"]), reverse=True)

        # The inner dict serves as an ordered set, because users may choose an item more than once.
        items_by_user: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for interaction in newest_first:
            items_by_user[interaction["USER_ID"]][interaction["ITEM_ID"]] = None

        users = [User(user_id, list(items)) for user_id, items in items_by_user.items()]
        typical_users = [user for user in users if len(user.item_ids) >= MIN_ITEMS]
        return typical_users or users


def read_data(folder: Path, import_modes: Mapping[str, str]) -> RehearsalData:
    """Read `<key>.csv` for each dataset of the stack, and derive schemas and older exports.

    `import_modes` maps the keys of the setting `datasets` to import modes. interactions.csv is
    always read, because Personalize can't train without interactions.

    Raises OperatorError with the first problem in each file.
    """
    exports = _read_files(folder, {"interactions": "FULL", **import_modes})

    return RehearsalData(
        schemas={
            dataset_type: _build_schema(dataset_type, _parse(export))
            for dataset_type, export in exports.items()
        },
        older={
            dataset_type: _select_older_rows(export) for dataset_type, export in exports.items()
        },
        newer=exports,
    )


def _read_files(folder: Path, import_modes: Mapping[str, str]) -> dict[str, bytes]:
    """Read all files before reporting problems, so that the operator can fix them all at once."""
    exports = {}
    problems = []
    for key, import_mode in import_modes.items():
        try:
            exports[to_dataset_type(key)] = _read_file(folder / f"{key}.csv", key, import_mode)
        except OperatorError as error:
            problems.append(str(error))

    if problems:
        raise OperatorError("\n".join(problems))
    return exports


def _read_file(path: Path, key: str, import_mode: str) -> bytes:
    """Read and check a CSV file. Raises OperatorError with the first problem in it."""
    try:
        export = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OperatorError(f"{path}: {reason}; export the {key} to this file") from error

    problem = _find_problem(_parse(export), to_dataset_type(key), import_mode)
    if problem:
        raise OperatorError(f"{path}: {problem}")
    return export


def _find_problem(file: FileSample, dataset_type: str, import_mode: str) -> str | None:
    """Explain why Personalize couldn't import a file or train on it. Return None if it could."""
    problem = _find_header_problem(file, dataset_type) or _find_row_problem(file, dataset_type)
    if problem or dataset_type != "INTERACTIONS":
        return problem
    return _find_lack_of_interactions(file, import_mode)


def _find_header_problem(file: FileSample, dataset_type: str) -> str | None:
    """Explain what's wrong with the header of a file, or return None."""
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
    """Explain what's wrong with the rows of a file, or return None.

    Only reserved columns can contain a wrong value, because we derive the types of all other
    columns from their values.
    """
    reserved_fields = [
        _build_reserved_field(dataset_type, name) for name in file.header if name in RESERVED_TYPES
    ]
    value_error = find_first_value_error(file, reserved_fields, datetime.now(UTC))
    if value_error:
        return value_error

    if not file.rows and not file.error:
        return "has no rows below its header; repeat the export"
    return file.error


def _find_lack_of_interactions(file: FileSample, import_mode: str) -> str | None:
    """Explain why one of the two exports would have too few interactions, or return None.

    In an INCREMENTAL import, the newer export is the smaller one, because it contains only the rows
    that aren't in the older export.
    """
    percent = OLDER_PERCENT
    reason = f"the first version is trained on the older {percent}%"
    if import_mode == "INCREMENTAL":
        percent = 100 - OLDER_PERCENT
        reason = f"an INCREMENTAL import gets the newer {percent}%"

    min_count = MIN_INTERACTIONS * 100 // percent
    if len(file.rows) >= min_count:
        return None
    return (
        f"has {len(file.rows)} interactions; export at least {min_count}, because {reason}, and "
        f"Personalize needs {MIN_INTERACTIONS}"
    )


def _select_older_rows(export: bytes) -> bytes:
    """Return the header and the oldest rows of a file, or all rows if there's no TIMESTAMP."""
    records = read_records(export)
    if "TIMESTAMP" not in records[0]:
        return export

    header, *lines = split_lines(export)
    times = [int(record["TIMESTAMP"]) for record in records]
    older_count = len(times) * OLDER_PERCENT // 100
    last_older_time = sorted(times)[older_count - 1]

    older_lines = [line for line, time in zip(lines, times, strict=True) if time <= last_older_time]
    return b"".join([header, *older_lines])


def _build_schema(dataset_type: str, file: FileSample) -> str:
    """Derive an Avro schema from a file's header and values, and serialize it as JSON."""
    fields: list[SchemaField] = []
    for name in file.header:
        if name in RESERVED_TYPES:
            fields.append(_build_reserved_field(dataset_type, name))
        else:
            fields.append(_build_custom_field(dataset_type, name, file.value_counts[name]))

    schema = {
        "type": "record",
        "name": dataset_type.title().replace("_", ""),
        "namespace": "com.amazonaws.personalize.schema",
        "fields": fields,
        "version": "1.0",
    }
    return json.dumps(schema)


def _build_reserved_field(dataset_type: str, name: str) -> SchemaField:
    """Build the schema field of a reserved column, whose type Personalize prescribes."""
    # EVENT_TYPE is optional in interactions, but required in action interactions.
    if name == "EVENT_TYPE" and name in REQUIRED_FIELDS[dataset_type]:
        return {"name": name, "type": "string"}
    return {"name": name, "type": RESERVED_TYPES[name]}


def _build_custom_field(dataset_type: str, name: str, values: Collection[str]) -> SchemaField:
    """Build the schema field of a custom column, with the narrowest type that fits its values."""
    avro_type = _find_narrowest_type([value for value in values if value])
    field: SchemaField = {"name": name, "type": avro_type}
    if "" in values:
        field["type"] = ["null", avro_type]

    # Only a textual field may contain longer strings, and only items can have textual fields.
    is_long_text = avro_type == "string" and max(map(len, values)) > MAX_TEXT_LENGTH
    if dataset_type == "ITEMS" and is_long_text:
        field["textual"] = True
    return field


def _find_narrowest_type(values: Sequence[str]) -> str:
    """Find the narrowest Avro type that fits all values: long, float or string."""
    for avro_type in ("long", "float"):
        field: SchemaField = {"name": "", "type": avro_type}
        find_error = partial(find_value_error, field=field, now=datetime.now(UTC))
        if values and not any(map(find_error, values)):
            return avro_type

    return "string"


def split_lines(export: bytes) -> list[bytes]:
    """Split a CSV file into its header and rows, each with its line break, and drop empty lines.

    If the last line has no line break, add one, so that callers can rearrange the lines.
    """
    if not export.endswith((b"\r", b"\n")):
        export += b"\n"
    return [line for line in export.splitlines(keepends=True) if line.strip(b"\r\n")]


def read_records(export: bytes) -> list[dict[str, str]]:
    """Parse a CSV file into a list of rows, each of which maps column names to values."""
    file = _parse(export)
    return [dict(zip(file.header, row.values, strict=True)) for row in file.rows]


def _parse(export: bytes) -> FileSample:
    """Parse a CSV file with all of its rows."""
    return parse_sample("", export, is_whole_file=True, max_rows=None)


def to_csv(header: Iterable[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Serialize a header and rows as a CSV file in UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", doublequote=False, escapechar="\\")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def damage_export(damage: Damage, interactions: bytes) -> bytes:
    """Return the interactions as a broken export job would have written them."""
    header, *lines = split_lines(interactions)

    match damage:
        case "truncated":
            remaining_count = len(lines) * TRUNCATED_PERCENT // 100
            return b"".join([header, *lines[:remaining_count]])
        case "renamed":
            return b"".join([header.replace(b"USER_ID", b"userId", 1), *lines])
        case "shuffled":
            return _shuffle_items(interactions)
        case "none":
            return interactions


def _shuffle_items(interactions: bytes) -> bytes:
    """Assign the items to users at random, but always with the same result."""
    records = read_records(interactions)
    item_ids = [record["ITEM_ID"] for record in records]
    random.Random(1).shuffle(item_ids)  # noqa: S311  # This isn't cryptography.

    for record, item_id in zip(records, item_ids, strict=True):
        record["ITEM_ID"] = item_id
    return to_csv(records[0], [list(record.values()) for record in records])
