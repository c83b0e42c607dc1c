"""Compares the old and new inputs of a resource, for Pulumi's `Diff`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from emulator.deployer.resource_type import ResourceType
from emulator.deployer.translation import parse_document
from emulator.deployer.wire import ALL_TAGS, DEFAULTS, is_archive


class InputDiff(NamedTuple):
    """The differences between a resource's old and new inputs."""

    changed: frozenset[str]
    """The inputs that were added, removed or changed."""
    replacing: frozenset[str]
    """The changed inputs that require a replacement of the resource."""
    delete_before_replace: bool
    """Whether the old resource has to be deleted before its replacement is created."""


def compare_inputs(
    resource_type: ResourceType, old: Mapping[str, Any], new: Mapping[str, Any]
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

    has_fixed_name = resource_type.name_input not in ("", *new.get(DEFAULTS, []))
    return InputDiff(
        changed=changed,
        replacing=replacing,
        delete_before_replace=bool(replacing) and has_fixed_name,
    )


def _is_unchanged(
    resource_type: ResourceType, name: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> bool:
    """Return whether an input's old and new values are equal.

    JSON documents are compared by their content, and archives by their hash.
    """
    old_value = old.get(name)
    new_value = new.get(name)

    if name in resource_type.json_inputs.split():
        return parse_document(old_value) == parse_document(new_value)
    if is_archive(old_value) and is_archive(new_value):
        return bool(old_value["hash"] == new_value["hash"])
    return old_value == new_value
