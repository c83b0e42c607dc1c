"""What a row of the resource table is: one Pulumi type, its inputs and the calls that create it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws
    from emulator.deployer.naming import NameRule
    from emulator.deployer.translation import Request, Shape

Outputs: TypeAlias = Mapping[str, object]
"""Pulumi's names of output properties -> plain JSON values."""


@dataclass(frozen=True)
class Created:
    """A resource that exists: Pulumi's id for it, and the properties that only AWS knows."""

    id: str
    outputs: Outputs = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One resource type."""

    shape: Shape
    """The inputs that are supported, and what the API calls them."""
    create: Callable[[Request, Aws], Created]
    """Gets the inputs under the API's names; may raise InputRefusedError and botocore's errors."""
    name: NameRule | None = None
    """The rule for the physical name; None for a resource without one."""
    name_input: str = "name"
    """The input that holds the physical name, filled in where the program leaves it out."""


Rows: TypeAlias = Mapping[str, Row]
"""Pulumi's type tokens -> rows."""
