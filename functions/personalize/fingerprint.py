"""Computes the fingerprint of an export, by which a run recognises an export that was imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..executions import short_hash
from ..rules import imports

if TYPE_CHECKING:
    from ..exports import Export

LOCATION_DIGITS = 8
CONTENT_DIGITS = 32


def seen_export(export: Export, import_mode: str, schema_arn: str) -> imports.Export:
    """Return an export as the rules see it.

    Its fingerprint is `<location>-<content>`, hashes of its location and of what it would import.
    The same files imported in another mode, or with another schema, make other data.
    """
    content = short_hash(f"{export.fingerprint} {import_mode} {schema_arn}", CONTENT_DIGITS)
    return imports.Export(
        fingerprint=f"{location_digits(export.location)}-{content}",
        newest_at=max((file.modified_at for file in export.objects), default=None),
    )


def location_digits(location: str) -> str:
    """Return the first part of the fingerprint of each export at a location."""
    return short_hash(location, LOCATION_DIGITS)
