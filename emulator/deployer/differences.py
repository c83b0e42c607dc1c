"""Compares the old and the new inputs of a resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, cast

from emulator.deployer.inputs import DEFAULTS, without_internal
from emulator.deployer.translation import is_document, parse_document

if TYPE_CHECKING:
    from emulator.deployer.rows import Row

Kind: TypeAlias = Literal["ADD", "DELETE", "UPDATE"]


class Detail(NamedTuple):
    """A value that differs between the old and the new inputs."""

    path: str
    """Pulumi's path of the property, for example `tags.team` or `target.input`."""
    kind: Kind


class Difference(NamedTuple):
    """The changes that an update would make."""

    changed: frozenset[str]
    """The inputs that were added, removed or given another value."""
    replacing: frozenset[str]
    """The changed inputs that need a new resource."""
    delete_first: bool
    """True if the old resource must be deleted before the new one can be created."""
    details: list[Detail]


def difference(row: Row, old: Mapping[str, object], new: Mapping[str, object]) -> Difference:
    """Return the changes between two sets of checked inputs.

    A resource that the program has named is deleted before its replacement is created, because two
    resources cannot have one name. Pulumi's own provider does the same: pulumi-terraform-bridge,
    pkg/tfbridge/schema.go, nameRequiresDeleteBeforeReplace.
    """
    names = sorted(without_internal({**old, **new}))
    changed = [name for name in names if _is_changed(row, name, old.get(name), new.get(name))]
    replacing = frozenset(changed) & {*row.replacing_inputs, "region"}
    filled_in = cast("list[str]", new.get(DEFAULTS, []))
    has_fixed_name = row.name_rule is not None and row.name_input not in filled_in
    return Difference(
        changed=frozenset(changed),
        replacing=replacing,
        delete_first=bool(replacing) and has_fixed_name,
        details=[
            detail for name in changed for detail in _details(name, old.get(name), new.get(name))
        ],
    )


def _is_changed(row: Row, name: str, old: object, new: object) -> bool:
    """Return True if an input differs. Two JSON documents differ if their contents differ."""
    if is_document(row.inputs, name):
        return parse_document(old) != parse_document(new)
    return old != new


def _details(path: str, old: object, new: object) -> Iterator[Detail]:
    """Yield the values that differ at a path or below it. None is a value that does not exist."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                key_path = f"{path}.{key}" if key.isidentifier() else f'{path}["{key}"]'
                yield from _details(key_path, old.get(key), new.get(key))
    elif old is None:
        yield Detail(path, "ADD")
    elif new is None:
        yield Detail(path, "DELETE")
    else:
        yield Detail(path, "UPDATE")
