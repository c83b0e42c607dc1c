"""Completes, validates and compares the inputs of a resource, for Pulumi's `Check` and `Diff`."""

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
    from emulator.deployer.resource_type import ResourceType

DEFAULTS = "__defaults"
"""The internal input that lists the inputs that the provider filled in, as in Pulumi's providers:
https://github.com/pulumi/pulumi-terraform-bridge/blob/main/pkg/tfbridge/schema.go"""
ALL_TAGS = "tagsAll"
"""The input with the resource's own tags and the provider's default tags."""


class CheckedInputs(NamedTuple):
    """The result of a `Check`: completed inputs, and failures for the invalid ones."""

    inputs: Properties
    """The complete inputs, including those that the provider has filled in."""
    failures: dict[str, str]
    """Input name -> why AWS or the emulator would reject the input."""


class InputDiff(NamedTuple):
    """The differences between a resource's old and new inputs."""

    changed: frozenset[str]
    """The inputs that were added, removed or changed."""
    replacing: frozenset[str]
    """The changed inputs that require a replacement of the resource."""
    delete_before_replace: bool
    """Whether the old resource has to be deleted before its replacement is created."""


def check_inputs(
    resource_type: ResourceType,
    declared: Mapping[str, object],
    default_tags: Mapping[str, str],
    *,
    logical_name: str,
    seed: bytes,
    old_inputs: Mapping[str, object],
) -> CheckedInputs:
    """Fill in the inputs that a program leaves out, and validate all inputs.

    The provider fills in the resource type's default values, a generated physical name and the
    provider's default tags.
    """
    declared_inputs = _normalize_inputs(resource_type, declared)
    defaults = dict(resource_type.defaults)
    if resource_type.name_pattern:
        generated_name = _choose_name(resource_type, logical_name, seed, old_inputs)
        defaults[resource_type.name_input] = generated_name

    complete_inputs = {**defaults, **declared_inputs}
    failures = _find_invalid_inputs(resource_type, complete_inputs)

    # These inputs don't belong to the resource type, so they're added after the validation.
    added_inputs: Properties = {DEFAULTS: sorted(defaults.keys() - declared_inputs.keys())}
    if "tags" in resource_type.fields:
        added_inputs[ALL_TAGS] = _merge_tags(declared_inputs.get("tags", {}), default_tags)

    return CheckedInputs({**complete_inputs, **added_inputs}, failures)


def _normalize_inputs(resource_type: ResourceType, declared: Mapping[str, object]) -> Properties:
    """Return the declared inputs with serialized JSON documents, and without what `Check` adds."""
    inputs = drop_internal(declared)
    inputs.pop(ALL_TAGS, None)
    for name in inputs.keys() & {*resource_type.json_inputs.split()}:
        inputs[name] = _serialize_document(inputs[name])
    return inputs


def _choose_name(
    resource_type: ResourceType, logical_name: str, seed: bytes, old_inputs: Mapping[str, object]
) -> object:
    """Generate a physical name from the logical name and seven hex digits that depend on `seed`.

    If the resource already has a generated name, return that one because a new name would require
    a replacement.
    """
    previously_filled_in = cast("list[str]", old_inputs.get(DEFAULTS, []))
    if resource_type.name_input in previously_filled_in:
        return old_inputs[resource_type.name_input]
    return f"{logical_name}-{hashlib.sha256(seed).hexdigest()[:7]}"


def _find_invalid_inputs(resource_type: ResourceType, inputs: Properties) -> dict[str, str]:
    """Map the name of each invalid input to the reason why it's invalid."""
    failures = {}
    for name, value in inputs.items():
        try:
            _check_input(resource_type, name, value)
        except DeploymentError as error:
            failures[name] = str(error)
    return failures


def drop_internal(inputs: Mapping[str, object]) -> Properties:
    """Return the inputs without Pulumi's internal ones, whose names start with two underscores."""
    return {name: value for name, value in inputs.items() if not name.startswith("__")}


def compare_inputs(
    resource_type: ResourceType, old: Mapping[str, object], new: Mapping[str, object]
) -> InputDiff:
    """Compare the old and new inputs of a resource, both of which are results of a `Check`.

    If the program chose the physical name, a replacement has to delete the old resource first,
    because two resources can't have the same name. Pulumi's own provider does the same, see
    nameRequiresDeleteBeforeReplace in pulumi-terraform-bridge, pkg/tfbridge/schema.go.
    """
    changed = frozenset(
        name
        for name in (*resource_type.fields, ALL_TAGS)
        if not _is_unchanged(resource_type, name, old, new)
    )
    replacing = changed & {*resource_type.replace_on_changes.split()}

    filled_in = cast("list[str]", new.get(DEFAULTS, []))
    has_fixed_name = bool(resource_type.name_pattern) and resource_type.name_input not in filled_in
    return InputDiff(
        changed=changed,
        replacing=replacing,
        delete_before_replace=bool(replacing) and has_fixed_name,
    )


def _is_unchanged(
    resource_type: ResourceType, name: str, old: Mapping[str, object], new: Mapping[str, object]
) -> bool:
    """Return whether an input's old and new values are equal.

    JSON documents are compared by their content, and archives by their hash.
    """
    old_value = old.get(name)
    new_value = new.get(name)
    if name in resource_type.json_inputs.split():
        return parse_document(old_value) == parse_document(new_value)
    if is_archive(old_value) and is_archive(new_value):
        return old_value["hash"] == new_value["hash"]
    return old_value == new_value


def _check_input(resource_type: ResourceType, name: str, value: object) -> None:
    """Raise DeploymentError if AWS would reject an input or the deployer doesn't support it."""
    if name not in resource_type.fields:
        raise DeploymentError(f"{name}: unknown or not supported")

    api_value = to_api(value, resource_type.fields[name].shape, name, resource_type.api_paths)

    name_pattern = resource_type.name_pattern
    is_known_name = name_pattern and name == resource_type.name_input and value != UNKNOWN
    if is_known_name and not re.fullmatch(name_pattern, str(api_value)):
        raise DeploymentError(f"{name}: {value!r} does not match AWS's pattern {name_pattern}")


def _serialize_document(document: object) -> str:
    """Serialize a JSON document, unless it's already a string.

    In a preview, the whole document is UNKNOWN if any part of it is.
    """
    text = document
    if not isinstance(text, str):
        text = json.dumps(document, sort_keys=True)

    if UNKNOWN in text:
        return UNKNOWN
    return text


def _merge_tags(tags: object, default_tags: Mapping[str, str]) -> object:
    """Merge a resource's tags with the provider's default tags. The resource's tags win."""
    if not isinstance(tags, Mapping):
        return UNKNOWN  # In a preview, the tags may depend on an unknown output.
    return {**default_tags, **tags}
