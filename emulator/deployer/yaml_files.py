"""Reads YAML as the Pulumi CLI does, and refuses what YAML readers read differently.

The CLI passes the config to a program as JSON. YAML also has values that JSON does not have, such
as dates, binary data, and keys that are numbers. Each reader converts them differently.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ruamel.yaml.nodes import Node

STANDARD = "tag:yaml.org,2002:"
TEXT, MERGE = f"{STANDARD}str", f"{STANDARD}merge"
KINDS = {
    f"{STANDARD}int": "a number",
    f"{STANDARD}float": "a number",
    f"{STANDARD}bool": "a boolean",
    f"{STANDARD}null": "empty",
    f"{STANDARD}timestamp": "a date",
    f"{STANDARD}binary": "binary data",
}
"""The tags of values that are not text, and their names in a message."""
JSON_TAGS = {f"{STANDARD}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
"""The tags of the values that JSON has."""
NOTATIONS = {
    "a number": re.compile(r"[-+]?(?!0\d)(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"),
    "a boolean": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "empty": re.compile(r"~|null|Null|NULL|"),
}
"""How all readers write these values. The CLI knows more numbers, for example 0x10 and 1_000."""
LARGEST_WHOLE = 1e21
"""From this float on, Go's encoding/json writes an exponent: floatEncoder.encode."""


class Problem(NamedTuple):
    """A key or a value that YAML readers read differently, or a key that is there twice."""

    line: int
    key: str
    """The full key, for example `solutions[0].solutionArn`."""
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.key}: {self.message}"


def read(file: Path) -> object:
    """Return the content of a YAML file as JSON values.

    Raises DeploymentError if the file is not YAML, or with all problems in the file.
    """
    yaml = YAML(typ="safe", pure=True)
    try:
        text = file.read_text(encoding="utf-8")
        problems = sorted(_problems(yaml.compose(text)))
        if not problems:
            # dumps() raises ValueError for a structure that contains itself.
            return json.loads(json.dumps(yaml.load(text)), parse_float=_number)
    except FileNotFoundError:
        raise DeploymentError(f"{file}: there is no such file") from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise DeploymentError(f"{file}: {error}") from error
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    raise DeploymentError("\n  ".join([f"{count} in {file}:", *map(str, problems)]))


def _number(text: str) -> float:
    """Return a whole number as an integer, because Go writes 1e3 as 1000."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < LARGEST_WHOLE else number


def _problems(root: Node | None) -> Iterator[Problem]:
    """Yield the problems of a document. A node that is used several times is checked once."""
    checked: set[int] = set()
    waiting = [] if root is None else [(root, "")]
    while waiting:
        node, key = waiting.pop()
        if id(node) in checked:
            continue
        checked.add(id(node))
        if message := _value_problem(node):
            yield Problem(_line(node), key, message)
        elif isinstance(node, SequenceNode):
            waiting += [(item, f"{key}[{index}]") for index, item in enumerate(node.value)]
        elif isinstance(node, MappingNode):
            yield from _key_problems(node, key)
            waiting += [(value, _full_key(key, name)) for name, value in node.value]


def _key_problems(mapping: MappingNode, path: str) -> Iterator[Problem]:
    """Yield a problem for each key of a mapping that is not text or that is there twice."""
    first_lines: dict[str, int] = {}
    for key, _ in mapping.value:
        line, full_key = _line(key), _full_key(path, key)
        if key.tag not in (TEXT, MERGE):
            kind = KINDS.get(key.tag, "not text")
            example = f', "{key.value}"' if isinstance(key, ScalarNode) else ""
            message = f"the key is {kind}; expected text, in quotes{example}"
            yield Problem(line, full_key, message)
        elif key.value in first_lines:
            message = f"is given twice; the first is in line {first_lines[key.value]}"
            yield Problem(line, full_key, message)
        else:
            first_lines[key.value] = line


def _value_problem(node: Node) -> str | None:
    """Return an error message if YAML readers read a value differently, else None."""
    tag, value = str(node.tag), node.value
    kind = KINDS.get(tag, f"of the type {tag.removeprefix(STANDARD)}")
    if tag not in JSON_TAGS:
        return f"is {kind}; expected text in quotes, a number, true or false"
    if kind not in NOTATIONS or NOTATIONS[kind].fullmatch(value):
        return None
    if kind != "a number":
        return f"{value!r} does not fit the tag !!{tag.removeprefix(STANDARD)}; leave the tag out"
    return (
        "is a number that YAML readers read differently; "
        f'write it in quotes, "{value}", or as a decimal number without leading zeros'
    )


def _full_key(path: str, key: Node) -> str:
    """Return the key as in the stack's config, without the word `config` before it."""
    name = key.value if isinstance(key, ScalarNode) else "?"
    return f"{path}.{name}" if path and path != "config" else str(name)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
