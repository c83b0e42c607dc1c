"""Writes the schema of the provider, which names its types and their properties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer.inputs import ALL_TAGS
from emulator.deployer.provider_settings import IGNORED_SETTINGS, SUPPORTED_SETTINGS
from emulator.deployer.resources import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emulator.deployer.rows import Row


def schema(version: str) -> dict[str, object]:
    """Return the schema of the provider for a version of Pulumi's AWS provider.

    The YAML language host checks the names in a program against it.

    https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/
    """
    return {
        "name": "aws",
        "version": version,
        "meta": {"moduleFormat": "(.*)(?:/[^/]*)"},  # aws:iam:Role is aws:iam/role:Role
        "provider": {"inputProperties": _any_type(SUPPORTED_SETTINGS | IGNORED_SETTINGS)},
        "resources": {token: _resource_schema(row) for token, row in ROWS.items()},
    }


def _resource_schema(row: Row) -> dict[str, object]:
    """Return the schema of a type. Its outputs include its inputs."""
    inputs = {*row.inputs.split(), *({"region"} if row.regional else ())}
    outputs = {*inputs, *row.outputs, *({ALL_TAGS} if "tags" in inputs else ())}
    return {"inputProperties": _any_type(inputs), "properties": _any_type(outputs)}


def _any_type(names: Iterable[str]) -> dict[str, object]:
    """Return the schema of properties with these names, whose values may have any type."""
    return {name: {"$ref": "pulumi.json#/Any"} for name in sorted(names)}
