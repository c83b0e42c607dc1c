"""Defines a row of the resource table: one Pulumi type, its inputs, and its calls of the AWS API.

To add a resource type, write three things:

1. In `resources_<service>.py`, the functions that create, read, update and delete the resource, and
   a row that names them. List a new module of this kind in `resources.py`.
2. In `naming.py`, the rule that AWS has for the physical name.
3. In `tests/emulator/test_provider_rows.py`, a lifecycle: the inputs of a resource and the changes
   of them. In `test_deployer_resources.py`, a resource of the type, and what boto3 sees of it.

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
    """The identity of a resource that exists."""

    id: str
    """Pulumi's id of the resource."""
    request: Request
    """The inputs that were last set, under the API's names, without the content of an archive."""


@dataclass(frozen=True)
class Snapshot:
    """The description of a resource that the service returns."""

    values: Mapping[str, object]
    """The values of the inputs under the API's names. An input that is missing is not set."""
    outputs: Outputs = field(default_factory=dict)
    """The values that AWS decides. An input that AWS fills in is also here."""


@dataclass(frozen=True)
class Change:
    """An update of a resource."""

    id: str
    """Pulumi's id of the resource."""
    request: Request
    """All inputs after the update, under the API's names."""
    changed: frozenset[str]
    """The API's names of the inputs that were added, removed or given another value."""

    def changed_values(self, *names: str) -> Request:
        """Return the new values of the named inputs that have changed and were not removed."""
        return {
            name: self.request[name]
            for name in names
            if name in self.changed and name in self.request
        }

    def request_without(self, *names: str) -> Request:
        """Return all inputs after the update except the named ones."""
        return {name: value for name, value in self.request.items() if name not in names}


@dataclass(frozen=True)
class Tagging:
    """The operations that change the tags of a resource."""

    service: str
    resource_parameter: str
    """The parameter that names the resource."""
    resource_value: Callable[[str, Aws], str] = lambda identifier, _aws: identifier
    """Returns the value of `resource_parameter` for Pulumi's id."""
    tag_operation: str = "TagResource"
    untag_operation: str = "UntagResource"
    tags_parameter: str = "Tags"
    """The parameter that holds the new tags."""
    keys_parameter: str = "TagKeys"
    """The parameter that holds the keys of the tags to remove."""


@dataclass(frozen=True)
class DeletionLimit:
    """The limits of waiting for a deletion."""

    seconds: float
    """The seconds that the program allows, or 0 for the limit of the type."""
    cancelled: Event = field(default_factory=Event)
    """Set when the user cancels the deployment."""


def never_updated(_change: Change, _aws: Aws) -> None:
    """Raise AssertionError. Use this as the `update` of a type whose inputs all replace it."""
    raise AssertionError("each input of this type replaces the resource")


def delete_by_id(
    service: str, operation: str, parameter: str
) -> Callable[[Identity, Aws, DeletionLimit], object]:
    """Return a function that deletes a resource with one call that takes Pulumi's id."""
    return lambda identity, aws, _limit: aws.call(service, operation, {parameter: identity.id})


@dataclass(frozen=True, kw_only=True)
class Row:
    """A resource type. The functions may raise InputRefusedError and botocore's errors."""

    inputs: InputTable
    """The supported inputs -> the API's names, and how the values are converted."""
    name_rule: NameRule
    """AWS's rule for the physical name."""
    name_input: str = "name"
    """The input that holds the physical name. It is filled in if the program leaves it out."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """The values of inputs that the program leaves out, as the real provider fills them in."""
    regional: bool = True
    """False for a type of a global service."""

    create: Callable[[Request, Aws], str]
    """Creates the resource with one call and returns its Pulumi id."""
    set_after_creation: frozenset[str] = frozenset()
    """The inputs that the creating call does not take. `update` sets them right afterwards."""
    read: Callable[[Identity, Aws], Snapshot]
    """Reads the resource. Raises GoneError or botocore's error if it does not exist."""
    not_found_codes: frozenset[str] = frozenset({"ResourceNotFoundException"})
    """The error codes of the service for a resource that does not exist."""
    unreadable_inputs: frozenset[str] = frozenset()
    """The inputs that the service does not return."""
    computed_outputs: frozenset[str] = frozenset()
    """The outputs that AWS decides when it creates the resource."""

    update: Callable[[Change, Aws], object]
    """Sets the inputs that have changed, except the tags."""
    replacing_inputs: frozenset[str] = frozenset()
    """The inputs that AWS cannot change. A new value needs a new resource."""
    recomputed_outputs: Callable[[frozenset[str], Outputs], frozenset[str]] = (
        lambda _changed, _inputs: frozenset()
    )
    """Returns the outputs that AWS decides again in an update. The arguments are the names of the
    inputs that change, and all new inputs."""
    tagging: Tagging | None = None
    """The operations that change the tags, or None for a type without tags."""

    delete: Callable[[Identity, Aws, DeletionLimit], object]
    """Deletes the resource and waits until it does not exist any more."""


Rows: TypeAlias = Mapping[str, Row]
"""Pulumi's type tokens -> rows."""
