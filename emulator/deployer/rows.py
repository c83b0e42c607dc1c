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
    """The identity of a resource."""

    id: str
    """Pulumi's id of the resource."""
    request: Request
    """The inputs that were last set, under the API's names, without the content of an archive."""


@dataclass(frozen=True)
class Found:
    """A resource as the service describes it."""

    answer: Mapping[str, object]
    """The inputs under the API's names. An input that is not there is not set."""
    outputs: Outputs = field(default_factory=dict)
    """The values that AWS decides, also for inputs that the program leaves out."""


@dataclass(frozen=True)
class Change:
    """An update of a resource."""

    place: Place
    new: Request
    """All inputs after the update, under the API's names."""
    names: frozenset[str]
    """The API's names of the inputs that were added, removed or given another value."""

    def of(self, *names: str) -> Request:
        """Return the new values of the named inputs that have changed and are still set."""
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
    """Set when the user cancels the deployment."""


def unchangeable(_change: Change, _aws: Aws) -> None:
    """Raise AssertionError. This is the `update` of a type whose inputs all replace it."""
    raise AssertionError("each input of this type replaces the resource")


@dataclass(frozen=True)
class Row:
    """One resource type. Its functions may raise InputRefusedError and botocore's errors."""

    shape: Shape
    """The inputs that are supported, and what the API calls them."""
    create: Callable[[Request, Aws], str]
    """Creates the resource with one call and returns its Pulumi id."""
    read: Callable[[Place, Aws], Found]
    """Reads the resource. Raises GoneError or botocore's error if it does not exist."""
    update: Callable[[Change, Aws], object]
    """Sets the inputs that have changed, except the tags."""
    delete: Callable[[Place, Aws, Patience], object]
    """Deletes the resource and waits until it does not exist any more."""
    replaces: frozenset[str] = frozenset()
    """The inputs that AWS cannot change. A new value needs a new resource."""
    later: frozenset[str] = frozenset()
    """The inputs that the creating call does not take. `update` sets them right afterwards."""
    name: NameRule | None = None
    """The rule for the physical name, or None for a type without physical names."""
    name_input: str = "name"
    """The input that holds the physical name. It is filled in if the program leaves it out."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """The values of inputs that the program leaves out, as the real provider fills them in."""
    tagging: Tagging | None = None
    """How to tag the resource, or None for a type without tags."""
    regional: bool = True
    """False for a service that is global."""
    unreadable: frozenset[str] = frozenset()
    """The inputs that the service does not return."""
    decided: frozenset[str] = frozenset()
    """The outputs that are not known before the resource exists."""
    renewed: Callable[[frozenset[str], Outputs], frozenset[str]] = lambda _changed, _inputs: (
        frozenset()
    )
    """Gets the names of the changing inputs, and all new inputs. Returns the names of the outputs
    that are not known before the update."""


Rows: TypeAlias = Mapping[str, Row]
"""Pulumi's type tokens -> rows."""
