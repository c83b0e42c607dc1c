"""Reads CSV files of the user as the data of a rehearsal: `<key>.csv` for each dataset.

The newer export is the file itself, byte for byte. The older export, on which the first solution
version is trained, has the older 80% of the rows by TIMESTAMP, each of them byte for byte. Exports
without a TIMESTAMP never change. The schema is derived from the header and the cells.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from emulator.personalize.tables import (
    MIN_INTERACTIONS,
    MIN_INTERACTIONS_PER_USER,
    MIN_USERS,
    REQUIRED_FIELDS,
)
from functions.planning.export_values import MAX_LENGTH
from retrain.rehearsal.data.csv_checks import file_problems, is_number, is_whole, row_problems
from retrain.rehearsal.data.csv_files import parse, read_rows
from retrain.rehearsal.data.data_sets import TYPES, avro_schema
from retrain.rehearsal.errors import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

OLDER_SHARE = 0.8
"""The share of the interactions on which the first solution version is trained."""
MAX_PROBLEMS = 5
"""The number of problems of a file that are shown."""
RESERVED_TYPES: Mapping[str, str | list[str]] = {
    "USER_ID": "string",
    "ITEM_ID": "string",
    "ACTION_ID": "string",
    "TIMESTAMP": "long",
    "CREATION_TIMESTAMP": ["null", "long"],
    "EVENT_VALUE": ["null", "float"],
    "RECOMMENDATION_ID": ["null", "string"],
    "IMPRESSION": ["null", "string"],
}
"""The columns that Personalize knows, and their types (guide: "Creating schema JSON files")."""
TITLE_COLUMNS = ("TITLE", "NAME")
"""Columns of items.csv that may contain the title, in order of preference."""
GENRE_COLUMNS = ("GENRES", "GENRE", "CATEGORIES", "CATEGORY", "CATEGORY_L1")
"""Columns of items.csv that may contain the genres, in order of preference."""


class Table(NamedTuple):
    """The rows of a CSV file."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        index = self.header.index(name)
        return [row[index] for row in self.rows]


@dataclass(frozen=True)
class CustomFile:
    """A CSV file of the user that Personalize can import."""

    dataset_type: str
    content: bytes

    @cached_property
    def table(self) -> Table:
        """The cells of the file."""
        header, *rows = read_rows(self.content)
        return Table(header, rows)

    def fields(self) -> list[dict[str, object]]:
        """Return the fields of an Avro schema that fits the header and all cells."""
        return [
            _avro_field(self.dataset_type, name, self.table.column(name))
            for name in self.table.header
        ]

    def older(self) -> bytes:
        """Return the oldest OLDER_SHARE of the rows, or all rows if they have no TIMESTAMP."""
        if "TIMESTAMP" not in self.table.header:
            return self.content
        export = parse(self.content)
        older = set(self.older_rows())
        return export.with_rows(row for number, row in enumerate(export.rows) if number in older)

    def older_rows(self) -> list[int]:
        """Return the positions of the oldest OLDER_SHARE of the rows by TIMESTAMP."""
        times = [int(text) for text in self.table.column("TIMESTAMP")]
        oldest_first = sorted(range(len(times)), key=times.__getitem__)
        return oldest_first[: int(len(times) * OLDER_SHARE)]


