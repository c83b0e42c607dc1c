"""Reads the config of a stack: the arguments of its pipeline, before and after it is deployed."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import yaml  # type: ignore[import-untyped]  # PyYAML brings no types

from components import settings
from retrain.account.errors import OperatorError
from retrain.stack_files import STACK_NAME, missing_file_message, stack_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from components.args import RetrainingPipelineArgs


def stack_file_of(project_dir: Path, stack: str) -> Path:
    """Return the path of a stack's file. Raise OperatorError if no stack can have this name."""
    if not STACK_NAME.fullmatch(stack):
        raise OperatorError(
            f"--stack {stack!r}: a stack's name has 1 to 100 letters, digits, hyphens, underscores "
            "and periods; choose another name, for example prod"
        )
    return stack_file(project_dir, stack)


def project_name(project_dir: Path) -> str:
    """Return the name of a Pulumi project, which is the namespace of the config's keys."""
    return str(yaml.safe_load((project_dir / "Pulumi.yaml").read_text())["name"])


def config_problems(text: str, project: str, stack: str) -> list[str]:
    """Return the problems that `pulumi preview` would report about the text of a stack's file."""
    config = yaml.safe_load(text)["config"]
    try:
        settings.parse_stack(project, stack, _texts(config))
    except settings.SettingsError as error:
        return [line.strip() for line in str(error).splitlines()]
    return []


def read_args(project_dir: Path, stack: str) -> RetrainingPipelineArgs:
    """Return the arguments in the file of a stack, as `pulumi preview` reads them.

    Raises OperatorError if the file is missing or has problems.
    """
    file = stack_file_of(project_dir, stack)
    if not os.path.lexists(file):
        raise OperatorError(missing_file_message(project_dir, stack))
    if find_spec("ruamel.yaml") is None:
        return _read_plain_args(project_dir, file, stack)
    # Only these modules need the development requirements.
    from retrain.rehearsal.errors import RehearsalError  # noqa: PLC0415
    from retrain.rehearsal.stack_args import read_stack_args  # noqa: PLC0415

    try:
        return read_stack_args(project_dir, stack)
    except RehearsalError as error:
        raise OperatorError(str(error)) from error


def _read_plain_args(project_dir: Path, file: Path, stack: str) -> RetrainingPipelineArgs:
    """Return the arguments in the file of a stack without the development requirements.

    Values that YAML readers read differently, for example `yes`, are not noticed.
    """
    document = yaml.safe_load(file.read_text()) or {}
    if "environment" in document:
        raise OperatorError(
            f"{file} imports an environment, and reading it needs the development requirements: "
            "pip install --require-hashes -r requirements.txt -r requirements-dev.txt"
        )
    project = yaml.safe_load((project_dir / "Pulumi.yaml").read_text())
    name = str(project["name"])
    declared = project.get("config", {}).items()
    defaults = {f"{name}:{key}": row["default"] for key, row in declared if "default" in row}
    config = {**defaults, **document.get("config", {})}
    secrets = [
        key for key, value in config.items() if isinstance(value, dict) and "secure" in value
    ]
    try:
        return settings.parse_stack(name, stack, _texts(config), secrets=secrets)
    except settings.SettingsError as error:
        raise OperatorError(str(error)) from error


def _texts(config: Mapping[object, object]) -> dict[str, str]:
    """Return a config as a program gets it: every value that is not text is JSON."""
    return {
        str(key): value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
    }
