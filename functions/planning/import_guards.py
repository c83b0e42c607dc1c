"""Checks the datasets against the imports that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rules.imports import learned, refusal_to_append
from .earlier_exports import imports_of_location
from .guards import guard
from .planned_imports import imports_are_requested

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .situation import Situation


@guard("first import", "REFUSE", "dataset")
def incremental_without_full(situation: Situation) -> Iterator[str]:
    """Yield a message for an INCREMENTAL import of a dataset that has no ACTIVE FULL import."""
    dataset = situation.dataset
    has_full = any(job.is_active and job.is_full for job in situation.imports)
    if dataset["importMode"] == "INCREMENTAL" and not has_full:
        yield (
            f"importMode INCREMENTAL needs an ACTIVE FULL import of {dataset['datasetArn']} "
            "before; import a complete export once with importMode FULL, which replaces all "
            "bulk data"
        )


@guard("replaced data", "REFUSE", "export")
def replaced_data(situation: Situation) -> Iterator[str]:
    """Yield a message for an INCREMENTAL export if a foreign import has replaced the data."""
    if situation.dataset["importMode"] == "INCREMENTAL" and not imports_are_requested(situation):
        reason = refusal_to_append(situation.imports)
        if reason is not None:
            yield reason


@guard("skipped days", "WARN", "dataset")
def skipped_days(situation: Situation) -> Iterator[str]:
    """Yield a message for earlier days of an INCREMENTAL export that the dataset does not hold."""
    day, data = str(situation.dataset["day"]), learned(situation.imports)
    never, changed = [], []
    found = situation.world.earlier_exports.get(situation.dataset["datasetArn"], {})
    for earlier in found:
        location = situation.dataset["dataLocation"].replace(day, earlier)
        jobs = imports_of_location(data, location)
        if not jobs:
            never.append(earlier)
        elif not any(job.is_held for job in jobs):
            changed.append(earlier)
    command = f"retrain start --dataset {situation.dataset['type']} --export-date"
    if never:
        yield (
            f"the exports of these days were never imported: {', '.join(never)}; append each with "
            f"{command} {never[0]}, or import a complete export with importMode FULL"
        )
    if changed:
        yield (
            f"the exports of these days changed while they were imported: {', '.join(changed)}; "
            f"import each again with {command} {changed[0]}, or import a complete export with "
            "importMode FULL"
        )
