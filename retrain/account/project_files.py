"""Reads Pulumi.yaml and Pulumi.<stack>.yaml as the Pulumi CLI does, but without the CLI.

So `retrain doctor` can check a stack before anybody has logged in to a backend.
"""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode

from retrain.account.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ruamel.yaml.nodes import MappingNode, Node

YAML_TAG = "tag:yaml.org,2002:"
NUMBER = r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?"
"""The notation of numbers in JSON. All YAML readers read it in one way."""


class Project(NamedTuple):
    """A Pulumi project and the config of one of its stacks."""

    name: str
    program: Path
    """The folder of `__main__.py`."""
    config: Mapping[str, str]
    """Key with its namespace, for example `aws:region` -> text. A list or a mapping is JSON."""


def read_project(directory: Path, stack: str, overrides: Mapping[str, str]) -> Project:
    """Read the project in a folder, with the config of a stack as the program gets it.

    The values in `overrides` win over the stack's file, which wins over the defaults in
    Pulumi.yaml. A key without a namespace belongs to the project. Encrypted values of providers are
    left out, because they are credentials, and nothing here calls AWS with them.

    Raises OperatorError for a file that can't be read, and for a setting that is encrypted, because
    only the CLI can decrypt it.
    """
    name = read_project_name(directory)
    project_file = directory / "Pulumi.yaml"
    project = read_mapping(project_file)
    declared = _check_mapping(project.get("config"), f"{project_file}: config")
    defaults = {key: _find_default(value) for key, value in declared.items()}
    stack_file = directory / f"Pulumi.{stack}.yaml"
    stack_config = _check_mapping(read_mapping(stack_file).get("config"), f"{stack_file}: config")

    config = _format_values(defaults, name, project_file)
    config |= _format_values(stack_config, name, stack_file)
    config |= _format_values(overrides, name, stack_file)
    return Project(name, directory / str(project.get("main", ".")), config)


def read_project_name(directory: Path) -> str:
    """Read the name of a Pulumi project, which is the namespace of the config's keys."""
    project_file = directory / "Pulumi.yaml"
    name = read_mapping(project_file).get("name")
    if not isinstance(name, str):
        raise OperatorError(
            f"{project_file}: name: {name!r} is not text; write the name of the project"
        )
    return name


def _find_default(declaration: object) -> object:
    """Find the value that Pulumi.yaml gives to a key, or None if it only declares the key."""
    if not isinstance(declaration, dict):
        return declaration
    # A key of the project has `default`, and a key of a provider has `value`.
    return declaration.get("default", declaration.get("value"))


def read_mapping(file: Path) -> dict[str, object]:
    """Read a YAML file as JSON values. It must be a mapping or empty.

    Raises OperatorError if the file can't be read, is no mapping, or has a value or key that
    JSON does not have, such as a date, because the CLI passes the config to a program as JSON.
    """
    try:
        content = json.loads(_convert_to_json(file.read_text(encoding="utf-8")))
    except MarkedYAMLError as error:
        reason = ": ".join(filter(None, (error.context, error.problem)))
        line = error.problem_mark.line + 1
        raise OperatorError(f"{file}: line {line}: {reason}; correct the YAML") from error
    except (OSError, ValueError, YAMLError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise OperatorError(f"{file}: cannot be read: {reason.lower()}") from error

    return _check_mapping(content, str(file))


@functools.cache  # a command reads its files several times, and reading YAML is slow
def _convert_to_json(text: str) -> str:
    """Convert a YAML document to JSON. Raises the errors of the YAML reader."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _JsonConstructor
    return json.dumps(yaml.load(text))


class _JsonConstructor(SafeConstructor):
    """Constructs the values of a YAML document, and refuses those that JSON does not have."""

    def construct_json_object(self, node: MappingNode) -> object:
        """Construct a mapping whose keys are text."""
        for key, _ in node.value:
            if key.tag not in (f"{YAML_TAG}str", f"{YAML_TAG}merge"):
                self.refuse(key)
        return self.construct_yaml_map(node)

    def construct_number(self, node: ScalarNode) -> float:
        """Construct a number. A whole number is an int, because the CLI writes 1e3 as 1000."""
        if not re.fullmatch(NUMBER, node.value):
            self.refuse(node)
        number: float = json.loads(node.value)
        if number % 1 == 0:
            return int(number)
        return number

    def refuse(self, node: Node) -> NoReturn:
        """Raise an error that names the line of a key or value."""
        text = "this"
        if isinstance(node, ScalarNode):
            text = repr(node.value)
        problem = f"{text} is not written as in JSON: write it in quotes"
        raise MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


_CONSTRUCTORS = {
    "map": _JsonConstructor.construct_json_object,
    "float": _JsonConstructor.construct_number,
    "int": _JsonConstructor.construct_number,
    **dict.fromkeys(("binary", "omap", "pairs", "set", "timestamp"), _JsonConstructor.refuse),
}
for _name, _construct in _CONSTRUCTORS.items():
    _JsonConstructor.add_constructor(f"{YAML_TAG}{_name}", _construct)


def _format_values(values: Mapping[str, object], project_name: str, file: Path) -> dict[str, str]:
    """Format config as the CLI hands it to a program: full key -> text, which may be JSON.

    Null means that the key isn't set.
    """
    texts: dict[str, str] = {}
    for key, value in values.items():
        if value is None:
            continue

        full_key = key
        if ":" not in key:
            full_key = f"{project_name}:{key}"
        json_text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)

        if isinstance(value, str):
            texts[full_key] = value
        elif '{"secure":' not in json_text:
            texts[full_key] = json_text
        elif full_key.startswith(f"{project_name}:"):
            raise OperatorError(
                f"{file}: {key}: is a secret, which retrain cannot read; set it again with "
                "--plaintext"
            )
    return texts


def _check_mapping(value: object, path: str) -> dict[str, object]:
    """Reject a value that is neither a mapping nor null, which counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise OperatorError(f"{path}: is not a mapping; write it as lines of `key: value`")
    return value
