"""Reads and writes the JSON documents that a state machine's states pass to each other.

Documents are never changed in place, so states, branches and history events can share them. A state
that adds a field to a document copies only the objects along the path to that field.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

Json = Any
"""A value that `json.loads` returns."""
JsonObject = Mapping[str, Any]

PATH_STEP = re.compile(r"\.([^\W\d][\w-]*)|\[\*\]")
"""One step of a path: `.name` or `[*]`."""
WILDCARD = "[*]"
"""The step that selects all items of a list, or all values of an object."""
ARRAY_CONTAINS = re.compile(r"\AStates\.ArrayContains\((\$.*), *'([^']*)'\)\Z")
"""The only intrinsic function that the emulator supports:
https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html."""


class StateFailed(Exception):  # noqa: N818  # as execution histories call it
    """Raised when a state fails. Both the error name and the cause are optional."""

    def __init__(self, error: str | None, cause: str | None) -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause


class RuntimeFailed(StateFailed):
    """Raised when a state's definition doesn't fit its input."""

    def __init__(self, cause: str) -> None:
        super().__init__("States.Runtime", cause)


class StateInput(NamedTuple):
    """What a state's paths start from: `$` is the document and `$$` is the context object."""

    document: Json
    context: JsonObject


@functools.lru_cache(4096)
def parse_path(path: str) -> tuple[str, ...]:
    """Split a path like `$.plan.jobs[*]` into its steps, which are field names and WILDCARD.

    Raises:
        ValueError: the path is invalid, or uses other features of JSONPath.
    """
    position = 1
    if path.startswith("$$"):
        position = 2

    steps: list[str] = []
    while match := PATH_STEP.match(path, position):
        steps.append(match[1] or WILDCARD)
        position = match.end()

    if position < len(path) or not path.startswith("$"):
        raise ValueError(path)
    return tuple(steps)


def read_path(path: str, state_input: StateInput) -> Json:
    """Return the value at a path or, if the path contains `[*]`, the list of all matching values.

    Raises:
        LookupError: a path without `[*]` matches no value.
    """
    steps = parse_path(path)
    values: list[Json] = [_find_root(path, state_input)]

    # With a wildcard, a single step can lead from one value to several.
    for step in steps:
        parents = values
        values = []
        for parent in parents:
            values += _find_children(parent, step)

    if WILDCARD in steps:
        return values
    if not values:
        raise LookupError(path)
    return values[0]


def read_field_path(path: str, state_input: StateInput, field: str) -> Json:
    """Return the value at the path in one of a state's fields, such as ItemsPath.

    Raises:
        RuntimeFailed: the path matches no value. As in AWS, the message names the field.
    """
    try:
        return read_path(path, state_input)
    except LookupError:
        searched_json = to_json(_find_root(path, state_input))
        raise RuntimeFailed(
            f"The JSONPath '{path}' specified for the field '{field}' could not be found in the"
            f" input '{searched_json}'"
        ) from None


def _find_root(path: str, state_input: StateInput) -> Json:
    """Return the document that a path starts from, which is the context object for `$$`."""
    if path.startswith("$$"):
        return state_input.context
    return state_input.document


def _find_children(parent: Json, step: str) -> Iterable[Json]:
    """Return the values that one step selects from a list or an object.

    The result is empty if nothing matches, or if the parent is neither a list nor an object.
    """
    if step == WILDCARD and isinstance(parent, list):
        return parent
    if step == WILDCARD and isinstance(parent, Mapping):
        return parent.values()

    if isinstance(parent, Mapping) and step in parent:
        return [parent[step]]
    return ()


def write_path(document: Json, path: str | None, value: Json) -> Json:
    """Return a copy of the document with a value inserted at a ResultPath.

    A null ResultPath discards the value, so the document is returned unchanged.

    Raises:
        StateFailed: the path leads through something that isn't an object.
    """
    if path is None:
        return document
    return _write_at_steps(document, parse_path(path), value)


def _write_at_steps(document: Json, steps: tuple[str, ...], value: Json) -> Json:
    """Insert a value. Only the objects along the path are copied, and all others are shared."""
    if not steps:
        return value

    field, *inner_steps = steps
    if not isinstance(document, dict):
        raise StateFailed(
            "States.ResultPathMatchFailure",
            f"the ResultPath leads to {field!r} in {to_json(document)}, which is no object",
        )
    inner_document = document.get(field, {})
    return {**document, field: _write_at_steps(inner_document, tuple(inner_steps), value)}


def fill_template(template: Json, state_input: StateInput) -> Json:
    """Evaluate a template's expressions, which are the values of all keys that end with `.$`.

    For example, `{"job.$": "$.plan.job"}` becomes `{"job": ...}` with the job in the document.

    Raises:
        StateFailed: an expression can't be evaluated.
    """
    if isinstance(template, list):
        return [fill_template(item, state_input) for item in template]
    if not isinstance(template, dict):
        return template

    filled = {}
    for key, value in template.items():
        if key.endswith(".$"):
            filled[key.removesuffix(".$")] = _evaluate(value, state_input, key)
        else:
            filled[key] = fill_template(value, state_input)
    return filled


def _evaluate(expression: str, state_input: StateInput, field: str) -> Json:
    """Evaluate an expression, which is either a path or a call of States.ArrayContains.

    `field` is the key that contains the expression, which error messages refer to.
    """
    call = ARRAY_CONTAINS.match(expression)
    if call is None:
        return read_field_path(expression, state_input, field)

    items = read_field_path(call[1], state_input, "ArgumentJsonPath")
    if not isinstance(items, list):
        raise StateFailed(
            "States.IntrinsicFailure",
            f"the first argument of {expression} is not an array: {to_json(items)}",
        )
    return call[2] in items


def find_expressions(template: Json) -> Iterator[Json]:
    """Yield a template's expressions, which are the values of keys that end with `.$`."""
    if isinstance(template, list):
        for item in template:
            yield from find_expressions(item)
    elif isinstance(template, dict):
        for key, value in template.items():
            if key.endswith(".$"):
                yield value
            else:
                yield from find_expressions(value)


def to_json(document: Json) -> str:
    """Serialize a document as JSON without spaces."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
