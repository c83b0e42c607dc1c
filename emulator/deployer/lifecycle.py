"""Creates, reads, updates and deletes a resource with the API operations of its type."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import NamedTuple

from emulator.deployer import models
from emulator.deployer.aws import Aws, Response
from emulator.deployer.diff import compare_inputs
from emulator.deployer.errors import NotFoundError
from emulator.deployer.resource_type import Resource, ResourceType
from emulator.deployer.translation import (
    ApiStructure,
    find_value,
    from_api,
    merge,
    nest,
    satisfies,
    tags_from_api,
    to_api,
)
from emulator.deployer.wire import ALL_TAGS, UNKNOWN, Properties, drop_internal

UNSET_VALUES: tuple[object, ...] = (None, "", [], {})
"""The values that services return for inputs that aren't set."""


class ResourceState(NamedTuple):
    """What Pulumi's engine stores in the stack's state about a resource."""

    id: str
    inputs: Properties
    outputs: Properties


# The operations of Pulumi's engine


def plan_outputs(
    resource_type: ResourceType,
    old_inputs: Mapping[str, object],
    old_outputs: Mapping[str, object],
    new_inputs: Mapping[str, object],
) -> Properties:
    """Predict a resource's outputs for a preview.

    An output is UNKNOWN if AWS won't decide it before the deployment. For a new resource, which has
    no old inputs and outputs, that's true of everything that AWS decides.
    """
    aws_outputs = {name: old_outputs.get(name, UNKNOWN) for name in resource_type.outputs}

    changed_inputs = compare_inputs(resource_type, old_inputs, new_inputs).changed
    if changed_inputs - {"tags", ALL_TAGS}:
        aws_outputs |= dict.fromkeys(resource_type.recomputed_outputs.split(), UNKNOWN)

    return {**aws_outputs, **drop_internal(new_inputs)}


def create_resource(resource_type: ResourceType, inputs: Properties, aws: Aws) -> ResourceState:
    """Create a resource from the inputs that `Check` has completed, and read its outputs."""
    parameters = _translate_inputs(resource_type, inputs)
    # Unlike the input `tags`, this one includes the provider's default tags.
    tags = inputs.get(ALL_TAGS)
    if tags:
        path, shape = resource_type.fields["tags"]
        parameters[path] = to_api(tags, shape, "tags", {})

    response = aws.call(resource_type.service, resource_type.create, parameters)
    resource_id = _choose_id(resource_type, response, parameters)

    remaining_inputs = _list_remaining_inputs(resource_type, inputs)
    resource = _build_resource(resource_type, resource_id, inputs, aws, remaining_inputs)
    _apply_input_operations(resource, inputs)

    outputs = _build_outputs(resource_type, _describe_resource(resource), inputs)
    return ResourceState(resource_id, inputs, outputs)


def _choose_id(resource_type: ResourceType, response: Response, parameters: ApiStructure) -> str:
    """Return a new resource's ID in Pulumi: AWS's ID, a filled-in template or the physical name."""
    if resource_type.id_parameter:
        return str(response[resource_type.id_parameter])
    if resource_type.id_template:
        return resource_type.id_template.format_map(parameters)
    return str(parameters[resource_type.name_parameter])


def _list_remaining_inputs(resource_type: ResourceType, inputs: Properties) -> set[str]:
    """List the inputs that `create` doesn't accept, so their own operations have to set them."""
    parameters = models.list_parameters(resource_type.service, resource_type.create)
    return {
        name
        for name in resource_type.input_operations.keys() & inputs.keys()
        if resource_type.fields[name].path not in parameters
    }


def read_resource(
    resource_type: ResourceType,
    resource_id: str,
    inputs: Properties,
    default_tags: Mapping[str, str],
    aws: Aws,
) -> ResourceState | None:
    """Read a resource's current state for a refresh, or return None if it no longer exists.

    `inputs` are the inputs in the stack's state.
    """
    try:
        description = _describe_resource(_build_resource(resource_type, resource_id, inputs, aws))
    except NotFoundError:
        return None

    current_inputs = {
        **_read_inputs(resource_type, inputs, description),
        **_read_tags(resource_type, inputs, description, default_tags),
    }
    outputs = _build_outputs(resource_type, description, current_inputs)
    return ResourceState(resource_id, current_inputs, outputs)


