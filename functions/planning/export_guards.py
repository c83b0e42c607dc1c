"""Checks an export against its ready marker and against earlier imports."""

from collections.abc import Iterator

from ..common.messages import Message, Reason
from ..rules.imports import (
    explain_needed_full_import,
    explain_refusal_to_append,
    find_import_watermark,
    find_unconfirmed_import,
    list_imports_from_location,
    list_unconfirmed_imports,
)
from .datasets import DatasetView
from .guards import guard

DATASETS_WITH_USERS = ("interactions", "users", "actionInteractions")
MAX_INCREMENTAL_BYTES = 10**9
"""The maximum size of an INCREMENTAL import:
https://docs.aws.amazon.com/personalize/latest/dg/limits.html."""


@guard("ready marker", "REFUSE", "export")
def refuse_export_before_marker(view: DatasetView) -> Iterator[Reason]:
    """Yield a message for a ready marker that is missing, or older than an object of the export."""
    export = view.export
    marker = view.dataset_settings["readyMarker"]
    if marker is None or export.read_error:
        return

    written_at = export.marker_written_at
    if written_at is None:
        yield Message(
            text=(
                f"the ready marker {marker} does not exist; write it when the export is complete, "
                "or train on the data that the dataset has"
            ),
            command="retrain start --skip-import",
        )
    elif late_keys := [file.key for file in export.objects if file.modified_at > written_at]:
        yield (
            f"{len(late_keys)} of {len(export.objects)} objects at {export.location} are newer "
            f"than the ready marker {marker}, for example {late_keys[0]}; write the marker "
            "after the last object of the export"
        )


@guard("deleted users", "REFUSE", "export")
def refuse_export_with_deleted_users(view: DatasetView) -> Iterator[Message]:
    """Yield a message for an export that is older than the last data deletion job.

    An import could bring the deleted users back. Any file may contain them, so a single older file
    is enough to refuse the export.
    """
    deletions = [job for job in view.data_snapshot.deletions if job.is_running or job.has_completed]
    if not deletions or view.dataset_settings["type"] not in DATASETS_WITH_USERS:
        return

    export = view.export
    deletion = max(deletions, key=lambda job: job.created_at)
    old_keys = [file.key for file in export.objects if file.modified_at < deletion.created_at]

    if old_keys:
        url = export.build_url(old_keys[0])
        yield Message(
            text=(
                f"{len(old_keys)} of {len(export.objects)} objects at {export.location} were "
                f"written before {deletion.arn} began, so an import could bring the deleted users "
                "back; write the export again without them, or, only if somebody has checked that "
                f"{url} has none of them, make it new"
            ),
            command=f"aws s3 cp {url} {url} --metadata-directive REPLACE",
        )


@guard("size", "REFUSE", "export")
def refuse_truncated_export(view: DatasetView) -> Iterator[str]:
    """Yield a message for a FULL export that is much smaller than the last FULL import.

    A FULL import replaces all bulk data, so importing a truncated export would lose data. An import
    of unknown size doesn't count: it's foreign, or somebody edited its tag.
    """
    if not view.is_full or view.has_export_date:
        return  # With `exportDate`, a person may want an earlier, smaller export.

    export = view.export
    import_sizes = [
        job.export_bytes
        for job in view.imports
        if job.is_active and job.is_full and job.export_bytes
    ]
    if not import_sizes or not export.objects:
        return

    # Imports are sorted by their end, latest first.
    last_import_bytes = import_sizes[0]
    min_share = view.dataset_settings["minRelativeSize"]
    if export.total_bytes < min_share * last_import_bytes:
        yield (
            f"{export.location} has {export.total_bytes} bytes, which is less than minRelativeSize "
            f"{min_share:g} of the last FULL import, which had {last_import_bytes}; a FULL import "
            "replaces all bulk data, so lower minRelativeSize for one run only if the data really "
            "shrank"
        )


@guard("first import", "REFUSE", "dataset")
def refuse_increment_without_full_import(view: DatasetView) -> Iterator[str]:
    """Yield a message for an INCREMENTAL import into a dataset without an ACTIVE FULL import."""
    has_full_import = any(job.is_active and job.is_full for job in view.imports)
    if not view.is_full and not has_full_import:
        yield (
            f"importMode INCREMENTAL needs an earlier ACTIVE FULL import of "
            f"{view.dataset_settings['datasetArn']}; import a complete export once with "
            "importMode FULL, which replaces all bulk data"
        )


@guard("replaced data", "REFUSE", "export")
def refuse_unsafe_append(view: DatasetView) -> Iterator[Reason]:
    """Yield a message for a partly appended export, or for data replaced by a foreign import.

    The missing rows of a partly appended export can't be appended separately.
    """
    refusal = explain_refusal_to_append(view.dataset_state, is_requested=view.is_import_requested)
    if refusal:
        yield refusal


