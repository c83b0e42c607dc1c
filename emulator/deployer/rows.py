"""Defines a row of the resource table: one resource type, its inputs, and its calls of the AWS API.

To add a resource type:

1. Write the functions that create, read, update and delete the resource in
   `resources_<service>.py`, and a row that names them. List a new module in `resources.py`.
2. Write the rule that AWS has for the physical name in `naming.py`.
3. Add a lifecycle to `tests/emulator/test_provider_rows.py`, which has the inputs of a resource and
   the changes of them. Add a resource to `tests/emulator/test_deployer_resources.py`, with the
   response of boto3 that describes it.

The source of the real provider says which inputs replace the resource (`ForceNew`), which outputs
AWS decides (`Computed`), and what the defaults are:
https://github.com/hashicorp/terraform-provider-aws/tree/main/internal/service
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws
    from emulator.deployer.naming import NameRule
    from emulator.deployer.translation import InputTable, Request

Outputs: TypeAlias = Mapping[str, object]
"""Pulumi's names of output properties -> plain JSON values."""


@dataclass(frozen=True)
class Identity:
    """A resource that exists, as the calls that read or delete it need it."""

    id: str
    """Pulumi's id of the resource."""
    request: Request
    """The inputs that were last set, under the API's names. An archive may have no content."""


@dataclass(frozen=True)
class Snapshot:
    """A resource as the service describes it now."""

    values: Mapping[str, object]
    """The values of the inputs under the API's names. An input that is missing is not set. Values
    that are no inputs are ignored."""
    outputs: Outputs = field(default_factory=dict)
    """The outputs that AWS decides. An input that AWS fills in if it is not set is also here."""


@dataclass(frozen=True)
class Change:
    """An update of a resource in place."""

    id: str
    """Pulumi's id of the resource."""
    request: Request
    """All inputs after the update, under the API's names."""
    changed: frozenset[str]
    """The API's names of the inputs that are added, removed or get another value."""

    def changed_values(self, *names: str) -> Request:
        """Return the new values of those named inputs that are added or get another value."""
        return {
            name: self.request[name]
            for name in names
            if name in self.changed and name in self.request
        }


@dataclass(frozen=True)
class Tagging:
    """The operations that change the tags of a resource.

    The attributes that end with `_parameter` are names of parameters of the operations.
    """

    service: str
    resource_parameter: str
    """The parameter that identifies the resource."""
    resource_value: Callable[[str, Aws], str] = lambda identifier, _aws: identifier
    """Returns the value of that parameter for Pulumi's id. It is the id itself, or an ARN."""
    tag_operation: str = "TagResource"
    untag_operation: str = "UntagResource"
    tags_parameter: str = "Tags"
    """The parameter that holds the new tags."""
    keys_parameter: str = "TagKeys"
    """The parameter that holds the keys of the tags to remove."""


@dataclass(frozen=True)
class DeletionLimit:
    """The limits of the wait for a deletion: a time, and a cancellation by the user."""

    seconds: float
    """The seconds that the program allows (`custom_timeouts`), or 0 for the limit of the type."""
    cancelled: Event = field(default_factory=Event)
    """Set when the user cancels the deployment."""


def never_updated(_change: Change, _aws: Aws) -> None:
    """Raise AssertionError. Use this as `update` if every input of a type replaces the resource."""
    raise AssertionError("a changed input of this type replaces the resource")


def delete_by_id(
    service: str, operation: str, parameter: str
) -> Callable[[Identity, Aws, DeletionLimit], object]:
    """Return the `delete` of a type that one call deletes. `parameter` takes Pulumi's id."""
    return lambda identity, aws, _limit: aws.call(service, operation, {parameter: identity.id})


@dataclass(frozen=True, kw_only=True)
class Row:
    """A resource type. The functions may raise InputRefusedError and botocore's errors."""

    inputs: InputTable
    """The supported inputs, with their names in the API and the converters of their values."""
    name_rule: NameRule | None = None
    """AWS's rule for the physical name, or None for a type without a name."""
    name_input: str = "name"
    """The input that holds the physical name. It is filled in if the program leaves it out."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """The values that the real provider fills in for inputs that the program leaves out."""
    regional: bool = True
    """False for a global service, such as IAM. Its resources have no input `region`."""

    create: Callable[[Request, Aws], str]
    """Creates the resource with one call and returns its Pulumi id."""
    set_after_creation: frozenset[str] = frozenset()
    """The inputs that `create` does not take. `update` sets them right after it."""
    read: Callable[[Identity, Aws], Snapshot]
    """Reads the resource. Raises GoneError or botocore's error if it does not exist."""
    not_found_codes: frozenset[str] = frozenset({"ResourceNotFoundException"})
    """The error codes of the service for a resource that does not exist."""
    unreadable_inputs: frozenset[str] = frozenset()
    """The inputs that the service does not return. They keep their declared values."""
    computed_outputs: frozenset[str] = frozenset()
    """The outputs that AWS decides when it creates the resource."""

    update: Callable[[Change, Aws], object]
    """Sets the inputs that have changed, except the tags."""
    replacing_inputs: frozenset[str] = frozenset()
    """The inputs that AWS cannot change. A new value needs a new resource."""
    recomputed_outputs: Callable[[frozenset[str], Outputs], frozenset[str]] = (
        lambda _changed, _inputs: frozenset()
    )
    """Returns the names of the outputs that AWS decides again in an update. The arguments are the
    names of the inputs that change, and all new inputs."""
    tagging: Tagging | None = None
    """The operations that change the tags, or None for a type without tags."""

    delete: Callable[[Identity, Aws, DeletionLimit], object]
    """Deletes the resource and waits until it does not exist any more."""


Rows: TypeAlias = Mapping[str, Row]
"""Pulumi's type tokens -> rows."""
