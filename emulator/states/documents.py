"""Reads and writes the JSON documents that travel between states.

A document is never changed after it was created, so that states, branches and events can share it.
A state that adds a field copies the objects on the way to the field.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

Json: TypeAlias = Any
"""A value that `json.loads` returns."""
Object: TypeAlias = Mapping[str, Any]

STEP = re.compile(r"\.([^\W\d][\w-]*)|\['([^']+)'\]|\[(\d+)\]|\[\*\]")
"""One step of a path: `.name`, `['any name']`, `[0]` or `[*]`."""
EVERY = "[*]"
"""The step to every item. Names in paths have no brackets, so no name is equal."""
ARRAY_CONTAINS = re.compile(r"States\.ArrayContains\((\$.*), *'([^']*)'\)")
"""https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html."""


class StateFailed(Exception):  # noqa: N818  # the word of the histories
    """A state failed. Both the name of the error and its cause may be missing."""

    def __init__(self, error: str | None, cause: str | None) -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause


class RuntimeFailed(StateFailed):
    """A state failed because its definition doesn't fit the document that it got."""

    def __init__(self, cause: str) -> None:
        super().__init__("States.Runtime", cause)


class StateInput(NamedTuple):
    """What the paths of a state can read: its document, and with `$$` the context object."""

    document: Json
    context: Object


@functools.lru_cache(4096)
def parse_path(path: str) -> tuple[str | int, ...]:
    """Split a path like `$.plan.jobs[0]` into its steps. Raise ValueError for any other text.

    Filters and slices of JSONPath are not supported.
    """
    position = 1
    if path.startswith("$$"):
        position = 2

    steps: list[str | int] = []
    while match := STEP.match(path, position):
        steps.append(_parse_step(match))
        position = match.end()

    if position < len(path) or not path.startswith("$"):
        raise ValueError(path)
    return tuple(steps)


def _parse_step(match: re.Match[str]) -> str | int:
    """Turn one step of a path into the name of a field, the index of an item, or EVERY."""
    name, quoted_name, index = match.groups()
    if index:
        return int(index)
    return name or quoted_name or EVERY


def read(path: str, state_input: StateInput) -> Json:
    """Read the value at a path, or for a path with `[*]` the list of the values.

    Raise LookupError if there is no value. A list may be empty.
    """
    steps = parse_path(path)
    values: list[Json] = [_find_root(path, state_input)]
    for step in steps:
        parents = values
        values = []
        for parent in parents:
            values += _find_children(parent, step)

    if EVERY in steps:
        return values
    if not values:
        raise LookupError(path)
    return values[0]


def read_field(path: str, state_input: StateInput, field: str) -> Json:
    """Read the value at the path in a field of a state. Raise RuntimeFailed if there is none."""
    try:
        return read(path, state_input)
    except LookupError:
        searched = to_json(_find_root(path, state_input))
        raise RuntimeFailed(
            f"The JSONPath '{path}' specified for the field '{field}' could not be found in the"
            f" input '{searched}'"
        ) from None


def _find_root(path: str, state_input: StateInput) -> Json:
    """Find where a path begins: `$$` is the context object, and `$` the document."""
    if path.startswith("$$"):
        return state_input.context
    return state_input.document


def _find_children(parent: Json, step: str | int) -> Iterable[Json]:
    """Find the values that a step leads to: none, one, or all of a list or an object."""
    if isinstance(parent, list):
        if step == EVERY:
            return parent
        if isinstance(step, int):
            return parent[step : step + 1]  # A missing item is an empty list, not an error.

    if isinstance(parent, Mapping):
        if step == EVERY:
            return parent.values()
        if step in parent:
            return [parent[step]]
    return ()


def write(document: Json, path: str | None, value: Json) -> Json:
    """Put a value into a copy of the document, at a ResultPath. Without a path, drop the value.

    Raise StateFailed if the path leads through a value that is not an object.
    """
    if path is None:
        return document
    return _write_at(document, parse_path(path), value)


def _write_at(document: Json, steps: tuple[str | int, ...], value: Json) -> Json:
    """Copy only the objects on the way to the value. All others are shared with the document."""
    if not steps:
        return value

    field, *inner_steps = steps
    if not isinstance(document, dict):
        cause = f"the ResultPath leads to {field!r} in {to_json(document)}, which is no object"
        raise StateFailed("States.ResultPathMatchFailure", cause)
    return {**document, field: _write_at(document.get(field, {}), tuple(inner_steps), value)}


def fill(template: Json, state_input: StateInput) -> Json:
    """Fill in a template. The value of a key that ends with `.$` is an expression.

    Raise StateFailed if an expression has no value.
    """
    if isinstance(template, list):
        return [fill(item, state_input) for item in template]
    if not isinstance(template, dict):
        return template

    filled = {}
    for key, value in template.items():
        if key.endswith(".$"):
            filled[key.removesuffix(".$")] = _evaluate(value, state_input, key)
        else:
            filled[key] = fill(value, state_input)
    return filled


def _evaluate(expression: str, state_input: StateInput, field: str) -> Json:
    """Evaluate an expression that `check_expression` has accepted."""
    call = ARRAY_CONTAINS.fullmatch(expression)
    if call is None:
        return read_field(expression, state_input, field)

    items = read_field(call[1], state_input, "ArgumentJsonPath")
    if not isinstance(items, list):
        cause = f"the first argument of {expression} is not an array: {to_json(items)}"
        raise StateFailed("States.IntrinsicFailure", cause)
    return call[2] in items


def find_expressions(template: Json) -> Iterator[Json]:
    """Yield the values of all keys of a template that end with `.$`, at any depth."""
    if isinstance(template, list):
        for item in template:
            yield from find_expressions(item)
    elif isinstance(template, dict):
        for key, value in template.items():
            if key.endswith(".$"):
                yield value
            else:
                yield from find_expressions(value)


def check_expression(expression: str) -> None:
    """Raise ValueError for what is neither a path nor `States.ArrayContains(path, 'text')`."""
    call = ARRAY_CONTAINS.fullmatch(expression)
    path = expression
    if call is not None:
        path = call[1]
    parse_path(path)


def to_json(document: Json) -> str:
    """Write a document as JSON without spaces."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
