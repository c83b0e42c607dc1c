"""Compares the old and the new inputs of a resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, cast

from emulator.deployer.inputs import DEFAULTS
from emulator.deployer.translation import is_document, parsed

if TYPE_CHECKING:
    from emulator.deployer.rows import Row

Kind: TypeAlias = Literal["ADD", "DELETE", "UPDATE"]


class Detail(NamedTuple):
    """One value that differs."""

    path: str
    """Pulumi's path of the property, for example `tags.team` or `alarmActions[0]`."""
    kind: Kind


class Difference(NamedTuple):
    """What an update would change."""

    changed: frozenset[str]
    """The inputs that were added, removed or given another value."""
    replacing: frozenset[str]
    """The changed inputs that need a new resource."""
    delete_first: bool
    """True if the old resource must be gone before the new one can be created."""
    details: list[Detail]


def difference(row: Row, old: Mapping[str, object], new: Mapping[str, object]) -> Difference:
    """Compare two sets of checked inputs.

    A resource that the program has named is deleted before its replacement is created, because two
    resources cannot have one name. This is how Pulumi's own provider does it:
    pulumi-terraform-bridge, pkg/tfbridge/schema.go, nameRequiresDeleteBeforeReplace.
    """
    names = {name for name in {*old, *new} if not name.startswith("__")}
    changed = {name for name in names if _differs(row, name, old.get(name), new.get(name))}
    replacing = changed & {*row.replaces, "region"}
    automatic = row.name is None or row.name_input in cast("list[str]", new.get(DEFAULTS, []))
    return Difference(
        frozenset(changed),
        frozenset(replacing),
        bool(replacing) and not automatic,
        [
            detail
            for name in sorted(changed)
            for detail in _details(name, old.get(name), new.get(name))
        ],
    )


def _differs(row: Row, name: str, old: object, new: object) -> bool:
    if is_document(row.shape, name):
        return parsed(old) != parsed(new)
    return old != new


def _details(path: str, old: object, new: object) -> Iterator[Detail]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                step = f".{key}" if key.isidentifier() else f'["{key}"]'
                yield from _details(path + step, old.get(key), new.get(key))
    elif old is None:
        yield Detail(path, "ADD")
    elif new is None:
        yield Detail(path, "DELETE")
    else:
        yield Detail(path, "UPDATE")
