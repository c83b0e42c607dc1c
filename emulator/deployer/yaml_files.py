"""Reads YAML as the Pulumi CLI does, and refuses what no reader can take for sure.

A key that is no text, a date, binary data: YAML knows them and a program's config, which is JSON,
does not, so that each reader makes something else of them. A key that is given twice, no reader
should take at all, and the CLI does not.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

import yaml  # type: ignore[import-untyped]  # PyYAML brings no types

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
PLAIN = {TEXT, *(f"{STANDARD}{each}" for each in ("int", "float", "bool", "null", "map", "seq"))}
"""What JSON has, too."""


def read(file: Path) -> object:
    """Give what the file holds. Raises DeploymentError, with all that it cannot take."""
    try:
        loader = _Loader(file.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        found = [] if root is None else list(_problems(loader, root))
        if not found:
            document: object = None if root is None else loader.construct_document(root)
            json.dumps(document)  # Raises ValueError where something holds itself.
            return document
    except FileNotFoundError:
        raise DeploymentError(f"{file}: there is no such file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DeploymentError(f"{file}: {error}") from error
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    lines = sorted(found, key=lambda problem: problem.line)
    raise DeploymentError("\n  ".join([f"{count} in {file}:", *map(str, lines)]))


NOTATIONS = re.compile(
    r"[-+]?(0[xX]_*[\da-fA-F][\da-fA-F_]*|0[bB]_*[01][01_]*|0[oO]_*[0-7][0-7_]*"
    r"|(?=.*_)\d[\d_]*(\.[\d_]*)?([eE][-+]?\d+)?)$"
)
"""Numbers to the CLI, for example 16 for 0x10 and 1000 for 1_000, but text to other readers."""
LARGEST_WHOLE = 1e21
"""Go's encoding/json writes a float from here on with an exponent: floatEncoder.encode."""


class _Problem(NamedTuple):
    """Something in a file that cannot be taken for sure."""

    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.key}: {self.message}"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML brings no types
    """YAML 1.2's core schema, as the CLI reads it: in PyYAML's 1.1, the key `on` is true.

    Dates are known, to be refused.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("bool", r"(true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("timestamp", r"\d{4}-\d{1,2}-\d{1,2}([Tt ][\d:. \tTtZz+-]+)?$", "0123456789"),
    ("merge", r"<<$", "<"),
):
    _Loader.add_implicit_resolver(f"{STANDARD}{_tag}", re.compile(_pattern), list(_first))
_Loader.add_implicit_resolver(f"{STANDARD}int", NOTATIONS, list("-+0123456789"))


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    """Return a whole number as an integer, because Go writes it as one: 1000 for 1e3."""
    number = float(loader.construct_yaml_float(node))
    return int(number) if number.is_integer() and abs(number) < LARGEST_WHOLE else number


_Loader.add_constructor(f"{STANDARD}float", _float)


def _problems(loader: _Loader, root: yaml.Node) -> Iterator[_Problem]:
    """Walk the file, before an object is made of it: each node once, however often it is used."""
    seen: set[int] = set()
    rest: list[tuple[yaml.Node, str]] = [(root, "")]
    while rest:
        node, at = rest.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if message := _value_problem(loader, node):
            yield _Problem(_line(node), at, message)
        elif isinstance(node, yaml.SequenceNode):
            rest += [(each, f"{at}[{number}]") for number, each in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            yield from _key_problems(node, at)
            rest += [(value, _inside(at, key)) for key, value in node.value]


def _key_problems(node: yaml.MappingNode, at: str) -> Iterator[_Problem]:
    first: dict[str, int] = {}
    for key, _ in node.value:
        where = _inside(at, key)
        if key.tag not in (TEXT, MERGE):
            kind = KINDS.get(key.tag, "no text")
            quoted = f', "{key.value}"' if isinstance(key, yaml.ScalarNode) else ""
            message = f"the key is {kind}; expected text, in quotes{quoted}"
            yield _Problem(_line(key), where, message)
        elif key.value in first:
            message = f"is given twice; line {first[key.value]} has it, too"
            yield _Problem(_line(key), where, message)
        else:
            first[key.value] = _line(key)


def _value_problem(loader: _Loader, node: yaml.Node) -> str | None:
    if node.tag not in PLAIN:
        kind = KINDS.get(node.tag, f"of the type {node.tag.removeprefix(STANDARD)}")
        return f"is {kind}; expected text in quotes, a number, true or false"
    if not isinstance(node, yaml.ScalarNode) or node.tag == TEXT:
        return None
    kind, looks = KINDS[node.tag], loader.resolve(yaml.ScalarNode, node.value, (True, False))
    if KINDS.get(looks) != kind:
        return f"{node.value!r} has the tag of {kind}, and is none; leave the tag out"
    if NOTATIONS.match(node.value):
        return f'is a number to the Pulumi CLI; write it in quotes, "{node.value}", or as a decimal'
    if re.match(r"[-+]?0\d", node.value):
        return f'is a number that begins with 0; write it in quotes, "{node.value}", or without'
    return None


def _inside(at: str, key: yaml.Node) -> str:
    """Give the full key: that of the config, without the file's own word before it."""
    name = key.value if isinstance(key, yaml.ScalarNode) else "?"
    return f"{at}.{name}" if at and at != "config" else name


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line
    return line + 1
