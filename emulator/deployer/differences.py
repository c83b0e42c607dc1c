"""Compares the old and the new inputs of a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from emulator.deployer.inputs import DEFAULTS, without_internal
from emulator.deployer.translation import parse_document
from emulator.deployer.wire import is_archive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.rows import Row


class Difference(NamedTuple):
    """The changes that an update would make."""

    changed: frozenset[str]
    """The inputs that were added, removed or given another value."""
    replacing: frozenset[str]
    """The changed inputs that need a new resource."""
    delete_first: bool
    """True if the old resource must be deleted before the new one can be created."""


def difference(row: Row, old: Mapping[str, object], new: Mapping[str, object]) -> Difference:
    """Return the changes between two sets of checked inputs.

    A resource that the program has named is deleted before its replacement is created, because two
    resources cannot have one name. Pulumi's own provider does the same: pulumi-terraform-bridge,
    pkg/tfbridge/schema.go, nameRequiresDeleteBeforeReplace.
    """
    names = without_internal({**old, **new})
    changed = frozenset(
        name for name in names if not is_same(row, name, old.get(name), new.get(name))
    )
    replacing = changed & {*row.replacing.split(), "region"}
    filled_in = cast("list[str]", new.get(DEFAULTS, []))
    has_fixed_name = bool(row.name_pattern) and row.name_input not in filled_in
    return Difference(changed, replacing, bool(replacing) and has_fixed_name)


def is_same(row: Row, name: str, old: object, new: object) -> bool:
    """Return True if two values of an input are equal.

    JSON documents have equal contents then, and archives have equal hashes.
    """
    if name in row.documents.split():
        return parse_document(old) == parse_document(new)
    if is_archive(old) and is_archive(new):
        return old["hash"] == new["hash"]
    return old == new
