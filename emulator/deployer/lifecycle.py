"""Creates, reads, updates and deletes a resource with the calls of its row."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from botocore.exceptions import ClientError

from emulator.deployer.differences import difference
from emulator.deployer.errors import GoneError
from emulator.deployer.inputs import ALL_TAGS, request_for, without_internal
from emulator.deployer.rows import Change, Identity, Snapshot
from emulator.deployer.translation import api_name, current_inputs, omit_values
from emulator.deployer.wire import UNKNOWN, Properties

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from emulator.deployer.aws import Aws
    from emulator.deployer.rows import DeletionLimit, Row


class ExistingResource(NamedTuple):
    """A resource that exists."""

    id: str
    inputs: Properties
    outputs: Properties


class UnfinishedError(Exception):
    """A resource was created, but a later call for it failed.

    `id` and `outputs` are those of the resource, and `reason` is the error of the call.
    """

    def __init__(self, identifier: str, outputs: Properties, reason: Exception) -> None:
        super().__init__(str(reason))
        self.id = identifier
        self.outputs = outputs
        self.reason = reason


def planned_outputs(row: Row, inputs: Mapping[str, object]) -> Properties:
    """Return the outputs that a new resource will have.

    The outputs that AWS decides are UNKNOWN.
    """
    return {**without_internal(inputs), **_unknown(row.computed_outputs - inputs.keys())}


def planned_outputs_after_update(
    row: Row,
    old_inputs: Mapping[str, object],
    old_outputs: Mapping[str, object],
    new_inputs: Mapping[str, object],
) -> Properties:
    """Return the outputs that a resource will have after an update.

    The outputs that AWS decides again are UNKNOWN.
    """
    changed = difference(row, old_inputs, new_inputs).changed
    decided_by_aws = {name: value for name, value in old_outputs.items() if name not in old_inputs}
    decided_again = row.recomputed_outputs(changed, new_inputs)
    return {**decided_by_aws, **without_internal(new_inputs), **_unknown(decided_again)}


def _unknown(names: Iterable[str]) -> Properties:
    """Return properties with these names that are not known yet."""
    return dict.fromkeys(names, UNKNOWN)


def create(row: Row, inputs: Properties, aws: Aws) -> ExistingResource:
    """Create a resource from its complete inputs.

    Raises UnfinishedError if the resource was created, but setting its other inputs or reading it
    failed.
    """
    request = request_for(row, inputs)
    set_later = [api_name(row.inputs, name) for name in row.set_after_creation]
    identifier = row.create(omit_values(request, *set_later), aws)
    try:
        _set_after_creation(row, identifier, inputs, aws)
        snapshot = row.read(Identity(identifier, request), aws)
    except Exception as error:
        raise UnfinishedError(identifier, without_internal(inputs), error) from error
    return ExistingResource(identifier, inputs, _outputs(snapshot, inputs))


def _set_after_creation(row: Row, identifier: str, inputs: Properties, aws: Aws) -> None:
    """Set the inputs that the creating call does not take, unless they have their defaults."""
    to_set = [
        name
        for name in row.set_after_creation & inputs.keys()
        if name not in row.defaults or inputs[name] != row.defaults[name]
    ]
    if to_set:
        parameters = frozenset(api_name(row.inputs, name) for name in to_set)
        row.update(Change(identifier, request_for(row, inputs), parameters), aws)


def read(
    row: Row, identifier: str, inputs: Properties, default_tags: Mapping[str, str], aws: Aws
) -> ExistingResource | None:
    """Return a resource as it is now, or None if it does not exist."""
    try:
        snapshot = row.read(Identity(identifier, request_for(row, inputs)), aws)
    except (GoneError, ClientError) as error:
        if _is_gone(row, error):
            return None
        raise
    inputs_now = _inputs_now(row, inputs, snapshot, default_tags)
    return ExistingResource(identifier, inputs_now, _outputs(snapshot, inputs_now))


def update(
    row: Row, identifier: str, old_inputs: Properties, new_inputs: Properties, aws: Aws
) -> ExistingResource:
    """Change a resource in place and return it as it is now. Tags have calls of their own."""
    changed = difference(row, old_inputs, new_inputs).changed
    request = request_for(row, new_inputs)
    parameters = frozenset(
        api_name(row.inputs, name) for name in changed - {"tags", ALL_TAGS, "region"}
    )
    if parameters:
        row.update(Change(identifier, request, parameters), aws)
    if ALL_TAGS in changed:
        _update_tags(row, identifier, old_inputs, new_inputs, aws)
    snapshot = row.read(Identity(identifier, request), aws)
    return ExistingResource(identifier, new_inputs, _outputs(snapshot, new_inputs))


def delete(
    row: Row, identifier: str, inputs: Properties, aws: Aws, deletion_limit: DeletionLimit
) -> None:
    """Delete a resource. Do nothing if it does not exist."""
    try:
        row.delete(Identity(identifier, request_for(row, inputs)), aws, deletion_limit)
    except (GoneError, ClientError) as error:
        if not _is_gone(row, error):
            raise


def _is_gone(row: Row, error: Exception) -> bool:
    """Return True if the error means that the resource does not exist."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in row.not_found_codes
    return isinstance(error, GoneError)


