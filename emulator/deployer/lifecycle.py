"""Creates, reads, updates and deletes one resource as its row says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from botocore.exceptions import ClientError

from emulator.deployer.differences import difference
from emulator.deployer.errors import GoneError
from emulator.deployer.inputs import ALL_TAGS, request_for
from emulator.deployer.rows import Change, Found, Place
from emulator.deployer.translation import actual, api_name
from emulator.deployer.wire import UNKNOWN, Properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws
    from emulator.deployer.rows import Patience, Row

NOT_FOUND = {
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchEntity",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
    "StateMachineDoesNotExist",
}
"""The codes by which the services say that a resource does not exist."""


class Existing(NamedTuple):
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


def planned(row: Row, inputs: Mapping[str, object]) -> Properties:
    """Return the outputs that a new resource will have. Outputs that AWS decides are UNKNOWN."""
    decided = dict.fromkeys(row.decided - inputs.keys(), UNKNOWN)
    return {**_shown(inputs), **cast("Properties", decided)}


def planned_update(
    row: Row,
    old_inputs: Mapping[str, object],
    old_outputs: Mapping[str, object],
    inputs: Mapping[str, object],
) -> Properties:
    """Return the outputs that a resource will have after an update. New ones of AWS are UNKNOWN."""
    changed = difference(row, old_inputs, inputs).changed
    kept = {name: value for name, value in old_outputs.items() if name not in old_inputs}
    renewed = dict.fromkeys(row.renewed(changed, inputs), UNKNOWN)
    return {**kept, **_shown(inputs), **cast("Properties", renewed)}


def create(row: Row, inputs: Properties, aws: Aws) -> Existing:
    """Create a resource. Raises UnfinishedError if it was created and a later call fails."""
    request = request_for(row, inputs)
    later = {
        name
        for name in row.later & inputs.keys()
        if row.defaults.get(name, UNKNOWN) != inputs[name]
    }
    postponed = {api_name(row.shape, name) for name in row.later}
    identifier = row.create(
        {name: value for name, value in request.items() if name not in postponed}, aws
    )
    try:
        if later:
            names = frozenset(api_name(row.shape, name) for name in later)
            row.update(Change(Place(identifier, {}), dict(request), names), aws)
        found = row.read(Place(identifier, dict(request)), aws)
    except Exception as error:
        raise UnfinishedError(identifier, _shown(inputs), error) from error
    return Existing(identifier, inputs, _outputs(found, inputs))


def read(
    row: Row, identifier: str, inputs: Properties, default_tags: Mapping[str, str], aws: Aws
) -> Existing | None:
    """Return a resource as it is now, or None if it does not exist."""
    try:
        found = row.read(Place(identifier, request_for(row, inputs)), aws)
    except (GoneError, ClientError) as error:
        if is_gone(error):
            return None
        raise
    now = _actual_inputs(row, inputs, found, default_tags)
    return Existing(identifier, now, _outputs(found, now))


def update(row: Row, identifier: str, old: Properties, new: Properties, aws: Aws) -> Existing:
    """Change a resource in place."""
    changed = difference(row, old, new).changed
    place = Place(identifier, request_for(row, old))
    request = request_for(row, new)
    names = frozenset(api_name(row.shape, name) for name in changed - {"tags", ALL_TAGS, "region"})
    if names:
        row.update(Change(place, dict(request), names), aws)
    if ALL_TAGS in changed:
        _tag(row, identifier, old, new, aws)
    found = row.read(Place(identifier, dict(request)), aws)
    return Existing(identifier, new, _outputs(found, new))


def delete(row: Row, identifier: str, inputs: Properties, aws: Aws, patience: Patience) -> None:
    """Delete a resource. Return normally if it does not exist."""
    try:
        row.delete(Place(identifier, request_for(row, inputs)), aws, patience)
    except (GoneError, ClientError) as error:
        if not is_gone(error):
            raise


def is_gone(error: Exception) -> bool:
    """Return True if the error says that a resource does not exist."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in NOT_FOUND
    return isinstance(error, GoneError)


def _tag(row: Row, identifier: str, old: Properties, new: Properties, aws: Aws) -> None:
    tagging = row.tagging
    assert tagging is not None, "a resource without tags has no tags that change"
    resource = {tagging.resource: tagging.value(identifier, aws)}
    before = cast("dict[str, object]", old.get(ALL_TAGS, {}))
    after = cast("dict[str, object]", new[ALL_TAGS])
    if gone := sorted(before.keys() - after.keys()):
        aws.call(tagging.service, tagging.untag, resource | {tagging.keys: gone})
    if fresh := {key: after[key] for key in after if before.get(key) != after[key]}:
        tags = request_for(row, {ALL_TAGS: fresh})[api_name(row.shape, "tags")]
        aws.call(tagging.service, tagging.tag, resource | {tagging.tags: tags})


def _actual_inputs(
    row: Row, declared: Properties, found: Found, default_tags: Mapping[str, str]
) -> Properties:
    """Return the declared inputs with the values that they have now."""
    settled = {"region", ALL_TAGS, "tags", *row.unreadable}
    open_to_change = {
        name: value
        for name, value in declared.items()
        if name not in settled and not name.startswith("__")
    }
    kept = {name: value for name, value in declared.items() if name not in open_to_change}
    now = {**kept, **actual(open_to_change, found.answer, row.shape)}
    if row.tagging is None:
        return now
    tags = actual({"tags": declared[ALL_TAGS]}, found.answer, row.shape)["tags"]
    own = cast("dict[str, object]", declared.get("tags", {}))
    now[ALL_TAGS] = tags
    if "tags" in declared:
        now["tags"] = {
            key: value
            for key, value in cast("dict[str, object]", tags).items()
            if key in own or default_tags.get(key) != value
        }
    return now


def _outputs(found: Found, inputs: Mapping[str, object]) -> Properties:
    return {**found.outputs, **_shown(inputs)}


def _shown(inputs: Mapping[str, object]) -> Properties:
    """Return the inputs that are outputs too: all except the internal ones."""
    return {name: value for name, value in inputs.items() if not name.startswith("__")}
