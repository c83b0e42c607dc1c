"""The schema of the provider: the names of its types and of their properties, without types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer.inputs import ALL_TAGS
from emulator.deployer.provider_settings import MEANINGLESS_HERE, UNDERSTOOD
from emulator.deployer.resources import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emulator.deployer.rows import Row


def schema(version: str) -> dict[str, object]:
    """Return the schema. The YAML language host checks the names in a program against it.

    https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/
    """
    return {
        "name": "aws",
        "version": version,
        "meta": {"moduleFormat": "(.*)(?:/[^/]*)"},  # aws:iam:Role is aws:iam/role:Role
        "provider": {"inputProperties": _any(UNDERSTOOD | MEANINGLESS_HERE)},
        "resources": {
            token: {
                "inputProperties": _any(_inputs(row)),
                "properties": _any({*_inputs(row), *row.decided, *_all_tags(row)}),
            }
            for token, row in ROWS.items()
        },
    }


def _inputs(row: Row) -> set[str]:
    return {*row.shape, "region"} if row.regional else {*row.shape}


def _all_tags(row: Row) -> set[str]:
    return {ALL_TAGS} if row.tagging else set()


def _any(names: Iterable[str]) -> dict[str, object]:
    return {name: {"$ref": "pulumi.json#/Any"} for name in sorted(names)}
