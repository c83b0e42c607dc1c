"""Reads Pulumi.yaml and Pulumi.<stack>.yaml as the Pulumi CLI does."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml  # type: ignore[import-untyped]  # PyYAML brings no types

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

UNDERSTOOD = {"default", "value", "description"}
"""What a declaration in Pulumi.yaml may hold. Declared types are the CLI's to check."""


@dataclass(frozen=True)
class Project:
    """A Pulumi project and the config of one of its stacks."""

    name: str
    program: Path
    """The folder that holds `__main__.py`."""
    config: Mapping[str, str]
    """`namespace:key` to text; structured values are JSON."""


def read_project(directory: Path, stack: str, overrides: Mapping[str, str]) -> Project:
    """Read the project in `directory` with the config that `stack` has.

    `overrides` win over the stack's file, that over Pulumi.yaml. A key without a namespace is the
    project's. Raises DeploymentError for a missing file, a key that Pulumi.yaml declares without
    a default and the stack does not set, and for what only the CLI can do: encrypted values, ESC
    environments, declared types.
    """
    project_file = directory / "Pulumi.yaml"
    project = _read(project_file)
    if "name" not in project:
        raise DeploymentError(f"{project_file}: has no name")
    name = str(project["name"])
    stack_file = directory / f"Pulumi.{stack}.yaml"
    settings = _read(stack_file)
    if "environment" in settings:
        raise DeploymentError(f"{stack_file}: environment: ESC is not supported by the emulator")

    config = {
        _namespaced(key, name): _text(value, f"{stack_file}: {key}")
        for key, value in _mapping(settings.get("config"), f"{stack_file}: config").items()
    }
    config |= {_namespaced(key, name): value for key, value in overrides.items()}
    missing = []
    declared = _mapping(project.get("config"), f"{project_file}: config")
    for key, declaration in declared.items():
        where = f"{project_file}: config: {key}"
        default = _default(declaration, where)
        full_key = _namespaced(key, name)
        if default is not None:
            config.setdefault(full_key, _text(default, where))
        elif full_key not in config and full_key.startswith(f"{name}:"):
            missing.append(full_key)
    if missing:
        raise DeploymentError(
            f"stack {stack} lacks what {project_file} declares without a default: "
            + ", ".join(sorted(missing))
        )
    return Project(name, directory / str(project.get("main", ".")), config)


def _default(declaration: object, where: str) -> object:
    """Return what a declaration gives when the stack says nothing, or None."""
    if not isinstance(declaration, dict):
        return declaration
    if unknown := sorted(set(declaration) - UNDERSTOOD):
        raise DeploymentError(f"{where}: {', '.join(unknown)} is not supported by the emulator")
    default: object = declaration.get("default", declaration.get("value"))
    return default


def _namespaced(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _text(value: object, where: str) -> str:
    """Write a value as the text that a program gets; what is not text becomes JSON."""
    if isinstance(value, str):
        return value
    if _is_encrypted(value):
        raise DeploymentError(f"{where}: is encrypted, and the emulator has no key; override it")
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _is_encrypted(value: object) -> bool:
    if isinstance(value, dict):
        return set(value) == {"secure"} or any(map(_is_encrypted, value.values()))
    return isinstance(value, list) and any(map(_is_encrypted, value))


def _read(file: Path) -> dict[str, object]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DeploymentError(f"{file}: there is no such file") from None
    try:
        # A loader of our own, derived from the safe one.
        document: object = yaml.load(text, _Loader)  # noqa: S506
    except yaml.YAMLError as error:
        raise DeploymentError(f"{file}: {error}") from error
    return _mapping(document, str(file))


def _mapping(value: object, where: str) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DeploymentError(f"{where}: is no mapping")
    return {str(key): item for key, item in value.items()}


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML brings no types
    """YAML 1.2's core schema, as the CLI reads it: in PyYAML's 1.1, the key `on` is true."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("bool", r"(true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("merge", r"<<$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))
