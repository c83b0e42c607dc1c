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

SUPPORTED_FIELDS = {"default", "value", "description"}
"""The supported fields of a key that Pulumi.yaml declares. `type` is missing, because only the CLI
can check a type."""


@dataclass(frozen=True)
class Project:
    """A Pulumi project and the config of one of its stacks."""

    name: str
    program: Path
    """The folder of `__main__.py`."""
    config: Mapping[str, str]
    """Key with its namespace, for example `aws:region` -> text. A list or a mapping is JSON."""


def read_project(directory: Path, stack: str, overrides: Mapping[str, str]) -> Project:
    """Return the project in a folder with the config of a stack.

    The values in `overrides` win over the stack's file, which wins over the defaults in
    Pulumi.yaml. A key without a namespace belongs to the project. Encrypted values of providers are
    left out, because they are credentials and the emulator needs none.

    Raises DeploymentError for a missing file, and for a missing value of a key that Pulumi.yaml
    declares without a default. Also raises it for encrypted values, ESC environments and declared
    types, which only the CLI can read.
    """
    project_file = directory / "Pulumi.yaml"
    project = _read_mapping(project_file)
    if "name" not in project:
        raise DeploymentError(f"{project_file}: has no name; add `name: personalize-retraining`")
    name = project["name"]
    if not isinstance(name, str):
        raise DeploymentError(f"{project_file}: name: {name!r} is not text; write it in quotes")
    declared = _declared_defaults(project_file, project, name)
    defaults = {key: default for key, default in declared.items() if default is not None}
    config = {
        **defaults,
        **_stack_config(directory / f"Pulumi.{stack}.yaml", name),
        **{_full_key(key, name): value for key, value in overrides.items()},
    }
    if missing := sorted(key for key in declared.keys() - config.keys() if _is_in(name, key)):
        raise DeploymentError(
            f"stack {stack} has no value for {', '.join(missing)}; "
            f"{project_file} declares no default"
        )
    return Project(name, directory / str(project.get("main", ".")), config)


def _stack_config(file: Path, project: str) -> dict[str, str]:
    """Return the config in a stack's file: full key -> text."""
    content = _read_mapping(file)
    if "environment" in content:
        raise DeploymentError(f"{file}: environment: ESC is not supported by the emulator")
    config: dict[str, str] = {}
    for key, value in _mapping(content.get("config"), f"{file}: config").items():
        full_key = _full_key(key, project)
        if full_key in config:
            raise DeploymentError(
                f"{file}: {full_key}: is given twice, with and without the project's name"
            )
        is_credential = _is_encrypted(value) and not _is_in(project, full_key)
        if not is_credential:
            config[full_key] = _text(value, f"{file}: {key}")
    return config


def _declared_defaults(
    file: Path, content: Mapping[str, object], project: str
) -> dict[str, str | None]:
    """Return the keys that Pulumi.yaml declares, with their defaults.

    The default of a key without a default is None.
    """
    defaults = {}
    for key, declaration in _mapping(content.get("config"), f"{file}: config").items():
        path = f"{file}: config: {key}"
        default: object = declaration
        if isinstance(declaration, dict):
            if unknown := sorted(set(declaration) - SUPPORTED_FIELDS):
                names = ", ".join(unknown)
                raise DeploymentError(f"{path}: {names} is not supported by the emulator")
            # A key of the project has `default`, and a key of a provider has `value`.
            default = declaration.get("default", declaration.get("value"))
        defaults[_full_key(key, project)] = None if default is None else _text(default, path)
    return defaults


def _full_key(key: str, project: str) -> str:
    """Return the key with its namespace, which is the project's name if the key has none."""
    return key if ":" in key else f"{project}:{key}"


def _is_in(project: str, full_key: str) -> bool:
    """Return True if a key belongs to the project, not to a provider such as `aws`."""
    return full_key.startswith(f"{project}:")


def _text(value: object, path: str) -> str:
    """Return a value as the text that a program gets. A value that is not text becomes JSON.

    Raises DeploymentError with the path for an encrypted value.
    """
    if isinstance(value, str):
        return value
    if _is_encrypted(value):
        message = "is encrypted, and the emulator has no key; set it again with --plaintext"
        raise DeploymentError(f"{path}: {message}")
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _is_encrypted(value: object) -> bool:
    """Return True if a value, or a value inside it, is encrypted."""
    if isinstance(value, dict):
        return set(value) == {"secure"} or any(map(_is_encrypted, value.values()))
    return isinstance(value, list) and any(map(_is_encrypted, value))


def _read_mapping(file: Path) -> dict[str, object]:
    """Return the content of a YAML file, which must be a mapping or empty."""
    return _mapping(yaml_files.read(file), str(file))


def _mapping(value: object, path: str) -> dict[str, object]:
    """Return a mapping, which is empty for None. Raises DeploymentError for any other value."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DeploymentError(f"{path}: is not a mapping; write it as lines of `key: value`")
    return {str(key): item for key, item in value.items()}
