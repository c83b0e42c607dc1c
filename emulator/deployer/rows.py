"""Defines a row of the resource table: one resource type, its inputs, and its calls of the AWS API.

To add a resource type, write a row in `resources.py`, and the inputs of a resource with their
changes in `tests/emulator/resource_types.yaml`. The shortest row is that of the schedule groups.

The source of the real provider says which inputs replace the resource (`ForceNew`), which outputs
AWS decides (`Computed`), and what the defaults are:
https://github.com/hashicorp/terraform-provider-aws/tree/main/internal/service
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast

from emulator.deployer.translation import Field, Names, Request, find_field
from emulator.protocol.service_models import load_service_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.model import OperationModel, Shape

    from emulator.deployer.aws import Aws, Response


@dataclass(frozen=True)
class Resource:
    """A resource that exists, as the functions of a row need it."""

    id: str
    """Pulumi's id of the resource."""
    values: Request
    """The inputs under the API's names, and the other parameters of the calls."""
    changed: frozenset[str] = frozenset()
    """The inputs that an update adds, removes or changes, except the tags."""


class OwnCall(NamedTuple):
    """The operations that set and remove one input of a resource."""

    put: str
    remove: str = ""
    """It is called if the input is removed."""
    parameter: str = ""
    """The parameter of `put` that takes the value, if it has another name in `operation`."""


class TagCalls(NamedTuple):
    """The operations for the tags of a resource. The first parameter of each is its ARN or name."""

    tag: str = "TagResource"
    untag: str = "UntagResource"
    list: str = "ListTagsForResource"
    """Empty if `read` returns the tags."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """A resource type.

    A call is the name of an operation, or a function that may raise DeploymentError or GoneError.
    An operation gets those values of the resource that are its parameters.
    """

    service: str
    """The service, as boto3 names it."""
    operation: str
    """The operation that creates a resource. Its model in botocore has the types of the inputs."""
    inputs: str
    """The supported inputs, separated by spaces."""
    api_names: Names = field(default_factory=dict)
    """The paths of inputs whose names in the API differ in more than upper and lower case. A dotted
    key is an input inside a block. The step `0` of a path is the only item of a list."""
    within: str = ""
    """The path of the parameter that contains the inputs that are no parameters themselves."""
    documents: str = ""
    """The inputs that are JSON documents. Two documents may differ only in their spaces."""
    name_input: str = "name"
    """The input that holds the physical name."""
    name_pattern: str = ""
    """The regular expression for the physical name, or empty for a type without a name. A name is
    filled in if the program leaves it out. The model has the longest name, if this has none."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """The values that the real provider fills in for inputs that the program leaves out."""
    constants: Request = field(default_factory=dict)
    """Values of parameters that are the same for every resource."""

    id: str = ""
    """The template of Pulumi's id, filled in with the values, if it is not the physical name."""
    id_parameter: str = ""
    """The member of the response that is Pulumi's id, if AWS decides the id. It is a parameter of
    the other calls."""
    read: str | Callable[[Resource, Aws], Response]
    """Describes the resource."""
    found_in: str = ""
    """The member of the response that describes the resource, or that is a list of resources."""
    read_names: Names = field(default_factory=dict)
    """The paths in the response of inputs that have another path there than in `operation`."""
    undeclared: Mapping[str, object] = field(default_factory=dict)
    """The inputs that a refresh also reads if the program leaves them out, because people set them
    by hand -> what the service has if nobody has set them."""
    unreadable: str = ""
    """The inputs that the response does not have. They keep their declared values."""
    outputs: Names = field(default_factory=dict)
    """The outputs that AWS decides -> their paths in the response."""

    update: str | Callable[[Resource, Aws], object] = ""
    """Sets the inputs, except tags and those with an own call. Empty if there are no others."""
    own_calls: Mapping[str, OwnCall] = field(default_factory=dict)
    """The inputs that have operations of their own. An input that `operation` does not take is set
    right after the creation."""
    unset: Mapping[str, object] = field(default_factory=dict)
    """The values that remove inputs which an update would keep if its request left them out."""
    replacing: str = ""
    """The inputs that AWS cannot change. A new value needs a new resource."""
    recomputed_outputs: str = ""
    """The outputs that AWS decides again in an update of more than the tags."""
    tag_calls: TagCalls = field(default_factory=TagCalls)

    delete: str | None
    """Deletes the resource. None if nothing is left."""

    @property
    def name_parameter(self) -> str:
        """The parameter that takes the physical name."""
        return self.fields[self.name_input].path.rpartition(".")[2]

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The place of each input in the API."""
        return {name: self._field(name) for name in self.inputs.split()}

    def _field(self, name: str) -> Field:
        """Find the place of an input: a parameter, a field inside one, or a field of the response.

        An input whose place is in the response, such as the hash of a code, is only compared.
        """
        response = cast("Shape", self._model(self.operation).output_shape)
        field = (
            self._find_parameter(name)
            or self._find_inside_parameter(name)
            or find_field(response, name)
        )
        if field is None:
            raise AttributeError(f"{self.operation} has no parameter for {name}")
        return field

    def _find_parameter(self, name: str) -> Field | None:
        """Find the parameter for an input, in the creation or in its own operation."""
        api_path = self.api_names.get(name)
        field = find_field(self._shape(self.operation), name, api_path)
        if field is None and name in self.own_calls:
            field = find_field(self._shape(self.own_calls[name].put), name, api_path)
        return field

    def _find_inside_parameter(self, name: str) -> Field | None:
        """Find the field for an input inside the parameter `within`."""
        container = find_field(self._shape(self.operation), "", self.within)
        if container is None:
            return None
        inner = find_field(container.shape, name)
        if inner is None:
            return None
        return Field(f"{container.path}.{inner.path}", inner.shape)

    def _shape(self, operation: str) -> Shape:
        """Return the shape with the parameters of an operation."""
        return cast("Shape", self._model(operation).input_shape)

    def _model(self, operation: str) -> OperationModel:
        return load_service_model(self.service).operation_model(operation)