def _update_tags(
    row: Row, identifier: str, old_inputs: Properties, new_inputs: Properties, aws: Aws
) -> None:
    """Remove the tags that are not wanted any more, and set those that are new or differ."""
    tagging = row.tagging
    assert tagging is not None, "a resource without tags has no tags that change"
    resource = {tagging.resource_parameter: tagging.resource_value(identifier, aws)}
    old_tags = cast("dict[str, object]", old_inputs.get(ALL_TAGS, {}))
    new_tags = cast("dict[str, object]", new_inputs[ALL_TAGS])
    removed_keys = sorted(old_tags.keys() - new_tags.keys())
    changed_tags = {key: tag for key, tag in new_tags.items() if old_tags.get(key) != tag}
    if removed_keys:
        keys = {tagging.keys_parameter: removed_keys}
        aws.call(tagging.service, tagging.untag_operation, {**resource, **keys})
    if changed_tags:
        api_tags = request_for(row, {ALL_TAGS: changed_tags})[api_name(row.inputs, "tags")]
        tags = {tagging.tags_parameter: api_tags}
        aws.call(tagging.service, tagging.tag_operation, {**resource, **tags})


def _inputs_now(
    row: Row, declared: Properties, snapshot: Snapshot, default_tags: Mapping[str, str]
) -> Properties:
    """Return the declared inputs with the values that the service has now.

    An unreadable input of the type keeps its declared value. Another input that the service does
    not return is not set any more, and is left out.
    """
    unreadable = {"region", ALL_TAGS, "tags", *row.unreadable_inputs}
    readable = {
        name: value for name, value in without_internal(declared).items() if name not in unreadable
    }
    inputs = {name: value for name, value in declared.items() if name not in readable}
    inputs |= current_inputs(readable, snapshot.values, row.inputs)
    if row.tagging is not None:
        inputs |= _tags_now(row, declared, snapshot, default_tags)
    return inputs


def _tags_now(
    row: Row, declared: Properties, snapshot: Snapshot, default_tags: Mapping[str, str]
) -> Properties:
    """Return the inputs of a resource that hold its tags, with the tags that it has now.

    `tags` does not have the default tags of the provider, unless the program declares them there or
    the service has other values of them.
    """
    current = current_inputs({"tags": declared[ALL_TAGS]}, snapshot.values, row.inputs)
    all_tags = cast("dict[str, object]", current["tags"])
    if "tags" not in declared:
        return {ALL_TAGS: all_tags}
    declared_tags = cast("dict[str, object]", declared["tags"])
    tags = {
        key: tag
        for key, tag in all_tags.items()
        if key in declared_tags or default_tags.get(key) != tag
    }
    return {ALL_TAGS: all_tags, "tags": tags}


def _outputs(snapshot: Snapshot, inputs: Mapping[str, object]) -> Properties:
    """Return the outputs of a resource: its inputs, and the values that AWS decided."""
    return {**snapshot.outputs, **without_internal(inputs)}
