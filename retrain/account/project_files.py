"""Reads Pulumi.yaml and Pulumi.<stack>.yaml like the Pulumi CLI, but without calling it.

That way, `retrain doctor` can check a stack before the operator has logged in to a backend.
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
"""A number in JSON's notation, which means the same to all YAML parsers."""


class Project(NamedTuple):
    """A Pulumi project, with the config of one of its stacks."""

    name: str
    program: Path
    """The folder that contains `__main__.py`."""
    config: Mapping[str, str]
    """Namespaced key, such as `aws:region` -> the value. If it isn't a string, it's in JSON."""


def read_project(directory: Path, stack: str, overrides: Mapping[str, str]) -> Project:
    """Read a project and the config of one stack, in the form that the CLI passes to a program.

    `overrides` take precedence over the stack's file, which takes precedence over the defaults in
    Pulumi.yaml. A key without a namespace belongs to the project. We leave out a provider's
    secrets, because these are credentials that we never call AWS with.

    Raises OperatorError if a file can't be read, or if one of the project's settings is a secret,
    which only the CLI can decrypt.
    """
    name = read_project_name(directory)
    project_file = directory / "Pulumi.yaml"
    project = read_mapping(project_file)
    declarations = _check_mapping(project.get("config"), f"{project_file}: config")
    defaults = {key: _get_default(declaration) for key, declaration in declarations.items()}
    stack_file = directory / f"Pulumi.{stack}.yaml"
    stack_config = _check_mapping(read_mapping(stack_file).get("config"), f"{stack_file}: config")

    config = _format_values(defaults, name, project_file)
    config |= _format_values(stack_config, name, stack_file)
    config |= _format_values(overrides, name, stack_file)
    return Project(name, directory / str(project.get("main", ".")), config)


def read_project_name(directory: Path) -> str:
    """Read the name of a Pulumi project, which is also the namespace of its config keys."""
    project_file = directory / "Pulumi.yaml"
    name = read_mapping(project_file).get("name")
    if not isinstance(name, str):
        raise OperatorError(
            f"{project_file}: name: {name!r} is not text; write the name of the project"
        )
    return name


def _get_default(declaration: object) -> object:
    """Get a config key's default from its declaration in Pulumi.yaml, or None if it has none."""
    if not isinstance(declaration, dict):
        # In the short form, the declaration is the value itself.
        return declaration
    # Project keys have a `default`, but provider keys such as aws:region have a `value`.
    return declaration.get("default", declaration.get("value"))


def read_mapping(file: Path) -> dict[str, object]:
    """Read a YAML file, which must be empty or a mapping, and convert the values to JSON types.

    The CLI passes config to a program as JSON, so we reject values that JSON has no type for, such
    as dates.

    Raises OperatorError if the file can't be read, isn't a mapping, or contains such a value.
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


@functools.cache  # Parsing YAML is slow, and a command reads the same files several times.
def _convert_to_json(text: str) -> str:
    """Convert a YAML document to JSON. Lets ruamel's exceptions propagate to the caller."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _JsonConstructor
    return json.dumps(yaml.load(text))


class _JsonConstructor(SafeConstructor):
    """Constructs Python values from YAML nodes, but rejects whatever JSON has no type for."""

    def construct_json_object(self, node: MappingNode) -> object:
        """Construct a mapping, and reject keys that aren't strings."""
        for key, _ in node.value:
            if key.tag not in (f"{YAML_TAG}str", f"{YAML_TAG}merge"):
                self.reject(key)
        return self.construct_yaml_map(node)

    def construct_number(self, node: ScalarNode) -> float:
        """Construct a number. Like the CLI, turn a float such as 1e3 into an integer, 1000."""
        if not re.fullmatch(NUMBER, node.value):
            self.reject(node)
        number: float = json.loads(node.value)
        if number % 1 == 0:
            return int(number)
        return number

    def reject(self, node: Node) -> NoReturn:
        """Raise an error for a node that JSON can't represent, with the node's line."""
        text = "this"
        if isinstance(node, ScalarNode):
            text = repr(node.value)
        problem = f"{text} is not written as in JSON: write it in quotes"
        raise MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


_CONSTRUCTORS = {
    "map": _JsonConstructor.construct_json_object,
    "float": _JsonConstructor.construct_number,
    "int": _JsonConstructor.construct_number,
    **dict.fromkeys(("binary", "omap", "pairs", "set", "timestamp"), _JsonConstructor.reject),
}
for _name, _construct in _CONSTRUCTORS.items():
    _JsonConstructor.add_constructor(f"{YAML_TAG}{_name}", _construct)


def _format_values(values: Mapping[str, object], project_name: str, file: Path) -> dict[str, str]:
    """Format config values as the CLI passes them to a program, and add missing namespaces to keys.

    Strings stay as they are, and other values are serialized as JSON. A null value means that the
    key isn't set. A provider's secrets are left out.

    Raises OperatorError if one of the project's settings is a secret.
    """
    formatted: dict[str, str] = {}
    for key, value in values.items():
        if value is None:
            continue

        full_key = key
        if ":" not in key:
            full_key = f"{project_name}:{key}"
        json_text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)

        if isinstance(value, str):
            formatted[full_key] = value
        elif '{"secure":' not in json_text:
            formatted[full_key] = json_text
        elif full_key.startswith(f"{project_name}:"):
            raise OperatorError(
                f"{file}: {key}: is a secret, which retrain cannot read; set it again with "
                "--plaintext"
            )
    return formatted


def _check_mapping(value: object, path: str) -> dict[str, object]:
    """Check that a value is a mapping, and return it. Null stands for an empty mapping.

    Raises OperatorError if the value is anything else.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise OperatorError(f"{path}: is not a mapping; write it as lines of `key: value`")
    return value
