"""Checks that the files of an export exist and that Personalize can import them.

Sources:
https://docs.aws.amazon.com/personalize/latest/dg/how-it-works-dataset-schema.html and
https://docs.aws.amazon.com/personalize/latest/dg/limits.html.
"""

from collections.abc import Iterator
from itertools import islice

from ..s3.csv_files import MAX_SHOWN_CHARACTERS, FileSample
from .datasets import DatasetView
from .export_values import find_first_value_error, find_value_error
from .guards import guard

MAX_REPORTED_FILES = 3
"""The maximum number of files with problems that the messages about an export name."""
MAX_SHOWN_HEADER_LENGTH = 200
"""The maximum length of a header in a message. If a file isn't CSV, its first line may be very
long."""
MIN_INTERACTIONS = 1000
"""The fewest rows that Personalize accepts in an import of interactions."""


@guard("export", "REFUSE", "export")
def refuse_missing_export(view: DatasetView) -> Iterator[str]:
    """Yield a message for a location that cannot be read, has no rows, or has an empty file.

    Files in subfolders are rejected as well. Personalize doesn't import them, although they were
    most likely meant to be imported.
    """
    export = view.export
    empty_keys = [file.key for file in export.objects if file.size == 0]

    if export.read_error:
        yield (
            f"{export.read_error}; check that it exists and that the role of plan-retraining "
            "may list and read it"
        )
    elif subfolder_keys := export.subfolder_keys:
        yield (
            f"{len(subfolder_keys)} of {len(export.objects)} objects at {export.location} are in "
            f"subfolders, for example {subfolder_keys[0]}; Personalize imports only the first "
            "level of a folder; move them there or out of this location, or set dataLocation to "
            "the subfolder"
        )
    elif not export.objects:
        yield (
            f"there is no object at {export.location}; check dataLocation and the job that "
            "writes the export"
        )
    elif empty_keys:
        yield (
            f"{len(empty_keys)} of {len(export.objects)} objects at {export.location} are empty, "
            f"for example {empty_keys[0]}; if one is a marker, write it outside of this location, "
            "otherwise repeat the export"
        )
    elif not export.has_rows:
        yield f"{export.location} has no rows; repeat the export"


@guard("content", "REFUSE", "export")
def refuse_wrong_content(view: DatasetView) -> Iterator[str]:
    """Yield a message for a file that is not valid CSV or does not fit the dataset's schema.

    Only the header and the first 1,000 rows of each file are checked. Of each file, only the first
    problem is reported.
    """
    yield from islice(_check_files(view), MAX_REPORTED_FILES)


def _check_files(view: DatasetView) -> Iterator[str]:
    """Yield the first problem of each file that has one."""
    for file in view.export.samples:
        error = _find_file_error(file, view)
        if error:
            yield f"{view.export.build_url(file.key)}: {error}"


def _find_file_error(file: FileSample, view: DatasetView) -> str | None:
    """Explain the first problem of a file's header or rows, or return None."""
    if file.error and not file.header:
        return file.error  # Nothing else of the file could be read.

    # `file.error` is about the line that follows the sampled rows, so it comes last.
    return (
        _find_missing_columns(file, view)
        or _find_differing_column(file, view)
        or find_first_value_error(file, view.fields, view.data_snapshot.now)
        or file.error
    )


def _find_missing_columns(file: FileSample, view: DatasetView) -> str | None:
    """Explain which required columns a file lacks, or return None. Their order doesn't matter."""
    # A column is required if it mustn't have empty values.
    required_columns = [
        field["name"]
        for field in view.fields
        if find_value_error("", field, view.data_snapshot.now)
    ]
    missing_columns = [name for name in required_columns if name not in file.header]
    if not missing_columns:
        return None

    shown_header = ",".join(file.header)[:MAX_SHOWN_HEADER_LENGTH]
    return (
        f"the header lacks {', '.join(missing_columns)}, which the dataset's schema requires; the "
        f"header is {shown_header!r}; add or rename columns in the export"
    )


def _find_differing_column(file: FileSample, view: DatasetView) -> str | None:
    """Explain that a file and the first one with a header differ in a column, or return None."""
    readable_files = (sample for sample in view.export.samples if sample.header)
    first_file = next(readable_files, file)
    differing_columns = sorted(set(file.header) ^ set(first_file.header))
    if not differing_columns:
        return None

    return (
        f"only one of this file and {first_file.key} has the column "
        f"{differing_columns[0][:MAX_SHOWN_CHARACTERS]!r}, but all files of an import must "
        "have the same columns; repeat the export"
    )


@guard("number of rows", "REFUSE", "export")
def refuse_too_few_rows(view: DatasetView) -> Iterator[str]:
    """Yield a message for an export with fewer interactions than the 1,000 that an import needs.

    FULL exports of action interactions aren't checked, nor are FULL exports of interactions if the
    dataset also receives streamed events.
    """
    dataset = view.dataset_settings
    is_streamed = dataset["streamed"] or view.data_snapshot.event_tracker_arns

    if view.is_full:
        needs_minimum = dataset["type"] == "interactions" and not is_streamed
        advice = "export all interactions, because a FULL import replaces all bulk data"
    else:
        needs_minimum = dataset["type"] in ("interactions", "actionInteractions")
        advice = (
            "import less often, or use importMode FULL with a complete export, because it "
            "replaces all bulk data"
        )

    row_count = view.export.row_count
    # If there are no rows at all, refuse_missing_export() says so.
    if needs_minimum and row_count and row_count < MIN_INTERACTIONS:
        yield (
            f"{view.export.location} has {row_count} interactions, but an import needs at least "
            f"{MIN_INTERACTIONS}; {advice}"
        )


@guard("unknown columns", "WARN", "export")
def warn_of_unknown_columns(view: DatasetView) -> Iterator[str]:
    """Yield a message for columns that are not imported because the schema lacks them."""
    export = view.export
    if not view.columns:
        return  # Without a schema, every column would count as unknown.

    # Files share columns, but each column is named only once.
    file_columns = dict.fromkeys(name for file in export.samples for name in file.header)
    unknown_columns = [name for name in file_columns if name not in view.columns]
    if unknown_columns:
        shown_columns = ", ".join(repr(name[:MAX_SHOWN_CHARACTERS]) for name in unknown_columns)
        yield (
            f"{export.location} has columns that the dataset's schema lacks: {shown_columns}; "
            "they are not imported; remove them, or rename them if a name is misspelt"
        )