@guard("unconfirmed data", "WARN", "dataset")
def warn_of_unconfirmed_data(view: DatasetView) -> Iterator[str]:
    """Yield a message for appended rows that no run has confirmed, so runs don't train on them.

    It's only a warning, so that runs still append the exports of other days. The FULL import that
    replaces the rows may come days later, and its export may lack those days.
    """
    if view.is_full:
        return  # The FULL import replaces the rows.
    if find_unconfirmed_import(view.dataset_state):
        return  # refuse_unsafe_append() says the same.

    # Unconfirmed imports are sorted by their end, latest last.
    unconfirmed_imports = list_unconfirmed_imports(view.imports)
    if unconfirmed_imports:
        yield explain_needed_full_import(unconfirmed_imports[-1])


@guard("rows to append", "REFUSE", "export")
def refuse_repeated_or_large_increment(view: DatasetView) -> Iterator[Reason]:
    """Yield a message for an INCREMENTAL export that was imported before or has more than 1 GB.

    If each day has its own location, the day's export is imported once. If all days share a
    location, objects that are older than the last import count as imported.
    """
    export = view.export
    if view.is_full or not export.objects:
        return

    if export.total_bytes > MAX_INCREMENTAL_BYTES:
        yield (
            f"{export.location} has {export.total_bytes} bytes; an INCREMENTAL import takes at "
            f"most {MAX_INCREMENTAL_BYTES}; export more often, or use importMode FULL with a "
            "complete export, because it replaces all bulk data"
        )

    if find_unconfirmed_import(view.dataset_state):
        return  # refuse_unsafe_append() already refuses the export.

    day = view.dataset_settings["day"]
    if day is None:
        yield from _check_for_appended_objects(view)
    elif not view.has_export_date:
        # With `exportDate`, a person appends the day's export on purpose.
        yield from _check_for_appended_day(view, day)


def _check_for_appended_objects(view: DatasetView) -> Iterator[Message]:
    """Yield a message if objects of the export were written before the last import began.

    Imports by this pipeline count only if they're confirmed, because the export of an unconfirmed
    import has to be imported again. Foreign imports count even while they're running, because they
    may succeed.
    """
    export = view.export
    import_times = [
        job.created_at
        for job in view.imports
        if job.is_confirmed or (job.is_foreign and (job.is_active or job.is_running))
    ]
    if not import_times:
        return

    last_import_at = max(import_times)
    old_keys = [file.key for file in export.objects if file.modified_at < last_import_at]
    if old_keys:
        yield Message(
            text=(
                f"{len(old_keys)} of {len(export.objects)} objects at {export.location} are older "
                f"than the last import, for example {old_keys[0]}, and would be appended again; "
                "write each export to a new location, for example "
                "'s3://bucket/interactions/{date}/', or train on the data that the dataset has"
            ),
            command="retrain start --skip-import",
        )


def _check_for_appended_day(view: DatasetView, day: str) -> Iterator[Message]:
    """Yield a message if the dataset already contains rows of the day's export."""
    reason = _explain_appended_day(view, day)
    if reason is None:
        return

    yield Message(
        text=(
            f"{view.export.location} {reason}, so its rows would be appended twice; write new "
            "rows to the location of a later day, or append this export on purpose"
        ),
        command=f"retrain start --dataset {view.dataset_settings['type']} --export-date {day}",
    )


def _explain_appended_day(view: DatasetView, day: str) -> str | None:
    """Explain why the dataset already contains rows of the day's export, or return None."""
    confirmed_imports = [
        job for job in list_imports_from_location(view.dataset_state) if job.is_confirmed
    ]
    if confirmed_imports:
        # Confirmed imports are sorted by their end, latest last.
        return f"was imported by {confirmed_imports[-1].arn}, and has changed since then"

    # Only a ready marker starts runs for old days, for example when somebody copies a bucket.
    watermark = find_import_watermark(view.imports)
    if view.run["trigger"] == "export" and day < watermark:
        return f"is from a day before {watermark}, and all earlier data is there already"
    return None


@guard("skipped days", "WARN", "dataset")
def warn_of_skipped_days(view: DatasetView) -> Iterator[Message]:
    """Yield a message for earlier days whose INCREMENTAL exports were never imported.

    Days whose import is running, or may have appended part of the export, aren't listed, because
    nobody should append those exports again.
    """
    dataset = view.dataset_settings
    skipped_days = view.data_snapshot.skipped_days.get(dataset["datasetArn"])

    # Days are sorted, earliest first.
    if skipped_days:
        yield Message(
            text=(
                f"no run has imported the exports of these days: {', '.join(skipped_days)}; import "
                "a complete export with importMode FULL, or append each whose rows are missing"
            ),
            command=f"retrain start --dataset {dataset['type']} --export-date {skipped_days[0]}",
        )
