"""Creates, reads, updates and deletes a resource with the calls of its row."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, cast

from emulator.deployer import models
from emulator.deployer.errors import GoneError
from emulator.deployer.inputs import ALL_TAGS, compare_inputs, drop_internal
from emulator.deployer.rows import Resource
from emulator.deployer.translation import (
    contains,
    from_api,
    merge,
    nest,
    tags_from_api,
    to_api,
    value_at,
)
from emulator.deployer.wire import UNKNOWN, Properties

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from emulator.deployer.aws import Aws, Response
    from emulator.deployer.rows import Row
    from emulator.deployer.translation import Request


NOTHING: tuple[object, ...] = (None, "", [], {})
"""What a service returns for an input that is not set."""


class ExistingResource(NamedTuple):
    """A resource that exists, as Pulumi's engine keeps it in its state."""

    id: str
    inputs: Properties
    outputs: Properties


def plan_outputs(
    row: Row,
    old_inputs: Mapping[str, object],
    old_outputs: Mapping[str, object],
    new_inputs: Mapping[str, object],
) -> Properties:
    """Predict for a preview which outputs a resource will have.

    An output that AWS decides only during the deployment is UNKNOWN. A new resource has no old
    outputs, so that is each of them.
    """
    decided_by_aws = {name: old_outputs.get(name, UNKNOWN) for name in row.outputs}
    if compare_inputs(row, old_inputs, new_inputs).changed - {"tags", ALL_TAGS}:
        decided_by_aws |= dict.fromkeys(row.recomputed_outputs.split(), UNKNOWN)
    return {**decided_by_aws, **drop_internal(new_inputs)}


def create(row: Row, inputs: Properties, aws: Aws) -> ExistingResource:
    """Create a resource from its complete inputs."""
    values = _translate_inputs(row, inputs)
    tags = inputs.get(ALL_TAGS)
    if tags:
        path, shape = row.fields["tags"]
        values[path] = to_api(tags, shape, "tags", {})
    response = aws.call(row.service, row.operation, values)

    identifier = _identify(row, response, values)
    resource = _build_resource(row, identifier, inputs, _inputs_to_set_later(row, inputs))
    _set_own_inputs(row, resource, inputs, aws)
    outputs = _build_outputs(row, _describe(row, resource, aws), inputs)
    return ExistingResource(identifier, inputs, outputs)


def _identify(row: Row, response: Response, values: Request) -> str:
    """Choose Pulumi's id of a new resource: the id from AWS, a template, or the physical name."""
    if row.id_parameter:
        return str(response[row.id_parameter])
    if row.id:
        return row.id.format_map(values)
    return str(values[row.name_parameter])


def _inputs_to_set_later(row: Row, inputs: Properties) -> set[str]:
    """List the inputs that the creation does not take, so that they need their own calls."""
    parameters = models.list_parameters(row.service, row.operation)
    return {
        name
        for name in row.own_calls.keys() & inputs.keys()
        if row.fields[name].path not in parameters
    }


def read(
    row: Row, identifier: str, inputs: Properties, default_tags: Mapping[str, str], aws: Aws
) -> ExistingResource | None:
    """Read a resource as it is now, or return None if it does not exist."""
    try:
        description = _describe(row, _build_resource(row, identifier, inputs), aws)
    except GoneError:
        return None

    current_inputs = {
        **_read_inputs(row, inputs, description),
        **_read_tags(row, inputs, description, default_tags),
    }
    outputs = _build_outputs(row, description, current_inputs)
    return ExistingResource(identifier, current_inputs, outputs)


