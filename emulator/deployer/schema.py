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
        "resources": {
            token: {
                "inputProperties": _any_type(_input_names(row)),
                "properties": _any_type(_output_names(row)),
            }
            for token, row in ROWS.items()
        },
    }


def _input_names(row: Row) -> set[str]:
    """Return the inputs of a type. Each regional type has an input `region`."""
    return {*row.inputs.split(), "region"} if row.regional else set(row.inputs.split())


def _output_names(row: Row) -> set[str]:
    """Return the outputs of a type, which include all its inputs."""
    inputs = _input_names(row)
    return inputs | row.outputs.keys() | ({ALL_TAGS} if "tags" in inputs else set())


def _any_type(names: Iterable[str]) -> dict[str, object]:
    """Return the schema of properties with these names, whose values may have any type."""
    return {name: {"$ref": "pulumi.json#/Any"} for name in sorted(names)}
