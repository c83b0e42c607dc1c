"""Reads YAML as the Pulumi CLI does, and refuses values that YAML readers read differently.

The CLI passes the config to a program as JSON. YAML also has values that JSON does not have, such
as dates, binary data, and keys that are numbers. Each reader converts them differently.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ruamel.yaml.nodes import Node

TAG_PREFIX = "tag:yaml.org,2002:"
TEXT_TAG = f"{TAG_PREFIX}str"
MERGE_TAG = f"{TAG_PREFIX}merge"
KINDS = {
    f"{TAG_PREFIX}int": "a number",
    f"{TAG_PREFIX}float": "a number",
    f"{TAG_PREFIX}bool": "a boolean",
    f"{TAG_PREFIX}null": "empty",
    f"{TAG_PREFIX}timestamp": "a date",
    f"{TAG_PREFIX}binary": "binary data",
}
"""The tags of values that are not text, and their names in a message."""
JSON_TAGS = {
    f"{TAG_PREFIX}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")
}
"""The tags of the values that JSON has."""
COMMON_NOTATIONS = {
    "a number": re.compile(r"[-+]?(?!0\d)(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"),
    "a boolean": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "empty": re.compile(r"~|null|Null|NULL|"),
}
"""The notations that all YAML readers read in the same way. The CLI also reads other numbers, for
example 0x10 and 1_000."""
FIRST_WITH_EXPONENT = 1e21
"""The first number that Go's encoding/json writes with an exponent: floatEncoder.encode."""


class Problem(NamedTuple):
    """A key or a value that YAML readers read differently, or a key that is given twice."""

    line: int
    key: str
    """The full key, for example `solutions[0].solutionArn`."""
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.key}: {self.message}"


def read(file: Path) -> object:
    """Return the content of a YAML file as JSON values.

    Raises DeploymentError if the file cannot be read or is not YAML. If it has values or keys that
    YAML readers read differently, the error lists all of them.
    """
    text = _read_text(file)
    yaml = YAML(typ="safe", pure=True)
    try:
        problems = sorted(_problems(yaml.compose(text)))
        if not problems:
            # dumps() raises ValueError for a structure that contains itself.
            return json.loads(json.dumps(yaml.load(text)), parse_float=_number)
    except MarkedYAMLError as error:
        raise DeploymentError(f"{file}: {_syntax_error(error)}; correct the YAML") from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DeploymentError(
            f"{file}: line {line}: YAML forbids the character U+{ord(text[error.position]):04X}; "
            "remove it"
        ) from error
    except ValueError as error:
        raise DeploymentError(
            f"{file}: {error}; an alias must not stand for a value that contains the alias"
        ) from error
    except RecursionError as error:
        raise DeploymentError(f"{file}: is nested too deeply; use fewer levels") from error
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    raise DeploymentError("\n  ".join([f"{count} in {file}:", *map(str, problems)]))


def _syntax_error(error: MarkedYAMLError) -> str:
    """Return the line and the reason of a syntax error, and where the broken structure begins."""
    line, context, mark = error.problem_mark.line, error.context, error.context_mark
    if context and context.startswith("while") and mark and mark.line != line:
        context = f"{context} that begins in line {mark.line + 1}"
    return f"line {line + 1}: {': '.join(filter(None, (context, error.problem)))}"


def _read_text(file: Path) -> str:
    """Return the text of a file. Raises DeploymentError with the reason if it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DeploymentError(f"{file}: there is no such file") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DeploymentError(f"{file}: cannot be read: {reason}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DeploymentError(f"{file}: line {line} is not UTF-8; save it as UTF-8") from error


def _number(text: str) -> float:
    """Return the number in a text. A whole number is an int, because Go writes 1e3 as 1000."""
    number = float(text)
    is_written_whole = number.is_integer() and abs(number) < FIRST_WITH_EXPONENT
    return int(number) if is_written_whole else number


def _problems(root: Node | None) -> Iterator[Problem]:
    """Yield the problems of a document, in no order.

    An alias repeats a node, which may even contain itself. Each node is checked once.
    """
    checked: set[int] = set()
    unchecked = [] if root is None else [(root, "")]
    while unchecked:
        node, key = unchecked.pop()
        if id(node) in checked:
            continue
        checked.add(id(node))
        if message := _value_error(node):
            yield Problem(_line(node), key, message)
        elif isinstance(node, SequenceNode):
            unchecked += [(item, f"{key}[{index}]") for index, item in enumerate(node.value)]
        elif isinstance(node, MappingNode):
            yield from _key_problems(node, key)
            unchecked += [(value, _full_key(key, name)) for name, value in node.value]


def _key_problems(mapping: MappingNode, path: str) -> Iterator[Problem]:
    """Yield a problem for each key of a mapping that is not text or that is given twice."""
    first_lines: dict[str, int] = {}
    for key, _ in mapping.value:
        line, full_key = _line(key), _full_key(path, key)
        if key.tag not in (TEXT_TAG, MERGE_TAG):
            kind = KINDS.get(key.tag, "not text")
            example = f', "{key.value}"' if isinstance(key, ScalarNode) else ""
            message = f"the key is {kind}; expected text, in quotes{example}"
            yield Problem(line, full_key, message)
        elif key.value in first_lines:
            message = f"is given twice; the first is in line {first_lines[key.value]}"
            yield Problem(line, full_key, message)
        else:
            first_lines[key.value] = line


def _value_error(node: Node) -> str | None:
    """Return an error message if YAML readers read a value differently, else None.

    Text, sequences and mappings are read in the same way. Their items are not checked here.
    """
    tag, value = str(node.tag), node.value
    tag_name = tag.removeprefix(TAG_PREFIX)
    kind = KINDS.get(tag, f"of the type {tag_name}")
    if tag not in JSON_TAGS:
        return f"is {kind}; expected text in quotes, a number, true or false"
    if kind not in COMMON_NOTATIONS or COMMON_NOTATIONS[kind].fullmatch(value):
        return None
    if kind != "a number":
        return f"{value!r} does not fit the tag !!{tag_name}; leave the tag out"
    return (
        "is a number that YAML readers read differently; "
        f'write it in quotes, "{value}", or as a decimal number without leading zeros'
    )


def _full_key(path: str, key: Node) -> str:
    """Return the full key below a path, without the word `config` at the begin."""
    name = key.value if isinstance(key, ScalarNode) else "?"
    return f"{path}.{name}" if path and path != "config" else str(name)


def _line(node: Node) -> int:
    """Return the line at which a node begins. The first line of a file is 1."""
    return int(node.start_mark.line) + 1
