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
    """The settings of the provider that matter for each resource."""

    region: str
    default_tags: Mapping[str, str]


class CheckedInputs(NamedTuple):
    """The complete inputs of a resource, and what AWS would refuse in them."""

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
    """Return the complete inputs of a resource, and everything that AWS would refuse in them.

    An automatic physical name ends with `digits`. If the resource exists, it keeps the automatic
    name that it has in `old_inputs`.
    """
    inputs = without_internal(declared)
    inputs.pop(ALL_TAGS, None)
    region = inputs.pop("region", context.region) if row.regional else None
    for name, value in inputs.items():
        if is_document(row.inputs, name):
            inputs[name] = _document_text(value)

    filled_in = {name: value for name, value in row.defaults.items() if name not in inputs}
    if row.name_input not in inputs:
        old_name = _old_automatic_name(row, old_inputs)
        filled_in[row.name_input] = old_name or automatic_name(logical_name, digits)
    inputs |= filled_in
    failures = list(_failures(row, inputs))

    if row.tagging is not None:
        inputs[ALL_TAGS] = _all_tags(inputs.get("tags", {}), context.default_tags)
    if row.regional:
        inputs["region"] = region
    inputs[DEFAULTS] = sorted(filled_in)
    return CheckedInputs(inputs, failures)


def without_internal(inputs: Mapping[str, object]) -> Properties:
    """Return the inputs without the internal ones, whose names begin with two underscores."""
    return {name: value for name, value in inputs.items() if not name.startswith("__")}


def request_for(row: Row, inputs: Mapping[str, object]) -> Request:
    """Return checked inputs under the API's names, with all tags of the resource."""
    named = without_internal(inputs)
    named.pop("region", None)
    named.pop("tags", None)
    if all_tags := named.pop(ALL_TAGS, {}):
        named["tags"] = all_tags
    return translate(named, row.inputs)


def _old_automatic_name(row: Row, old_inputs: Mapping[str, object]) -> object | None:
    """Return the physical name in the old inputs if the provider filled it in, else None."""
    filled_in = cast("list[str]", old_inputs.get(DEFAULTS, []))
    return old_inputs[row.name_input] if row.name_input in filled_in else None


def _failures(row: Row, inputs: Mapping[str, object]) -> Iterator[InputRefusedError]:
    """Yield an error for each input that AWS would refuse."""
    for name, value in inputs.items():
        try:
            translate({name: value}, row.inputs)
        except InputRefusedError as error:
            yield error
    physical_name = inputs[row.name_input]
    if physical_name != UNKNOWN and (message := row.name_rule.error(str(physical_name))):
        yield InputRefusedError(row.name_input, message)


def _document_text(document: object) -> object:
    """Return a document as text, because the outputs of a resource hold text."""
    if contains_unknown(document):
        return UNKNOWN
    return document if isinstance(document, str) else json.dumps(document, sort_keys=True)


def _all_tags(tags: object, default_tags: Mapping[str, str]) -> object:
    """Return the tags that the resource gets. If one tag is unknown, all are unknown.

    https://github.com/pulumi/pulumi-aws/blob/master/provider/tags.go
    """
    if not isinstance(tags, Mapping) or contains_unknown(tags):
        return UNKNOWN
    return {**default_tags, **tags}
