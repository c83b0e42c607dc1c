"""Checks the inputs that a program declares, and fills in what the provider decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from emulator.deployer.errors import InputRefusedError
from emulator.deployer.naming import automatic_name
from emulator.deployer.translation import Request, is_document, translate
from emulator.deployer.wire import UNKNOWN, Properties, contains_unknown

if TYPE_CHECKING:
    from emulator.deployer.rows import Row

DEFAULTS = "__defaults"
"""The internal input that lists the inputs that the provider has filled in. Pulumi's providers have
it too: https://github.com/pulumi/pulumi-terraform-bridge/blob/main/pkg/tfbridge/schema.go"""
ALL_TAGS = "tagsAll"
"""The input that holds the tags of the resource and the provider's default tags."""


class Circumstances(NamedTuple):
    """What the provider knows besides the inputs of one resource."""

    region: str
    default_tags: Mapping[str, str]


class Checked(NamedTuple):
    """Complete inputs, and what is wrong with them."""

    inputs: Properties
    failures: list[InputRefusedError]


def check(
    row: Row,
    declared: Mapping[str, object],
    circumstances: Circumstances,
    *,
    name: str,
    digits: str,
    old: Mapping[str, object],
) -> Checked:
    """Return the complete inputs of a resource, and everything that AWS would refuse in them.

    `name` is the logical name. `digits` are the end of an automatic physical name. `old` are the
    inputs of the resource if it exists, because an automatic name stays as it is.
    """
    inputs = {key: value for key, value in declared.items() if not key.startswith("__")}
    inputs.pop(ALL_TAGS, None)
    region = inputs.pop("region", circumstances.region) if row.regional else None
    failures = []
    for key, value in inputs.items():
        if is_document(row.shape, key):
            inputs[key] = _text(value)
        try:
            translate({key: value}, row.shape)
        except InputRefusedError as error:
            failures.append(error)
    filled = {key: value for key, value in row.defaults.items() if key not in inputs}
    if row.name is not None and row.name_input not in inputs:
        kept = row.name_input in cast("list[str]", old.get(DEFAULTS, []))
        new = automatic_name(name, digits)
        filled[row.name_input] = old[row.name_input] if kept else new
    inputs |= filled
    if row.name is not None and inputs[row.name_input] != UNKNOWN:
        problem = row.name.problem(str(inputs[row.name_input]))
        failures += [InputRefusedError(row.name_input, problem)] if problem else []
    if row.tagging is not None:
        inputs[ALL_TAGS] = _all_tags(inputs.get("tags", {}), circumstances.default_tags)
    if row.regional:
        inputs["region"] = region
    inputs[DEFAULTS] = sorted(filled)
    return Checked(inputs, failures)


def _text(document: object) -> object:
    """Return a document as text, which is what the outputs of a resource hold."""
    if contains_unknown(document):
        return UNKNOWN
    return document if isinstance(document, str) else json.dumps(document, sort_keys=True)


def _all_tags(tags: object, default_tags: Mapping[str, str]) -> object:
    """Return the tags that the resource gets. They are unknown if one of them is unknown.

    https://github.com/pulumi/pulumi-aws/blob/master/provider/tags.go
    """
    if not isinstance(tags, Mapping) or contains_unknown(tags):
        return UNKNOWN
    return {**default_tags, **tags}


def request_for(row: Row, inputs: Mapping[str, object]) -> Request:
    """Return checked inputs under the API's names, with all tags of the resource."""
    named = {key: value for key, value in inputs.items() if not key.startswith("__")}
    named.pop("region", None)
    all_tags = named.pop(ALL_TAGS, {})
    named.pop("tags", None)
    if all_tags:
        named["tags"] = all_tags
    return translate(named, row.shape)
