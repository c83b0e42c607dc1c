"""Reads Pulumi.yaml and Pulumi.<stack>.yaml as the Pulumi CLI does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.deployer import yaml_files
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
    environments, declared types. Encrypted values of providers are left out, because they are
    credentials and the emulator needs none.
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

    config: dict[str, str] = {}
    for key, value in _mapping(settings.get("config"), f"{stack_file}: config").items():
        full_key = _namespaced(key, name)
        if full_key in config:
            raise DeploymentError(
                f"{stack_file}: {full_key}: is given twice, with and without the project's name"
            )
        if full_key.startswith(f"{name}:") or not _is_encrypted(value):
            config[full_key] = _text(value, f"{stack_file}: {key}")
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
        message = "is encrypted, and the emulator has no key; set it again with --plaintext"
        raise DeploymentError(f"{where}: {message}")
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _is_encrypted(value: object) -> bool:
    if isinstance(value, dict):
        return set(value) == {"secure"} or any(map(_is_encrypted, value.values()))
    return isinstance(value, list) and any(map(_is_encrypted, value))


def _read(file: Path) -> dict[str, object]:
    return _mapping(yaml_files.read(file), str(file))


def _mapping(value: object, where: str) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DeploymentError(f"{where}: is no mapping")
    return {str(key): item for key, item in value.items()}
