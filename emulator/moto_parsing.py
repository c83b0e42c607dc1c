"""Makes moto parse each state only once. Parsing takes longer than a short execution runs.

The definitions of two stacks differ only in a few states. So the states of a definition are parsed
one by one, and the parsed states are kept. Written for moto 5.2.5, like `moto_patches.py`.
"""

from __future__ import annotations

import copy
import functools
import json
from typing import TYPE_CHECKING, cast

from emulator.moto_patches import Replacement

# isort: split
import jsonpath_ng.ext.parser
import jsonpath_ng.parser
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.parse.asl_parser import (
    AmazonStateLanguageParser,
    ASLParserException,
)
from moto.stepfunctions.parser.asl.utils import json_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

SEPARATORS = ((", ", ": "), (",", ":"))
"""The separators of `json.dumps`: by default, and without spaces."""
STUB = {"Stub": {"Type": "Succeed"}}
"""The states of a definition of which only the rest is parsed."""

Parsed = tuple[Program, object]
"""The program and its parse tree. Moto does not use the tree."""

moto_parse = AmazonStateLanguageParser.parse


def parse_once() -> Iterator[Replacement]:
    """Yield replacements that keep parsed definitions and JSON paths in a cache.

    Moto parses the definition again for every execution, and a path whenever a state uses it. The
    parsed trees are read-only, and moto itself shares a tree between the iterations of a Map.
    """
    yield from _PARSERS_WITH_CACHE


@functools.lru_cache(64)
def parse(definition: str) -> Parsed:
    """Return a definition as moto parses it. The parse tree contains no states.

    Raises:
        ASLParserException: The definition has a syntax error.
        ValueError: The definition has another error.
    """
    document = _divisible(definition)
    if document is None:
        return cast("Parsed", moto_parse(definition))
    try:
        top, tree = _parse_part(json.dumps({**document, "States": STUB}))
        states = copy.copy(top.states)
        parts = cast("dict[str, object]", document["States"])
        states.states = {name: _parse_state(document, name, parts[name]) for name in parts}
    except (ASLParserException, ValueError):  # the message has to be about the whole definition
        return cast("Parsed", moto_parse(definition))
    program = Program(
        query_language=top.query_language,
        start_at=top.start_at,
        states=states,
        timeout_seconds=top.timeout_seconds,
        comment=top.comment,
        version=top.version,
    )
    return program, tree


def _divisible(definition: str) -> dict[str, object] | None:
    """Return a definition that can be parsed in parts, or None.

    The text of a part has to be the same as in the definition. So no key may be repeated, and
    `json.dumps` has to write every number and character in the same way.
    """
    try:
        document = json.loads(definition)
    except ValueError:
        return None
    if definition not in (json.dumps(document, separators=pair) for pair in SEPARATORS):
        return None
    states = document.get("States") if isinstance(document, dict) else None
    return document if states and isinstance(states, dict) else None


def _parse_state(document: dict[str, object], name: str, state: object) -> CommonStateField:
    """Return a parsed state. The query language of the machine decides how it is parsed."""
    top = {key: document[key] for key in ("QueryLanguage",) if key in document}
    program, _ = _parse_part(json.dumps({**top, "StartAt": name, "States": {name: state}}))
    return program.states.states[name]


@functools.lru_cache(1024)
def _parse_part(definition: str) -> Parsed:
    """Return a definition with one state, as moto parses it."""
    return cast("Parsed", moto_parse(definition))


_PARSERS_WITH_CACHE = (
    Replacement(AmazonStateLanguageParser, "parse", staticmethod(parse)),
    Replacement(json_path, "parse", functools.lru_cache(4096)(jsonpath_ng.ext.parser.parse)),
    Replacement(result_path, "parse", functools.lru_cache(4096)(jsonpath_ng.parser.parse)),
)