def update_resource(
    resource_type: ResourceType,
    resource_id: str,
    old_inputs: Properties,
    new_inputs: Properties,
    aws: Aws,
) -> Properties:
    """Update a resource in place and return its new outputs."""
    changed_inputs = compare_inputs(resource_type, old_inputs, new_inputs).changed
    changed_except_tags = changed_inputs - {"tags", ALL_TAGS}
    resource = _build_resource(resource_type, resource_id, new_inputs, aws, changed_except_tags)

    _apply_input_operations(resource, new_inputs)
    if changed_except_tags - resource_type.input_operations.keys():
        if callable(resource_type.update):
            resource_type.update(resource)
        else:
            resource.call(resource_type.update)

    outputs = _build_outputs(resource_type, _describe_resource(resource), new_inputs)
    if ALL_TAGS in changed_inputs:
        _update_tags(resource, old_inputs, outputs)
    return outputs


def delete_resource(
    resource_type: ResourceType, resource_id: str, inputs: Properties, aws: Aws
) -> None:
    """Delete a resource. Do nothing if it no longer exists."""
    if resource_type.delete is None:
        return

    resource = _build_resource(resource_type, resource_id, inputs, aws)
    with suppress(NotFoundError):
        resource.call(resource_type.delete)


# The parameters of API calls


def _build_resource(
    resource_type: ResourceType,
    resource_id: str,
    inputs: Properties,
    aws: Aws,
    changed_inputs: AbstractSet[str] = frozenset(),
) -> Resource:
    """Collect the parameters for operations on an existing resource.

    Inputs that the program no longer declares get the values that unset them. If an update request
    just left these inputs out, the service would keep their old values.
    """
    removed_inputs = changed_inputs - inputs.keys()
    removal_values = {
        name: value
        for name, value in resource_type.removal_values.items()
        if name in removed_inputs
    }

    parameters = _translate_inputs(resource_type, {**inputs, **removal_values})
    if resource_type.id_parameter:
        parameters[resource_type.id_parameter] = resource_id
    return Resource(resource_type, aws, resource_id, parameters, frozenset(changed_inputs))


def _translate_inputs(resource_type: ResourceType, inputs: Mapping[str, object]) -> ApiStructure:
    """Translate all inputs except the tags into request parameters.

    The values in the type's container are also added at the top level because some of them are
    parameters of the operations that read or delete a resource.
    """
    parameters = resource_type.fixed_parameters
    for name, (path, shape) in resource_type.fields.items():
        if name in inputs and name != "tags":  # Tags have their own operations.
            value = to_api(inputs[name], shape, name, resource_type.api_paths)
            parameters = merge(parameters, nest(path, value))

    container = find_value(parameters, resource_type.container_path) or {}
    return {**container, **parameters}


def _apply_input_operations(resource: Resource, inputs: Properties) -> None:
    """Set or remove those changed inputs that have their own operations."""
    all_operations = resource.type.input_operations
    for name in sorted(resource.changed_inputs & all_operations.keys()):
        operations = all_operations[name]
        if name not in inputs:
            resource.call(operations.remove)
            continue

        parameter = resource.type.fields[name].path
        value = resource.parameters[parameter]
        resource.call(operations.put, **{operations.parameter or parameter: value})


# Descriptions


def _describe_resource(resource: Resource) -> Response:
    """Read a resource's description, and add its ID and tags if they're missing in the response.

    Raises:
        NotFoundError: the resource doesn't exist.
    """
    resource_type = resource.type
    description = _read_description(resource)
    if resource_type.id_parameter:
        description = {**description, resource_type.id_parameter: resource.id}

    list_tags = resource_type.tag_operations.list
    if "tags" in resource_type.fields and list_tags:
        arn = find_value(description, resource_type.outputs["arn"])
        response = _call_tag_operation(resource, list_tags, arn)
        tags = response.get("Tags", response.get("tags"))  # The spelling depends on the service.
        description = {**description, resource_type.fields["tags"].path: tags}
    return description


def _read_description(resource: Resource) -> Response:
    """Call the type's `read` operation and extract the resource's description from the response.

    Raises:
        NotFoundError: the resource doesn't exist, or isn't in the list that the response contains.
    """
    resource_type = resource.type
    if not isinstance(resource_type.read, str):
        return resource_type.read(resource)

    description = resource.call(resource_type.read)
    if resource_type.response_field:
        description = description[resource_type.response_field]
    if not isinstance(description, list):
        return description

    name_parameter = resource_type.name_parameter
    for listed_resource in description:
        if listed_resource[name_parameter] == resource.parameters[name_parameter]:
            found: Response = nest(resource_type.container_path, listed_resource)
            return found
    raise NotFoundError(resource.id)


