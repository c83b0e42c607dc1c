"""What a row of the resource table holds: one Pulumi type, its inputs, and its API calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws
    from emulator.deployer.naming import NameRule
    from emulator.deployer.translation import Request, Shape

Outputs: TypeAlias = Mapping[str, object]
"""Pulumi's names of output properties -> plain JSON values."""


@dataclass(frozen=True)
class Place:
    """Where a resource is."""

    id: str
    """Pulumi's id of it."""
    request: Request
    """The inputs that were last set, under the API's names, without the content of an archive."""


@dataclass(frozen=True)
class Found:
    """A resource as the service describes it."""

    answer: Mapping[str, object]
    """The inputs under the API's names. An input that is not there is not set."""
    outputs: Outputs = field(default_factory=dict)
    """What AWS decides, and what it fills in for an input that the program leaves out."""


@dataclass(frozen=True)
class Change:
    """An update of a resource."""

    place: Place
    new: Request
    """The inputs from now on, under the API's names."""
    names: frozenset[str]
    """The API's names of the inputs that were added, removed or given another value."""

    def of(self, *names: str) -> Request:
        """Return the new values of those of the inputs that have changed and are still there."""
        return {name: self.new[name] for name in names if name in self.names and name in self.new}


@dataclass(frozen=True)
class Tagging:
    """The operations that tag a resource once it exists."""

    service: str
    resource: str
    """The parameter that names the resource."""
    value: Callable[[str, Aws], str] = lambda identifier, _aws: identifier
    """Returns that parameter's value for Pulumi's id."""
    tag: str = "TagResource"
    untag: str = "UntagResource"
    tags: str = "Tags"
    """The parameter that holds the new tags."""
    keys: str = "TagKeys"
    """The parameter that holds the keys of the tags to remove."""


@dataclass(frozen=True)
class Patience:
    """How long a deletion may take."""

    seconds: float
    """The seconds that the program allows, or 0 for the limit of the type."""
    cancelled: Event = field(default_factory=Event)
    """It is set when the user cancels the deployment."""


def unchangeable(_change: Change, _aws: Aws) -> None:
    """Raise AssertionError: each input of the type, except the tags, replaces the resource."""
    raise AssertionError("each input of this type replaces the resource")


@dataclass(frozen=True)
class Row:
    """One resource type. Its functions may raise InputRefusedError and botocore's errors."""

    shape: Shape
    """The inputs that are supported, and what the API calls them."""
    create: Callable[[Request, Aws], str]
    """Creates the resource with one call, and returns Pulumi's id."""
    read: Callable[[Place, Aws], Found]
    """Asks the service. Raises GoneError, or botocore's error, if the resource does not exist."""
    update: Callable[[Change, Aws], object]
    """Sets the inputs that have changed, all but the tags."""
    delete: Callable[[Place, Aws, Patience], object]
    """Deletes the resource, and waits until it is gone."""
    replaces: frozenset[str] = frozenset()
    """The inputs that AWS cannot change. Another value needs another resource."""
    later: frozenset[str] = frozenset()
    """The inputs that the creating call does not take. `update` sets them right afterwards."""
    name: NameRule | None = None
    """The rule for the physical name; None for a resource without one."""
    name_input: str = "name"
    """The input that holds the physical name, filled in where the program leaves it out."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """What the provider fills in for inputs that the program leaves out."""
    tagging: Tagging | None = None
    """None for a resource without tags."""
    regional: bool = True
    """False for a service that has one place for all regions."""
    unreadable: frozenset[str] = frozenset()
    """The inputs that the service does not tell."""
    decided: frozenset[str] = frozenset()
    """The outputs that are not known before the resource exists."""
    renewed: Callable[[frozenset[str], Outputs], frozenset[str]] = lambda _changed, _inputs: (
        frozenset()
    )
    """Gets the names of the inputs that change and all new inputs; returns the names of the outputs
    that are not known before the update."""


Rows: TypeAlias = Mapping[str, Row]
"""Pulumi's type tokens -> rows."""
