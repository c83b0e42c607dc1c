"""Creates, reads, updates and deletes a resource with the calls of its row."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, cast

from emulator.deployer import calls
from emulator.deployer.calls import NO_PARAMETERS
from emulator.deployer.differences import difference, is_same
from emulator.deployer.errors import GoneError
from emulator.deployer.inputs import ALL_TAGS, without_internal
from emulator.deployer.translation import current_value, split_path, to_api, value_at
from emulator.deployer.wire import UNKNOWN, Properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws, Response
    from emulator.deployer.rows import DeletionLimit, Resource, Row


class ExistingResource(NamedTuple):
    """A resource that exists."""

    id: str
    inputs: Properties
    outputs: Properties


def planned_outputs(row: Row, inputs: Mapping[str, object]) -> Properties:
    """Return the outputs that a new resource will have.

    The outputs that AWS decides are UNKNOWN.
    """
    return {**dict.fromkeys(row.outputs, UNKNOWN), **without_internal(inputs)}


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
    unknown = dict.fromkeys(decided_again, UNKNOWN)
    return {**decided_by_aws, **without_internal(new_inputs), **unknown}


def create(row: Row, inputs: Properties, aws: Aws) -> ExistingResource:
    """Create a resource from its complete inputs."""
    identifier = calls.create(row, inputs, aws)
    set_later = {
        name for name in row.set_later & inputs.keys() if not row.is_unset(name, inputs[name])
    }
    resource = calls.existing_resource(row, identifier, inputs, set_later)
    calls.set_own_inputs(row, resource, inputs, aws)
    description = calls.describe(row, resource, aws)
    return ExistingResource(identifier, inputs, _outputs(row, description, inputs))


def read(
    row: Row, identifier: str, inputs: Properties, default_tags: Mapping[str, str], aws: Aws
) -> ExistingResource | None:
    """Return a resource as it is now, or None if it does not exist."""
    try:
        description = calls.describe(row, calls.existing_resource(row, identifier, inputs), aws)
    except GoneError:
        return None
    inputs_now = _inputs_now(row, inputs, description, default_tags)
    return ExistingResource(identifier, inputs_now, _outputs(row, description, inputs_now))


def update(
    row: Row, identifier: str, old_inputs: Properties, new_inputs: Properties, aws: Aws
) -> ExistingResource:
    """Change a resource in place and return it as it is now."""
    changed = difference(row, old_inputs, new_inputs).changed
    resource = calls.existing_resource(row, identifier, new_inputs, changed - NO_PARAMETERS)
    calls.set_own_inputs(row, resource, new_inputs, aws)
    if resource.changed - row.own_calls.keys():
        calls.make_call(row, row.update, resource, aws)
    outputs = _outputs(row, calls.describe(row, resource, aws), new_inputs)
    if ALL_TAGS in changed:
        old_tags = cast("dict[str, object]", old_inputs.get(ALL_TAGS, {}))
        _update_tags(row, resource, old_tags, outputs, aws)
    return ExistingResource(identifier, new_inputs, outputs)


def delete(row: Row, identifier: str, inputs: Properties, aws: Aws, limit: DeletionLimit) -> None:
    """Delete a resource. Do nothing if it does not exist."""
    resource = calls.existing_resource(row, identifier, inputs, limit=limit)
    with suppress(GoneError):
        calls.make_call(row, row.delete, resource, aws)


def _update_tags(
    row: Row, resource: Resource, old_tags: Properties, outputs: Properties, aws: Aws
) -> None:
    """Remove the tags that are not wanted any more, and set those that are new or differ."""
    new_tags = cast("dict[str, object]", outputs[ALL_TAGS])
    removed = sorted(old_tags.keys() - new_tags.keys())
    changed = {key: tag for key, tag in new_tags.items() if old_tags.get(key) != tag}
    api_tags = to_api(changed, row.fields["tags"].shape, "tags", {})
    for operation, tags in ((row.tag_calls.untag, removed), (row.tag_calls.tag, api_tags)):
        if tags:
            calls.call_for_tags(row, operation, resource, outputs["arn"], tags, aws=aws)


def _inputs_now(
    row: Row, declared: Properties, description: Response, default_tags: Mapping[str, str]
) -> Properties:
    """Return the declared inputs with the values that the service has now.

    An unreadable input of the type keeps its declared value. Another input that the service does
    not return has its default, or is left out because it is not set any more.
    """
    inputs: Properties = {}
    for name, value in declared.items():
        if name.startswith("__") or name in {*NO_PARAMETERS, *row.unreadable.split()}:
            inputs[name] = value
            continue
        field = row.fields[name]
        if name in row.read_names:
            field = field._replace(path=split_path(row.read_names[name]))
        current = current_value(description, field, value, name, row.api_names)
        if current is None:
            current = row.defaults.get(name)
        if current is not None:
            inputs[name] = value if is_same(row, name, value, current) else current
    if "tags" in row.fields:
        inputs |= _tags_now(row, declared, description, default_tags)
    return inputs


def _tags_now(
    row: Row, declared: Properties, description: Response, default_tags: Mapping[str, str]
) -> Properties:
    """Return the inputs of a resource that hold its tags, with the tags that it has now.

    `tags` does not have the default tags of the provider, unless the program declares them there or
    the service has other values of them.
    """
    current = current_value(description, row.fields["tags"], {}, "tags", {}) or {}
    all_tags = cast("dict[str, object]", current)
    if "tags" not in declared:
        return {ALL_TAGS: all_tags}
    declared_tags = cast("dict[str, object]", declared["tags"])
    tags = {
        key: tag
        for key, tag in all_tags.items()
        if key in declared_tags or default_tags.get(key) != tag
    }
    return {ALL_TAGS: all_tags, "tags": tags}


def _outputs(row: Row, description: Response, inputs: Mapping[str, object]) -> Properties:
    """Return the outputs of a resource: its inputs, and the values that AWS decided."""
    decided_by_aws = {
        name: _output(value_at(description, split_path(path))) for name, path in row.outputs.items()
    }
    return {**decided_by_aws, **without_internal(inputs)}


def _output(value: object) -> object:
    """Return a value of a response as an output. A missing value is an empty text."""
    if isinstance(value, datetime):
        return value.isoformat()
    if value in ("true", "false"):
        return value == "true"
    return "" if value is None else value
