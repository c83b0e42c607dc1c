"""Makes the calls of a row for a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from emulator.deployer import models
from emulator.deployer.errors import GoneError
from emulator.deployer.inputs import ALL_TAGS, without_internal
from emulator.deployer.rows import NO_LIMIT, DeletionLimit, Resource
from emulator.deployer.translation import merge, nest, split_path, to_api, value_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from emulator.deployer.aws import Aws, Response
    from emulator.deployer.rows import Row
    from emulator.deployer.translation import Request
    from emulator.deployer.wire import Properties

NO_PARAMETERS = {"region", "tags", ALL_TAGS}
"""The inputs that no parameter of an update takes. Tags have operations of their own."""


def api_values(row: Row, inputs: Mapping[str, object]) -> Request:
    """Return the constants and the inputs under the API's names, without the tags.

    The values in the parameter `within` are also values of their own, because operations that read
    or delete a resource take some of them.
    """
    values: object = row.constants
    for name, value in without_internal(inputs).items():
        if name not in NO_PARAMETERS and not row.is_unset(name, value):
            path, shape = row.fields[name]
            values = merge(values, nest(path, to_api(value, shape, name, row.api_names)))
    inner = value_at(values, split_path(row.within))
    return {**cast("Request", inner or {}), **cast("Request", values)}


def existing_resource(
    row: Row,
    identifier: str,
    inputs: Properties,
    changed: AbstractSet[str] = frozenset(),
    limit: DeletionLimit = NO_LIMIT,
) -> Resource:
    """Return a resource as the functions of its row need it.

    An input that was removed has the value that removes it.
    """
    removed = changed - inputs.keys()
    unset = {name: value for name, value in row.unset.items() if name in removed}
    own_id = {row.id_parameter: identifier} if row.id_parameter else {}
    values = {**api_values(row, {**inputs, **unset}), **own_id}
    return Resource(identifier, values, frozenset(changed), limit)


def create(row: Row, inputs: Properties, aws: Aws) -> str:
    """Create a resource, and return its id."""
    values = api_values(row, inputs)
    if tags := inputs.get(ALL_TAGS):
        path, shape = row.fields["tags"]
        values[path[0]] = to_api(tags, shape, "tags", {})
    create = row.create or (lambda values, aws: aws.call(row.service, row.operation, values))
    response = create(values, aws)
    if row.id:
        return row.id(values)
    if row.id_parameter:
        return str(response[row.id_parameter])
    return str(values[row.fields[row.name_input].path[-1]])


def make_call(
    row: Row, call: str | Callable[[Resource, Aws], object] | None, resource: Resource, aws: Aws
) -> None:
    """Update or delete a resource with a call of its row. Do nothing if it has no such call."""
    if isinstance(call, str):
        aws.call(row.service, call, resource.values)
    elif call:
        call(resource, aws)


def set_own_inputs(row: Row, resource: Resource, inputs: Properties, aws: Aws) -> None:
    """Set or remove the changed inputs that have operations of their own."""
    for name in sorted(resource.changed & row.own_calls.keys()):
        call, path = row.own_calls[name], row.fields[name].path
        if name in inputs and not row.is_unset(name, inputs[name]):
            value = value_at(resource.values, path)
            values = {**resource.values, call.parameter or path[-1]: value}
            aws.call(row.service, call.put, values)
        else:
            aws.call(row.service, call.remove, resource.values)


def describe(row: Row, resource: Resource, aws: Aws) -> Response:
    """Return the description of a resource, with its tags and its id.

    Raises GoneError if the resource does not exist.
    """
    description = _read(row, resource, aws)
    if row.id_parameter:
        description = {**description, row.id_parameter: resource.id}
    if "tags" in row.fields and row.tag_calls.list:
        arn = value_at(description, split_path(row.outputs["arn"]))
        response = call_for_tags(row, row.tag_calls.list, resource, arn, aws=aws)
        tags = response.get("Tags", response.get("tags", {}))
        description = {**description, row.fields["tags"].path[0]: tags}
    return description


def _read(row: Row, resource: Resource, aws: Aws) -> Response:
    """Return what a call says about a resource. Raises GoneError if a list does not contain it."""
    if row.read is None:
        return {}
    if not isinstance(row.read, str):
        return row.read(resource, aws)
    output = models.members(models.operation_model(row.service, row.read).output_shape)
    if not row.found_in or output[row.found_in].type_name != "list":
        response = aws.call(row.service, row.read, resource.values)
        return cast("Response", response[row.found_in]) if row.found_in else response
    name = row.fields[row.name_input].path[-1]
    for item in aws.list_items(row.service, row.read, row.found_in, resource.values):
        if item[name] == resource.values[name]:
            return cast("Response", nest(split_path(row.within), item))
    raise GoneError(resource.id)


def call_for_tags(
    row: Row, operation: str, resource: Resource, arn: object, *tags: object, aws: Aws
) -> Response:
    """Call an operation for tags, whose parameters are the ARN or name of a resource, and tags.

    `tags` has the tags or the keys of tags, if the operation takes some.
    """
    first, *others = models.parameters(row.service, operation)
    request = {first: resource.values.get(first, arn), **dict(zip(others, tags, strict=False))}
    return aws.call(row.service, operation, request)
