"""Computes the fingerprint of an export, by which a run recognises an export that was imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..executions import short_hash

if TYPE_CHECKING:
    from ..exports import Export

FINGERPRINT_DIGITS = 32


def fingerprint_of(export: Export, import_mode: str, schema_arn: str) -> str:
    """Return a hash of the objects of an export, the import mode and the ARN of the schema.

    The same files imported in another mode, or with another schema, make other data.
    """
    return short_hash(f"{export.fingerprint} {import_mode} {schema_arn}", FINGERPRINT_DIGITS)