def update(
    row: Row, identifier: str, old_inputs: Properties, new_inputs: Properties, aws: Aws
) -> Properties:
    """Change a resource in place and return its outputs."""
    changed = compare_inputs(row, old_inputs, new_inputs).changed
    resource = _build_resource(row, identifier, new_inputs, changed - {"tags", ALL_TAGS})

    _set_own_inputs(row, resource, new_inputs, aws)
    if resource.changed - row.own_calls.keys():
        if callable(row.update):
            row.update(resource, aws)
        else:
            aws.call(row.service, row.update, resource.values)

    outputs = _build_outputs(row, _describe(row, resource, aws), new_inputs)
    if ALL_TAGS in changed:
        _update_tags(row, resource, old_inputs, outputs, aws)
    return outputs


def delete(row: Row, identifier: str, inputs: Properties, aws: Aws) -> None:
    """Delete a resource. Do nothing if it does not exist."""
    if row.delete is None:
        return
    with suppress(GoneError):
        aws.call(row.service, row.delete, _build_resource(row, identifier, inputs).values)


def _translate_inputs(row: Row, inputs: Mapping[str, object]) -> Request:
    """Translate the inputs, but not the tags, into values under the API's names.

    The values inside the parameter `within` also stand beside it, because operations that read or
    delete a resource take some of them as parameters.
    """
    values: object = row.constants
    for name, (path, shape) in row.fields.items():
        if name in inputs and name != "tags":  # tags have operations of their own
            values = merge(values, nest(path, to_api(inputs[name], shape, name, row.api_names)))

    request = cast("Request", values)
    inner_values = cast("Request", value_at(values, row.within) or {})
    return {**inner_values, **request}


def _build_resource(
    row: Row,
    identifier: str,
    inputs: Properties,
    changed: AbstractSet[str] = frozenset(),
) -> Resource:
    """Build what the calls of the row need to know about a resource.

    An update keeps what its request leaves out, so an input that the program has removed gets the
    value that unsets it.
    """
    unset = {name: row.unset[name] for name in row.unset.keys() & (changed - inputs.keys())}
    values = _translate_inputs(row, {**inputs, **unset})
    if row.id_parameter:
        values[row.id_parameter] = identifier
    return Resource(identifier, values, frozenset(changed))


def _set_own_inputs(row: Row, resource: Resource, inputs: Properties, aws: Aws) -> None:
    """Set or remove the changed inputs that have operations of their own."""
    for name in sorted(resource.changed & row.own_calls.keys()):
        call = row.own_calls[name]
        if name not in inputs:
            aws.call(row.service, call.remove, resource.values)
            continue

        values = dict(resource.values)
        if call.parameter:
            values[call.parameter] = values[row.fields[name].path]
        aws.call(row.service, call.put, values)


def _describe(row: Row, resource: Resource, aws: Aws) -> Response:
    """Describe a resource with its tags and its id, whichever calls these take.

    Raises GoneError if the resource does not exist.
    """
    description = _read_description(row, resource, aws)
    if row.id_parameter:
        description = {**description, row.id_parameter: resource.id}

    if "tags" in row.fields and row.tag_calls.list:
        arn = value_at(description, row.outputs["arn"])
        response = _call_for_tags(row, row.tag_calls.list, resource, arn, aws=aws)
        tags = response.get("Tags", response.get("tags"))  # the services do not agree on the case
        description = {**description, row.fields["tags"].path: tags}
    return description


def _read_description(row: Row, resource: Resource, aws: Aws) -> Response:
    """Make the row's call, and pick the resource if the response lists several.

    Raises GoneError if the list does not contain it.
    """
    if not isinstance(row.read, str):
        return row.read(resource, aws)

    description = aws.call(row.service, row.read, resource.values)
    if row.found_in:
        description = cast("Response", description[row.found_in])
    if not isinstance(description, list):
        return description

    for listed in description:
        if listed[row.name_parameter] == resource.values[row.name_parameter]:
            return cast("Response", nest(row.within, listed))
    raise GoneError(resource.id)


