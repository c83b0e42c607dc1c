"""Creates, reads, updates and deletes a resource with the calls of its row."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from botocore.exceptions import ClientError

from emulator.deployer.differences import difference
from emulator.deployer.errors import GoneError
from emulator.deployer.inputs import ALL_TAGS, request_for, without_internal
from emulator.deployer.rows import Change, Identity, Snapshot
from emulator.deployer.translation import api_name, current_inputs
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
    """A resource was created, but a later call for it failed with the error `reason`."""

    def __init__(self, identifier: str, outputs: Properties, reason: Exception) -> None:
        super().__init__(str(reason))
        self.id = identifier
        self.outputs = outputs
        self.reason = reason


def planned_outputs(row: Row, inputs: Mapping[str, object]) -> Properties:
    """Return the outputs that a new resource will have. UNKNOWN stands for what AWS decides."""
    return {**without_internal(inputs), **_unknown(row.computed_outputs - inputs.keys())}


def planned_outputs_after_update(
    row: Row,
    old_inputs: Mapping[str, object],
    old_outputs: Mapping[str, object],
    new_inputs: Mapping[str, object],
) -> Properties:
    """Return the outputs that a resource will have after an update.

    UNKNOWN stands for what AWS decides again.
    """
    changed = difference(row, old_inputs, new_inputs).changed
    decided_by_aws = {name: value for name, value in old_outputs.items() if name not in old_inputs}
    recomputed = row.recomputed_outputs(changed, new_inputs)
    return {**decided_by_aws, **without_internal(new_inputs), **_unknown(recomputed)}


def _unknown(names: Iterable[str]) -> Properties:
    return dict.fromkeys(names, UNKNOWN)


def create(row: Row, inputs: Properties, aws: Aws) -> ExistingResource:
    """Create a resource. Raises UnfinishedError if it was created and a later call fails."""
    request = request_for(row, inputs)
    set_later = {api_name(row.inputs, name) for name in row.set_after_creation}
    create_request = {name: value for name, value in request.items() if name not in set_later}
    identifier = row.create(create_request, aws)
    try:
        _set_after_creation(row, identifier, inputs, aws)
        snapshot = row.read(Identity(identifier, dict(request)), aws)
    except Exception as error:
        raise UnfinishedError(identifier, without_internal(inputs), error) from error
    return ExistingResource(identifier, inputs, _outputs(snapshot, inputs))


def _set_after_creation(row: Row, identifier: str, inputs: Properties, aws: Aws) -> None:
    """Set the inputs that the creating call does not take, unless they have their defaults."""
    not_default = {
        name
        for name in row.set_after_creation & inputs.keys()
        if inputs[name] != row.defaults.get(name, UNKNOWN)
    }
    if not_default:
        names = frozenset(api_name(row.inputs, name) for name in not_default)
        row.update(Change(identifier, request_for(row, inputs), names), aws)


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
    """Change a resource in place and return it as it is now."""
    changed = difference(row, old_inputs, new_inputs).changed
    request = request_for(row, new_inputs)
    names = frozenset(api_name(row.inputs, name) for name in changed - {"tags", ALL_TAGS, "region"})
    if names:
        row.update(Change(identifier, dict(request), names), aws)
    if ALL_TAGS in changed:
        _update_tags(row, identifier, old_inputs, new_inputs, aws)
    snapshot = row.read(Identity(identifier, dict(request)), aws)
    return ExistingResource(identifier, new_inputs, _outputs(snapshot, new_inputs))


def delete(
    row: Row, identifier: str, inputs: Properties, aws: Aws, deletion_limit: DeletionLimit
) -> None:
    """Delete a resource. A resource that does not exist is no error."""
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
    """Return the declared inputs with the values that they have now."""
    readable = without_internal(declared)
    for name in ("region", ALL_TAGS, "tags", *row.unreadable_inputs):
        readable.pop(name, None)
    inputs = {name: value for name, value in declared.items() if name not in readable}
    inputs |= current_inputs(readable, snapshot.values, row.inputs)
    if row.tagging is None:
        return inputs
    all_tags = current_inputs({"tags": declared[ALL_TAGS]}, snapshot.values, row.inputs)["tags"]
    inputs[ALL_TAGS] = all_tags
    if "tags" in declared:
        declared_tags = cast("dict[str, object]", declared["tags"])
        inputs["tags"] = {
            key: tag
            for key, tag in cast("dict[str, object]", all_tags).items()
            if key in declared_tags or default_tags.get(key) != tag
        }
    return inputs


def _outputs(snapshot: Snapshot, inputs: Mapping[str, object]) -> Properties:
    return {**snapshot.outputs, **without_internal(inputs)}
