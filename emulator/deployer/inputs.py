"""Checks the inputs that a program declares, and adds the inputs that the provider decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from emulator.deployer.errors import InputRefusedError
from emulator.deployer.naming import automatic_name
from emulator.deployer.translation import Request, is_document, translate
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
    digits: str,
    old_inputs: Mapping[str, object],
) -> CheckedInputs:
    """Return the inputs that a program declares, completed, with an error for each refused value.

    The defaults of the type are added, and the region and the tags of the provider. If the program
    leaves the physical name out, `logical_name` and `digits` give an automatic name. A resource
    that has an automatic name in `old_inputs` keeps it.
    """
    added_later = {ALL_TAGS, "region"} if row.regional else {ALL_TAGS}
    inputs = {
        name: _document_text(value) if is_document(row.inputs, name) else value
        for name, value in without_internal(declared).items()
        if name not in added_later
    }
    filled_in = {name: value for name, value in row.defaults.items() if name not in inputs}
    if row.name_rule is not None and row.name_input not in inputs:
        old_name = _old_automatic_name(row, old_inputs)
        filled_in[row.name_input] = old_name or automatic_name(logical_name, digits)
    inputs |= filled_in
    failures = list(_refused_inputs(row, inputs))

    if row.tagging is not None:
        inputs[ALL_TAGS] = _all_tags(inputs.get("tags", {}), context.default_tags)
    if row.regional:
        inputs["region"] = declared.get("region", context.region)
    inputs[DEFAULTS] = sorted(filled_in)
    return CheckedInputs(inputs, failures)


def without_internal(inputs: Mapping[str, object]) -> Properties:
    """Return the inputs without the internal ones, whose names begin with two underscores."""
    return {name: value for name, value in inputs.items() if not name.startswith("__")}


def request_for(row: Row, inputs: Mapping[str, object]) -> Request:
    """Return complete inputs as a request of the API. It has all tags, but not the region."""
    properties = without_internal(inputs)
    properties.pop("region", None)
    properties.pop("tags", None)
    if all_tags := properties.pop(ALL_TAGS, {}):
        properties["tags"] = all_tags
    return translate(properties, row.inputs)


def _old_automatic_name(row: Row, old_inputs: Mapping[str, object]) -> object | None:
    """Return the physical name in the old inputs if the provider filled it in, else None."""
    filled_in = cast("list[str]", old_inputs.get(DEFAULTS, []))
    return old_inputs[row.name_input] if row.name_input in filled_in else None


def _refused_inputs(row: Row, inputs: Mapping[str, object]) -> Iterator[InputRefusedError]:
    """Yield an error for each input that AWS would refuse."""
    for name, value in inputs.items():
        try:
            translate({name: value}, row.inputs)
        except InputRefusedError as error:
            yield error
    if row.name_rule is None:
        return
    physical_name = inputs[row.name_input]
    if physical_name != UNKNOWN and (message := row.name_rule.error(str(physical_name))):
        yield InputRefusedError(row.name_input, message)


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