@dataclass(frozen=True)
class CustomData:
    """The files by dataset type, as a DataSet."""

    files: Mapping[str, CustomFile]
    parts: int = 1
    """An export is one file, so that its bytes are those of the user's file."""

    def schema(self, dataset_type: str) -> str:
        """Return an Avro schema in JSON that fits the header and all cells."""
        return avro_schema(dataset_type, self.files[dataset_type].fields())

    def older(self, dataset_type: str) -> bytes:
        """Return the oldest OLDER_SHARE of the rows, or all rows if they have no TIMESTAMP."""
        return self.files[dataset_type].older()

    def newer(self, dataset_type: str) -> bytes:
        """Return the user's file."""
        return self.files[dataset_type].content

    def titles(self) -> Mapping[str, str]:
        """Return the titles of the items by id, if a column contains them."""
        return self._item_column(TITLE_COLUMNS)

    def genres(self) -> Mapping[str, str]:
        """Return the genres of the items by id, if a column contains them."""
        return self._item_column(GENRE_COLUMNS)

    def _item_column(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the cells of a column of items.csv by item id.

        The column is the first of `names` that the file has. If it has none of them, or if there
        is no such file, return an empty mapping.
        """
        items = self.files["ITEMS"].table if "ITEMS" in self.files else Table(["ITEM_ID"], [])
        for name in names:
            if name in items.header:
                return dict(zip(items.column("ITEM_ID"), items.column(name), strict=True))
        return {}


def read_custom_data(directory: Path, import_modes: Mapping[str, str]) -> CustomData:
    """Read `<key>.csv` for each key of the setting `datasets`.

    `import_modes` has the import mode of each key. Interactions are read even if they are not among
    the keys, because Personalize cannot train without them. Raises RehearsalError with a message
    for each problem of each file. If a file has many problems, only the first ones are named.
    """
    files: dict[str, CustomFile] = {}
    problems: list[str] = []
    for key, mode in {"interactions": "FULL", **import_modes}.items():
        path = directory / f"{key}.csv"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            problems.append(f"{path}: does not exist; export the {key} to it")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            problems.append(f"{path}: cannot be read: {reason}")
        else:
            files[TYPES[key]] = CustomFile(TYPES[key], content)
            problems += _shortened(path, _problems(files[TYPES[key]], mode))
    if problems:
        raise RehearsalError("\n".join(problems))
    return CustomData(files)


def _shortened(path: Path, problems: Iterator[str]) -> Iterator[str]:
    """Yield the first MAX_PROBLEMS problems of a file, and the number of the others."""
    others = 0
    for number, problem in enumerate(problems):
        if number < MAX_PROBLEMS:
            yield f"{path}: {problem}"
        else:
            others += 1
    if others:
        yield f"{path}: and {others} more"


def _problems(file: CustomFile, import_mode: str) -> Iterator[str]:
    """Yield each problem for which Personalize could not import a file, or not train on it."""
    required = REQUIRED_FIELDS[file.dataset_type]
    problems = list(file_problems(file.content, required))
    if not problems:
        problems = list(row_problems(file.content, _known_types(file.dataset_type)))
    if not problems and file.dataset_type == "INTERACTIONS":
        problems = list(_interactions_problems(file, import_mode))
    yield from problems


def _interactions_problems(file: CustomFile, import_mode: str) -> Iterator[str]:
    """Yield a problem if there are too few interactions or users to train the first version."""
    total = len(file.table.rows)
    older = file.older_rows()
    if len(older) < MIN_INTERACTIONS:
        yield (
            f"has {total} interactions; export at least {MIN_INTERACTIONS / OLDER_SHARE:.0f}, "
            f"because the first version is trained on the older {OLDER_SHARE:.0%}, and Personalize "
            f"needs {MIN_INTERACTIONS} to train"
        )
    elif import_mode == "INCREMENTAL" and total - len(older) < MIN_INTERACTIONS:
        yield (
            f"has {total} interactions; export at least "
            f"{MIN_INTERACTIONS / (1 - OLDER_SHARE):.0f}, because an INCREMENTAL import of the "
            f"newer {1 - OLDER_SHARE:.0%} needs {MIN_INTERACTIONS}"
        )
    users = file.table.column("USER_ID")
    interactions_by_user = Counter(users[position] for position in older)
    returning = sum(number >= MIN_INTERACTIONS_PER_USER for number in interactions_by_user.values())
    if returning < MIN_USERS:
        yield (
            f"has {returning} users with {MIN_INTERACTIONS_PER_USER} or more interactions among "
            f"the older {OLDER_SHARE:.0%}; export at least {MIN_USERS}, which Personalize needs to "
            "train"
        )


def _known_types(dataset_type: str) -> Mapping[str, str | list[str]]:
    """Return the columns of a dataset that Personalize knows, and their types."""
    is_required = "EVENT_TYPE" in REQUIRED_FIELDS[dataset_type]
    return {**RESERVED_TYPES, "EVENT_TYPE": "string" if is_required else ["null", "string"]}


def _avro_field(dataset_type: str, name: str, cells: Sequence[str]) -> dict[str, object]:
    """Return the field of an Avro schema for a column with these cells."""
    known_types = _known_types(dataset_type)
    if name in known_types:
        return {"name": name, "type": known_types[name]}
    avro_type = _narrowest_type(cells)
    field: dict[str, object] = {
        "name": name,
        "type": ["null", avro_type] if "" in cells else avro_type,
    }
    is_long_text = max(map(len, cells), default=0) > MAX_LENGTH
    if dataset_type == "ITEMS" and avro_type == "string" and is_long_text:
        field["textual"] = True
    return field


def _narrowest_type(cells: Sequence[str]) -> str:
    """Return the narrowest Avro type that fits the cells of a column. An empty cell is null."""
    values = [cell for cell in cells if cell]
    if values and all(map(is_whole, values)):
        return "long"
    if values and all(map(is_number, values)):
        return "float"
    return "string"