def _call_for_tags(
    row: Row, operation: str, resource: Resource, arn: object, *tags: object, aws: Aws
) -> Response:
    """Call an operation for tags. `tags` are its tags or keys of tags, if it takes some."""
    # The services don't agree on names: the first parameter is always the ARN or the name, and the
    # other one takes the tags.
    resource_parameter, *tag_parameters = models.list_parameters(row.service, operation)
    request = {
        resource_parameter: resource.values.get(resource_parameter, arn),
        **dict(zip(tag_parameters, tags, strict=False)),
    }
    return aws.call(row.service, operation, request)


def _update_tags(
    row: Row, resource: Resource, old_inputs: Properties, outputs: Properties, aws: Aws
) -> None:
    """Remove the tags that are not wanted any more, and set those that are new or differ."""
    arn = outputs["arn"]
    old_tags = cast("Properties", old_inputs.get(ALL_TAGS, {}))
    new_tags = cast("Properties", outputs[ALL_TAGS])

    removed_keys = sorted(old_tags.keys() - new_tags.keys())
    if removed_keys:
        _call_for_tags(row, row.tag_calls.untag, resource, arn, removed_keys, aws=aws)

    changed_tags = {key: tag for key, tag in new_tags.items() if old_tags.get(key) != tag}
    if changed_tags:
        api_tags = to_api(changed_tags, row.fields["tags"].shape, "tags", {})
        _call_for_tags(row, row.tag_calls.tag, resource, arn, api_tags, aws=aws)


def _read_inputs(row: Row, declared: Properties, description: Response) -> Properties:
    """Find the values that the service has now for the inputs.

    Nobody can change an input in place that replaces the resource, so it keeps its declared value.
    Of the inputs that the program leaves out, only those are read that people often set by hand,
    because a service has values of its own for most others.
    """
    inputs = {**_find_inputs_set_by_hand(row, description), **declared}
    compared = row.fields.keys() - {"tags", *row.replacing.split(), *row.unreadable.split()}

    for name in compared & declared.keys():
        value = _read_input(row, name, declared[name], description)
        if value is None:
            del inputs[name]
        else:
            inputs[name] = value
    return inputs


def _read_input(row: Row, name: str, declared: object, description: Response) -> object:
    """Find the value that the service has for an input, or None if it is not set any more.

    As long as the service means the same as the program, it is what the program declares.
    Otherwise a refresh would report a document as changed that only has other spaces.
    """
    path, shape = row.fields[name]
    current = value_at(description, row.read_names.get(name, path))
    if contains(current, to_api(declared, shape, name, row.api_names)):
        return declared
    if current in NOTHING:
        return row.defaults.get(name)
    return from_api(current, declared, shape, name, row.api_names)


def _find_inputs_set_by_hand(row: Row, description: Response) -> Properties:
    """Find the inputs of `undeclared` that somebody has set."""
    inputs: Properties = {}
    for name, unset_value in row.undeclared.items():
        path, shape = row.fields[name]
        api_value = value_at(description, row.read_names.get(name, path))
        current = from_api(api_value, unset_value, shape, name, row.api_names)
        if current not in (*NOTHING, unset_value):
            inputs[name] = current
    return inputs


def _read_tags(
    row: Row, declared: Properties, description: Response, default_tags: Mapping[str, str]
) -> Properties:
    """Build the inputs that hold the tags from those that the resource has now.

    `tags` does not have the default tags of the provider, unless the program declares them there.
    """
    if "tags" not in row.fields:
        return {}

    path, shape = row.fields["tags"]
    all_tags = tags_from_api(value_at(description, path), shape)
    if "tags" not in declared:
        return {ALL_TAGS: all_tags}

    only_default = default_tags.keys() - cast("Properties", declared["tags"]).keys()
    tags = {key: tag for key, tag in all_tags.items() if key not in only_default}
    return {ALL_TAGS: all_tags, "tags": tags}


def _build_outputs(row: Row, description: Response, inputs: Mapping[str, object]) -> Properties:
    """Combine the inputs of a resource with the values that AWS decided."""
    decided_by_aws = {name: value_at(description, path) for name, path in row.outputs.items()}
    return {**decided_by_aws, **drop_internal(inputs)}