def _build_outputs(
    resource_type: ResourceType, description: Response, inputs: Mapping[str, object]
) -> Properties:
    """Merge a resource's inputs with the outputs that AWS has decided."""
    aws_outputs = {
        name: find_value(description, path) for name, path in resource_type.outputs.items()
    }
    return {**aws_outputs, **drop_internal(inputs)}


# Tags


def _call_tag_operation(
    resource: Resource, operation: str, arn: object, *tags_or_keys: object
) -> Response:
    """Call one of the type's tag operations.

    The parameter names depend on the service, so they're filled in by position: the first one is
    the resource's ARN or name, and the second one, if any, contains tags or tag keys.
    """
    parameter_names = models.list_parameters(resource.type.service, operation)
    parameters = dict(zip(parameter_names, (arn, *tags_or_keys), strict=False))
    # A resource that's tagged by its name already has that parameter.
    return resource.call(operation, **{**parameters, **resource.parameters})


def _update_tags(resource: Resource, old_inputs: Properties, outputs: Properties) -> None:
    """Remove the tags that are no longer declared, and set those that are new or have changed."""
    arn = outputs["arn"]
    old_tags = old_inputs.get(ALL_TAGS, {})
    new_tags = outputs[ALL_TAGS]

    removed_keys = sorted(old_tags.keys() - new_tags.keys())
    if removed_keys:
        _call_tag_operation(resource, resource.type.tag_operations.untag, arn, removed_keys)

    changed_tags = {key: value for key, value in new_tags.items() if old_tags.get(key) != value}
    if changed_tags:
        api_tags = to_api(changed_tags, resource.type.fields["tags"].shape, "tags", {})
        _call_tag_operation(resource, resource.type.tag_operations.tag, arn, api_tags)


def _read_tags(
    resource_type: ResourceType,
    declared: Properties,
    description: Response,
    default_tags: Mapping[str, str],
) -> Properties:
    """Build the inputs `tags` and `tagsAll` from a resource's current tags.

    `tags` doesn't contain the provider's default tags, except those that the resource also declares
    itself.
    """
    if "tags" not in resource_type.fields:
        return {}

    path, shape = resource_type.fields["tags"]
    all_tags = tags_from_api(find_value(description, path), shape)
    if "tags" not in declared:
        return {ALL_TAGS: all_tags}

    default_keys = default_tags.keys() - declared["tags"].keys()
    own_tags = {key: value for key, value in all_tags.items() if key not in default_keys}
    return {ALL_TAGS: all_tags, "tags": own_tags}


# The inputs that a refresh finds


def _read_inputs(
    resource_type: ResourceType, declared: Properties, description: Response
) -> Properties:
    """Return a resource's current inputs, except its tags.

    Inputs that AWS can't change in place keep their declared values. Of the undeclared inputs, only
    `drift_inputs` are read because services choose values for most of the others themselves.
    """
    inputs = {**_read_undeclared_inputs(resource_type, description), **declared}
    unchangeable = {*resource_type.replace_on_changes.split()}
    write_only = {*resource_type.write_only.split()}
    readable = resource_type.fields.keys() - {"tags"} - unchangeable - write_only

    for name in readable & declared.keys():
        value = _read_input(resource_type, name, declared[name], description)
        if value is None:
            del inputs[name]
        else:
            inputs[name] = value
    return inputs


def _read_input(
    resource_type: ResourceType, name: str, declared: object, description: Response
) -> object:
    """Return an input's current value, or None if it's no longer set.

    If the current value is equivalent to the declared value, return the declared value. Otherwise,
    a refresh would report a change whenever a service formats a JSON document differently.
    """
    path, shape = resource_type.fields[name]
    current = find_value(description, resource_type.response_paths.get(name, path))

    if satisfies(current, to_api(declared, shape, name, resource_type.api_paths)):
        return declared
    if current in UNSET_VALUES:
        return resource_type.defaults.get(name)
    return from_api(current, declared, shape, name, resource_type.api_paths)


def _read_undeclared_inputs(resource_type: ResourceType, description: Response) -> Properties:
    """Return the `drift_inputs` whose current values differ from their unset values."""
    inputs: Properties = {}
    for name, unset_value in resource_type.drift_inputs.items():
        path, shape = resource_type.fields[name]
        api_value = find_value(description, resource_type.response_paths.get(name, path))
        current = from_api(api_value, unset_value, shape, name, resource_type.api_paths)

        if current not in (*UNSET_VALUES, unset_value):
            inputs[name] = current
    return inputs
