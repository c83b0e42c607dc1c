"""Defines what the deployer has to know about a resource type: its inputs and its API operations.

To add a type, add an entry to `resources.py`, and the inputs of a sample resource and some changes
to them to `tests/emulator/resource_types.yaml`. The shortest entry is the one for schedule groups.

An *input* has the name that a Pulumi program uses, for example `roleArn`. An *API path* says where
its value goes in a request. A path consists of field names with dots in between, for example
`Attributes.KmsMasterKeyId`. In `Targets.0.Id`, the step `0` is the only item of a list.

The source code of the real provider shows which inputs force a replacement (`ForceNew`), which
outputs AWS decides (`Computed`), and what the defaults are:
https://github.com/hashicorp/terraform-provider-aws/tree/main/internal/service
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast

from emulator.deployer.translation import ApiField, ApiPaths, ApiStructure, find_field
from emulator.protocol.service_models import load_service_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.model import OperationModel, Shape

    from emulator.deployer.aws import Aws, Response


@dataclass(frozen=True)
class Resource:
    """An existing resource, with everything that API calls about it may need."""

    id: str
    """The ID that Pulumi knows the resource by."""
    parameters: ApiStructure
    """The inputs and any other parameters, by API name. Each operation takes what it accepts."""
    changed_inputs: frozenset[str] = frozenset()
    """The inputs that an update adds, removes or changes, except the tags."""


class InputOperations(NamedTuple):
    """The operations that set and remove a single input, such as a log group's retention."""

    put: str
    remove: str = ""
    """The operation to call if a program no longer declares the input."""
    parameter: str = ""
    """The parameter of `put` that takes the value, if the creating operation names it otherwise."""


class TagOperations(NamedTuple):
    """The operations for a resource's tags. The first parameter of each is its ARN or name."""

    tag: str = "TagResource"
    untag: str = "UntagResource"
    list: str = "ListTagsForResource"
    """Empty if `ResourceType.read` returns the tags."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ResourceType:
    """A resource type that programs can use.

    `create`, `read`, `update` and `delete` name operations of the AWS API. If a single operation
    isn't enough, it's a function from `calls.py` instead, which may raise DeploymentError or
    NotFoundError.

    Fields that list inputs or outputs are strings with spaces in between.
    """

    service: str
    """The service's name in boto3."""
    create: str
    """Creates a resource. botocore's model of this operation defines the types of the inputs."""
    inputs: str
    """The supported inputs."""
    api_paths: ApiPaths = field(default_factory=dict)
    """The API paths of inputs whose API name differs in more than capitalization. The key of an
    input inside a block has a dot, for example `inputTransformer.inputPaths`."""
    container_path: str = ""
    """The path of the parameter that holds all inputs that aren't parameters themselves."""
    json_inputs: str = ""
    """The inputs that are JSON documents. White space in them doesn't count as a change."""
    name_input: str = "name"
    """The input that holds the physical name."""
    name_pattern: str = ""
    """The regular expression for physical names, or empty for a type without names. If it doesn't
    limit the length, botocore's model does. A program may leave the name out."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """The values that the real provider uses for inputs that a program leaves out."""
    fixed_parameters: ApiStructure = field(default_factory=dict)
    """Parameters whose values are the same for every resource."""

    id_template: str = ""
    """The template for Pulumi's ID, to be filled in with parameters. Empty if the ID is the
    physical name, or if AWS chooses it."""
    id_parameter: str = ""
    """The response field with Pulumi's ID, if AWS chooses it. The other operations take the ID as a
    parameter of the same name."""
    read: str | Callable[[Resource, Aws], Response]
    """Describes a resource."""
    response_field: str = ""
    """The response field that holds the description, or a list of them. Empty if the response is
    the description itself."""
    response_paths: ApiPaths = field(default_factory=dict)
    """The paths of inputs in the description, if they differ from those in the request."""
    drift_inputs: Mapping[str, object] = field(default_factory=dict)
    """The inputs that a refresh reads even if the program doesn't declare them, because people tend
    to set them by hand. Their values are what the service returns if nobody has."""
    write_only: str = ""
    """The inputs that the service doesn't return. A refresh keeps their declared values."""
    outputs: ApiPaths = field(default_factory=dict)
    """The outputs that AWS decides, and their paths in the description."""

    update: str | Callable[[Resource, Aws], object] = ""
    """Sets all inputs except tags and `input_operations`. Empty if there are no others."""
    input_operations: Mapping[str, InputOperations] = field(default_factory=dict)
    """The inputs that have operations of their own. If `create` doesn't accept one of them, it's
    set right after the creation."""
    removal_values: Mapping[str, object] = field(default_factory=dict)
    """The values that unset inputs. If a request just left these inputs out, the service would keep
    their old values."""
    replace_on_changes: str = ""
    """The inputs that AWS can't change in place, so a new value needs a new resource."""
    recomputed_outputs: str = ""
    """The outputs that AWS decides again if an update changes anything but the tags."""
    tag_operations: TagOperations = field(default_factory=TagOperations)

    delete: str | None
    """Deletes a resource. None if the resource disappears together with another one."""

    @property
    def name_parameter(self) -> str:
        """The parameter that takes the physical name."""
        return self.fields[self.name_input].path.rpartition(".")[2]

    @cached_property
    def fields(self) -> Mapping[str, ApiField]:
        """Where each supported input goes in a request."""
        return {name: self._locate_input(name) for name in self.inputs.split()}

    def _locate_input(self, name: str) -> ApiField:
        """Locate an input in the request, or if no operation takes it, in the creation's response.

        Lambda, for example, takes no code hash, but returns one, which a refresh compares with the
        declared hash.
        """
        response = cast("Shape", self._load_model(self.create).output_shape)
        api_field = (
            self._find_parameter(name)
            or self._find_in_container(name)
            or find_field(response, name)
        )
        if api_field is None:
            raise AttributeError(f"{self.create} has no parameter for {name}")
        return api_field

    def _find_parameter(self, name: str) -> ApiField | None:
        """Find the parameter for an input, either in `create` or in the input's own operation."""
        api_path = self.api_paths.get(name)
        parameter = find_field(self._load_parameters(self.create), name, api_path)
        if parameter is None and name in self.input_operations:
            put_parameters = self._load_parameters(self.input_operations[name].put)
            parameter = find_field(put_parameters, name, api_path)
        return parameter

    def _find_in_container(self, name: str) -> ApiField | None:
        """Find an input inside the parameter at `container_path`."""
        container = find_field(self._load_parameters(self.create), "", self.container_path)
        if container is None:
            return None

        inner_field = find_field(container.shape, name)
        if inner_field is None:
            return None
        return ApiField(f"{container.path}.{inner_field.path}", inner_field.shape)

    def _load_parameters(self, operation: str) -> Shape:
        """Load the shape that has an operation's parameters as its members."""
        return cast("Shape", self._load_model(operation).input_shape)

    def _load_model(self, operation: str) -> OperationModel:
        """Load botocore's model of an operation."""
        return load_service_model(self.service).operation_model(operation)
