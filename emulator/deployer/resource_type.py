"""Defines how the deployer describes a resource type: its inputs, outputs and API operations.

To support another type, add an entry to `resources.py`, where the schedule group is the shortest
example, and add a sample resource with changes to its inputs to
`tests/emulator/resource_types.yaml`.

An *input* has the name that Pulumi programs use, for example `roleArn`. An *API path* says where
the input's value belongs in a request. A path consists of field names with dots in between, for
example `Attributes.KmsMasterKeyId`. In `Targets.0.Id`, `0` stands for the only item of a list.

The source code of the real provider shows which inputs force a replacement (`ForceNew`), which
outputs AWS decides (`Computed`) and which values are the defaults:
https://github.com/hashicorp/terraform-provider-aws/tree/main/internal/service
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from emulator.deployer.aws import Aws, Response
from emulator.deployer.translation import ApiField, ApiPaths, ApiStructure, find_field
from emulator.protocol.service_models import load_service_model


class InputOperations(NamedTuple):
    """The operations that set and remove a single input, for example a log group's retention."""

    put: str
    """The operation to call when the input is new or has changed."""
    remove: str = ""
    """The operation to call when a program no longer declares the input."""
    parameter: str = ""
    """The parameter of `put` for the value, if its name differs from that in `create`."""


class TagOperations(NamedTuple):
    """The operations for a resource's tags, whose first parameter is the resource's ARN or name."""

    tag: str = "TagResource"
    untag: str = "UntagResource"
    list: str = "ListTagsForResource"
    """Empty if `ResourceType.read` returns the tags."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ResourceType:
    """A resource type that programs can use.

    `create`, `read`, `update` and `delete` are names of AWS API operations. If reading or updating
    takes more than one operation, `read` or `update` is a function from `calls.py` instead, which
    may raise DeploymentError or NotFoundError.

    Lists of inputs or outputs are strings with spaces between the names.
    """

    service: str
    """The service's name in boto3."""
    create: str
    """Creates a resource. botocore's model of the operation defines the types of the inputs."""
    inputs: str
    """The supported inputs."""
    api_paths: ApiPaths = field(default_factory=dict)
    """The API paths of inputs whose names in the API differ by more than capitalization. The key of
    an input inside a block contains a dot, for example `inputTransformer.inputPaths`."""
    container_path: str = ""
    """The path of a structure whose fields some operations expect as parameters."""
    json_inputs: str = ""
    """The inputs that are JSON documents, in which a change of white space is ignored."""
    name_input: str = "name"
    """The input that contains the physical name, which a program may leave out. Empty for a type
    without names."""
    name_pattern: str = r"[^\x00-\x1f\x7f]+"
    """What physical names must match in addition to the pattern in botocore's model, if it has one.
    By default, they just can't contain control characters."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """The values that the real provider uses for inputs that a program leaves out."""
    fixed_parameters: ApiStructure = field(default_factory=dict)
    """Parameters whose values are the same for every resource."""

    id_template: str = ""
    """The template for Pulumi's ID, in which parameters are filled in. Empty if the ID is the
    physical name or if AWS chooses the ID."""
    id_parameter: str = ""
    """The response field that contains Pulumi's ID if AWS chooses the ID. The other operations have
    a parameter with the same name."""
    read: str | Callable[["Resource"], Response]
    """Describes a resource."""
    response_field: str = ""
    """The response field that contains the description, or a list of descriptions. Empty if the
    response itself is the description."""
    response_paths: ApiPaths = field(default_factory=dict)
    """The paths of inputs in the description if they differ from the paths in the request."""
    drift_inputs: Mapping[str, object] = field(default_factory=dict)
    """The inputs that a refresh reads even if the program doesn't declare them, because people tend
    to set them by hand. The values are what the service returns if nobody has set the input."""
    write_only: str = ""
    """The inputs that the service doesn't return. A refresh keeps their declared values."""
    outputs: ApiPaths = field(default_factory=dict)
    """The outputs that AWS decides, with their paths in the description."""

    update: str | Callable[["Resource"], object] = ""
    """Sets all inputs except tags and `input_operations`. Empty if there are no other inputs."""
    input_operations: Mapping[str, InputOperations] = field(default_factory=dict)
    """The inputs that have their own operations. Those that `create` doesn't accept are set right
    after the creation."""
    removal_values: Mapping[str, object] = field(default_factory=dict)
    """The values that unset inputs. If a request just left these inputs out, the service would keep
    their old values."""
    replace_on_changes: str = ""
    """The inputs that AWS can't change in place, so that a new value requires a new resource."""
    recomputed_outputs: str = ""
    """The outputs that AWS decides again when an update changes anything but the tags."""
    tag_operations: TagOperations = field(default_factory=TagOperations)

    delete: str | None
    """Deletes a resource. None if the resource is deleted together with another one."""

    @property
    def name_parameter(self) -> str:
        """The parameter for the physical name."""
        return self.fields[self.name_input].path.rpartition(".")[2]

    @cached_property
    def fields(self) -> Mapping[str, ApiField]:
        """The API field of each supported input."""
        return {name: self._locate_input(name) for name in self.inputs.split()}

    def _locate_input(self, name: str) -> ApiField:
        """Find an input's field in the model of `create`, or of the input's own operation.

        If neither operation accepts the input, the field is in the response of `create`. Lambda,
        for example, doesn't accept a code hash, but returns one, which a refresh compares with the
        declared hash.
        """
        model = load_service_model(self.service)
        create = model.operation_model(self.create)
        shapes = [create.input_shape, create.output_shape]
        if name in self.input_operations:
            shapes.append(model.operation_model(self.input_operations[name].put).input_shape)

        for shape in shapes:
            api_field = find_field(shape, name, self.api_paths.get(name))
            if api_field is not None:
                return api_field
        raise AttributeError(f"{self.create} has no parameter for {name}")


@dataclass(frozen=True)
class Resource:
    """An existing resource, with the parameters for operations on it."""

    type: ResourceType
    aws: Aws
    """The emulator that the resource is in."""
    id: str
    """The resource's ID in Pulumi."""
    parameters: ApiStructure
    """The inputs and any other parameters, by API name. Each operation gets those it accepts."""
    changed_inputs: frozenset[str] = frozenset()
    """The inputs except the tags that an update adds, removes or changes."""

    def call(self, operation: str, **other_parameters: object) -> Response:
        """Call one of the service's operations for this resource.

        Raises:
            NotFoundError: the resource doesn't exist.
            DeploymentError: the call fails for another reason, which the message explains.
        """
        return self.aws.call(self.type.service, operation, {**self.parameters, **other_parameters})
