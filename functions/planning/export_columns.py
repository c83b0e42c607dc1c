"""Checks the columns of an export. Each guard yields messages.

The rules are a table from a name to a check. Source:
https://docs.aws.amazon.com/personalize/latest/dg/how-it-works-dataset-schema.html.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from ..csv_files import SHOWN_CHARACTERS, SHOWN_FILES, printable
from .export_values import is_nullable
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..csv_files import FileSample
    from .situation import Situation
    from .world import SchemaField

MAX_HEADER_LENGTH = 200
"""A message shows this number of characters of a header. The first line of a file that is not CSV
may be very long."""


@guard("header", "REFUSE", "export")
def wrong_columns(situation: Situation) -> Iterator[str]:
    """Yield a message for a file whose header lacks a required field of the schema.

    The order of the columns does not matter. All files must have the same columns.
    """
    files = [file for file in situation.export.samples if not file.error]
    messages = (
        f"{situation.export.url(file.key)}: {message}"
        for file in files
        if (message := _wrong_columns(file, files, situation.fields))
    )
    yield from islice(messages, SHOWN_FILES)


@guard("unknown columns", "WARN", "export")
def unknown_columns(situation: Situation) -> Iterator[str]:
    """Yield a message for columns that are not imported, because the schema lacks them."""
    export = situation.export
    schema_columns = {field["name"] for field in situation.fields}
    columns = dict.fromkeys(name for file in export.samples for name in file.header)
    unknown = [printable(name[:SHOWN_CHARACTERS]) for name in columns if name not in schema_columns]
    if unknown and schema_columns:
        yield (
            f"{export.location} has columns that the dataset's schema lacks: {', '.join(unknown)}; "
            "they are not imported; remove them, or rename them if a name is misspelt"
        )


@guard("order of columns", "WARN", "export")
def order_of_columns(situation: Situation) -> Iterator[str]:
    """Yield a message for a file whose columns are in another order than in the schema.

    The guide asks for this order. It is not known whether another order is a problem:
    https://docs.aws.amazon.com/personalize/latest/dg/how-it-works-dataset-schema.html.
    """
    names = [field["name"] for field in situation.fields]
    for file in situation.export.samples:
        in_file = [name for name in file.header if name in names]
        in_schema = [name for name in names if name in file.header]
        if in_file != in_schema:
            yield (
                f"{situation.export.url(file.key)}: the columns are in another order than in the "
                f"dataset's schema, which has {', '.join(in_schema)}; if values arrive in wrong "
                "columns, write them in this order"
            )
            return


def _wrong_columns(
    file: FileSample, files: Sequence[FileSample], fields: Sequence[SchemaField]
) -> str | None:
    """Return the first message about the columns of a file, or None."""
    messages = (check(file, files, fields) for check in COLUMN_RULES.values())
    return next(filter(None, messages), None)


def _required_columns(
    file: FileSample, files: Sequence[FileSample], fields: Sequence[SchemaField]
) -> str | None:
    """Return a message if the header lacks a field that may not be null."""
    del files
    required = [field["name"] for field in fields if not is_nullable(field)]
    missing = [name for name in required if name not in file.header]
    if not missing:
        return None
    header = printable(", ".join(file.header)[:MAX_HEADER_LENGTH])
    return (
        f"the header lacks {', '.join(missing)}, which the dataset's schema requires; the header "
        f"is {header or 'empty'}; add or rename columns in the export"
    )


def _equal_columns(
    file: FileSample, files: Sequence[FileSample], fields: Sequence[SchemaField]
) -> str | None:
    """Return a message if the file has other columns than the first file."""
    del fields
    differing_columns = sorted(set(file.header) ^ set(files[0].header))
    if not differing_columns:
        return None
    column = printable(differing_columns[0][:SHOWN_CHARACTERS])
    return (
        f"this file and {files[0].key} do not both have the column {column}, but all files of an "
        "import must have the same columns; repeat the export"
    )


COLUMN_RULES: Mapping[
    str, Callable[[FileSample, Sequence[FileSample], Sequence[SchemaField]], str | None]
] = {
    "required columns": _required_columns,
    "equal columns": _equal_columns,
}
"""Name of a rule -> the check of a file's header."""
