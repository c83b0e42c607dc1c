"""Checks, completes and compares the inputs of a resource."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from emulator.deployer.errors import DeploymentError
from emulator.deployer.translation import parse_document, to_api
from emulator.deployer.wire import UNKNOWN, Properties, is_archive

if TYPE_CHECKING:
    from emulator.deployer.rows import Row

DEFAULTS = "__defaults"
"""The internal input that lists the inputs that the provider has filled in. Pulumi's providers have
it too: https://github.com/pulumi/pulumi-terraform-bridge/blob/main/pkg/tfbridge/schema.go"""
ALL_TAGS = "tagsAll"
"""The input that holds the tags of the resource and the provider's default tags."""


class CheckedInputs(NamedTuple):
    """The complete inputs of a resource, and a reason for each input that AWS would refuse."""

    inputs: Properties
    refused: dict[str, str]


class Difference(NamedTuple):
    """What an update would change in the inputs of a resource."""

    changed: frozenset[str]
    """The inputs that were added, removed or given another value."""
    replacing: frozenset[str]
    """The changed inputs that need a new resource."""
    delete_first: bool
    """True if the old resource must be deleted before the new one can be created."""


def check_inputs(
    row: Row,
    declared: Mapping[str, object],
    default_tags: Mapping[str, str],
    *,
    logical_name: str,
    seed: bytes,
    old_inputs: Mapping[str, object],
) -> CheckedInputs:
    """Complete the inputs that a program declares, and find the values that AWS would refuse.

    The defaults of the type are added, and the default tags of the provider. If the program leaves
    the physical name out, it gets an automatic one.
    """
    inputs = _normalize(row, declared)
    defaults = {**row.defaults}
    if row.name_pattern:
        defaults[row.name_input] = _choose_name(row, logical_name, seed, old_inputs)
    filled_in = sorted(defaults.keys() - inputs.keys())
    inputs = {**defaults, **inputs}

    refused = _find_refused(row, inputs)

    # The internal inputs come last, because AWS knows nothing of them.
    if "tags" in row.fields:
        inputs[ALL_TAGS] = _merge_tags(inputs.get("tags", {}), default_tags)
    inputs[DEFAULTS] = filled_in
    return CheckedInputs(inputs, refused)


def _normalize(row: Row, declared: Mapping[str, object]) -> Properties:
    """Keep what a program can declare, with its JSON documents as text."""
    inputs = drop_internal(declared)
    inputs.pop(ALL_TAGS, None)
    for name in inputs.keys() & {*row.documents.split()}:
        inputs[name] = _write_document(inputs[name])
    return inputs


def _choose_name(
    row: Row, logical_name: str, seed: bytes, old_inputs: Mapping[str, object]
) -> object:
    """Choose a physical name: the logical name, and 7 hexadecimal digits that depend on `seed`.

    A resource that has an automatic name keeps it, because a new name means a new resource.
    """
    if row.name_input in cast("list[str]", old_inputs.get(DEFAULTS, [])):
        return old_inputs[row.name_input]
    return f"{logical_name}-{hashlib.sha256(seed).hexdigest()[:7]}"


def _find_refused(row: Row, inputs: Properties) -> dict[str, str]:
    """Find the reason for each input that AWS would refuse."""
    refused = {}
    for name, value in inputs.items():
        try:
            _check_input(row, name, value)
        except DeploymentError as error:
            refused[name] = str(error)
    return refused


def drop_internal(inputs: Mapping[str, object]) -> Properties:
    """Drop the internal inputs, whose names begin with two underscores."""
    return {name: value for name, value in inputs.items() if not name.startswith("__")}


def compare_inputs(row: Row, old: Mapping[str, object], new: Mapping[str, object]) -> Difference:
    """Compare two sets of checked inputs.

    A resource that the program has named is deleted before its replacement is created, because two
    resources cannot have one name. Pulumi's own provider does the same: pulumi-terraform-bridge,
    pkg/tfbridge/schema.go, nameRequiresDeleteBeforeReplace.
    """
    changed = frozenset(
        name for name in (*row.fields, ALL_TAGS) if not _is_same(row, name, old, new)
    )
    replacing = changed & {*row.replacing.split()}
    filled_in = cast("list[str]", new.get(DEFAULTS, []))
    has_fixed_name = bool(row.name_pattern) and row.name_input not in filled_in
    return Difference(changed, replacing, bool(replacing) and has_fixed_name)


def _is_same(row: Row, name: str, old: Mapping[str, object], new: Mapping[str, object]) -> bool:
    """Compare an input: a JSON document by its content, and an archive by its hash."""
    before = old.get(name)
    after = new.get(name)
    if name in row.documents.split():
        return parse_document(before) == parse_document(after)
    if is_archive(before) and is_archive(after):
        return before["hash"] == after["hash"]
    return before == after


def _check_input(row: Row, name: str, value: object) -> None:
    """Raise DeploymentError if AWS or the emulator would refuse an input."""
    if name not in row.fields:
        raise DeploymentError(f"{name}: unknown or not supported")
    api_value = to_api(value, row.fields[name].shape, name, row.api_names)

    is_known_name = row.name_pattern and name == row.name_input and value != UNKNOWN
    if is_known_name and not re.fullmatch(row.name_pattern, str(api_value)):
        raise DeploymentError(f"{name}: {value!r} does not match AWS's pattern {row.name_pattern}")


def _write_document(document: object) -> str:
    """Write a JSON document as text, because the outputs of a resource have it as text."""
    text = document
    if not isinstance(text, str):
        text = json.dumps(document, sort_keys=True)

    if UNKNOWN in text:
        return UNKNOWN  # A document with an unknown part is unknown as a whole.
    return text


def _merge_tags(tags: object, default_tags: Mapping[str, str]) -> object:
    """Add the provider's default tags to those of the resource, which win."""
    if not isinstance(tags, Mapping):
        return UNKNOWN  # This is a preview, and the tags depend on another resource.
    return {**default_tags, **tags}
