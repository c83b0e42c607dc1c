"""Completes and validates the inputs of a resource, for Pulumi's `Check`."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from emulator.deployer.errors import DeploymentError
from emulator.deployer.resource_type import ResourceType
from emulator.deployer.translation import to_api
from emulator.deployer.wire import ALL_TAGS, DEFAULTS, UNKNOWN, Properties, drop_internal
from emulator.protocol.validation import find_errors


class CheckedInputs(NamedTuple):
    """The result of a `Check`: completed inputs, and failures for the invalid ones."""

    inputs: Properties
    """The complete inputs, including those that the provider has filled in."""
    failures: dict[str, str]
    """Input name -> why AWS or the emulator would reject the input."""


def check_inputs(
    resource_type: ResourceType,
    declared: Mapping[str, object],
    default_tags: Mapping[str, str],
    *,
    logical_name: str,
    seed: bytes,
    old_inputs: Mapping[str, Any],
) -> CheckedInputs:
    """Fill in the inputs that a program leaves out, and validate all inputs.

    The provider fills in the resource type's default values, a generated physical name and the
    provider's default tags.
    """
    declared_inputs = _normalize_inputs(resource_type, declared)
    defaults = dict(resource_type.defaults)
    if resource_type.name_input:
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
    resource_type: ResourceType, logical_name: str, seed: bytes, old_inputs: Mapping[str, Any]
) -> object:
    """Generate a physical name from the logical name and seven hex digits that depend on `seed`.

    If the resource already has a generated name, return that one because a new name would require
    a replacement.
    """
    if resource_type.name_input in old_inputs.get(DEFAULTS, []):
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


def _check_input(resource_type: ResourceType, name: str, value: object) -> None:
    """Raise DeploymentError if AWS would reject an input or the deployer doesn't support it."""
    if name not in resource_type.fields:
        raise DeploymentError(f"{name}: unknown or not supported")

    shape = resource_type.fields[name].shape
    api_value = to_api(value, shape, name, resource_type.api_paths)
    if UNKNOWN in json.dumps(value):
        return  # It's checked again as soon as all of it is known.

    errors = find_errors(shape, api_value, name)
    name_pattern = resource_type.name_pattern
    if name == resource_type.name_input and not re.fullmatch(name_pattern, str(api_value)):
        errors.append(f"{name}: {value!r} does not match AWS's pattern {name_pattern}")
    if errors:
        raise DeploymentError("; ".join(errors))


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
