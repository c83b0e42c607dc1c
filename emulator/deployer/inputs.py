"""Checks the inputs that a program declares, and adds the inputs that the provider decides."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from emulator.deployer.errors import InputRefusedError
from emulator.deployer.translation import to_api
from emulator.deployer.wire import UNKNOWN, Properties, contains_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator.deployer.rows import Row

DEFAULTS = "__defaults"
"""The internal input that lists the inputs that the provider has filled in. Pulumi's providers have
it too: https://github.com/pulumi/pulumi-terraform-bridge/blob/main/pkg/tfbridge/schema.go"""
ALL_TAGS = "tagsAll"
"""The input that holds the tags of the resource and the provider's default tags."""


class ProviderContext(NamedTuple):
    """The settings of the provider that are inputs of each resource."""

    region: str
    default_tags: Mapping[str, str]


class CheckedInputs(NamedTuple):
    """The complete inputs of a resource, and an error for each value that AWS would refuse."""

    inputs: Properties
    failures: list[InputRefusedError]


def check_inputs(
    row: Row,
    declared: Mapping[str, object],
    context: ProviderContext,
    *,
    logical_name: str,
    seed: bytes,
    old_inputs: Mapping[str, object],
) -> CheckedInputs:
    """Return the inputs that a program declares, completed, with an error for each refused value.

    The defaults of the type are added, and the region and the tags of the provider. If the program
    leaves the physical name out, it is the logical name and 7 digits that depend on `seed`. A
    resource that has an automatic name in `old_inputs` keeps it.
    """
    added_later = {ALL_TAGS, "region"} if row.regional else {ALL_TAGS}
    inputs = {
        name: _document_text(value) if name in row.documents.split() else value
        for name, value in without_internal(declared).items()
        if name not in added_later
    }
    filled_in = {name: value for name, value in row.defaults.items() if name not in inputs}
    if row.name_pattern and row.name_input not in inputs:
        was_automatic = row.name_input in cast("list[str]", old_inputs.get(DEFAULTS, []))
        new_name = f"{logical_name}-{hashlib.sha256(seed).hexdigest()[:7]}"
        filled_in[row.name_input] = old_inputs[row.name_input] if was_automatic else new_name
    inputs |= filled_in
    failures = list(_refused_inputs(row, inputs))

    if "tags" in row.fields:
        inputs[ALL_TAGS] = _all_tags(inputs.get("tags", {}), context.default_tags)
    if row.regional:
        inputs["region"] = declared.get("region", context.region)
    inputs[DEFAULTS] = sorted(filled_in)
    return CheckedInputs(inputs, failures)


def without_internal(inputs: Mapping[str, object]) -> Properties:
    """Return the inputs without the internal ones, whose names begin with two underscores."""
    return {name: value for name, value in inputs.items() if not name.startswith("__")}


def _refused_inputs(row: Row, inputs: Mapping[str, object]) -> Iterator[InputRefusedError]:
    """Yield an error for each input that AWS would refuse."""
    for name, value in inputs.items():
        try:
            _check_input(row, name, value)
        except InputRefusedError as error:
            yield error


def _check_input(row: Row, name: str, value: object) -> None:
    """Raise InputRefusedError if AWS or the emulator would refuse an input."""
    if name not in row.fields:
        raise InputRefusedError(name, "unknown or not supported")
    if value == UNKNOWN or row.is_unset(name, value):
        return
    to_api(value, row.fields[name].shape, name, row.api_names)
    if name in row.checks:
        row.checks[name](value)
    if row.name_pattern and name == row.name_input:
        text = str(value)
        if row.longest_name and len(text) > row.longest_name:
            reason = f"{len(text)} characters is more than AWS allows, {row.longest_name}"
            raise InputRefusedError(name, reason)
        if not re.fullmatch(row.name_pattern, text):
            reason = f"{value!r} does not match AWS's pattern {row.name_pattern}"
            raise InputRefusedError(name, reason)


def _document_text(document: object) -> object:
    """Return a JSON document as text, because the outputs of a resource have it as text."""
    if contains_unknown(document):
        return UNKNOWN
    return document if isinstance(document, str) else json.dumps(document, sort_keys=True)


def _all_tags(tags: object, default_tags: Mapping[str, str]) -> object:
    """Return the default tags and the tags of the resource, which win.

    If one tag is not known yet, the result is UNKNOWN:
    https://github.com/pulumi/pulumi-aws/blob/master/provider/tags.go
    """
    if not isinstance(tags, Mapping) or contains_unknown(tags):
        return UNKNOWN
    return {**default_tags, **tags}
