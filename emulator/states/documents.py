"""Reads and writes the JSON documents that travel between states.

A document is never changed after it was created. A state that adds a field copies the objects on
the way to the field. So states, branches and events can share documents.
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
    """A state failed with the name of an error and its cause. Both may be missing."""

    def __init__(self, error: str | None, cause: str | None) -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause


class RuntimeFailed(StateFailed):
    """A state failed because its definition does not fit its document."""

    def __init__(self, cause: str) -> None:
        super().__init__("States.Runtime", cause)


class StateInput(NamedTuple):
    """What the paths of a state can read: its document, and with `$$` the context object."""

    document: Json
    context: Object


@functools.lru_cache(4096)
def parse_path(text: str) -> tuple[str | int, ...]:
    """Return the steps of a path. Raise ValueError for a filter, a slice or any other text."""
    position = 1
    if text.startswith("$$"):
        position = 2

    steps: list[str | int] = []
    while match := STEP.match(text, position):
        steps.append(_parse_step(match))
        position = match.end()
    if position < len(text) or not text.startswith("$"):
        raise ValueError(text)
    return tuple(steps)


def _parse_step(match: re.Match[str]) -> str | int:
    """Turn one step of a path into the name of a field, the index of an item, or EVERY."""
    name, quoted_name, index = match.groups()
    if index:
        return int(index)
    if name:
        return str(name)
    if quoted_name:
        return str(quoted_name)
    return EVERY


def read(text: str, state_input: StateInput) -> Json:
    """Return the value at a path, or for a path with `[*]` the list of the values.

    Raise LookupError if there is no value. A list may be empty.
    """
    steps = parse_path(text)
    values: list[Json] = [_find_root(text, state_input)]
    for step in steps:
        values = [child for value in values for child in _children(value, step)]

    if EVERY in steps:
        return values
    if not values:
        raise LookupError(text)
    return values[0]


def read_field(text: str, state_input: StateInput, field: str) -> Json:
    """Return the value at the path in a field of a state. Raise RuntimeFailed if there is none."""
    try:
        return read(text, state_input)
    except LookupError:
        searched = to_json(_find_root(text, state_input))
        raise RuntimeFailed(
            f"The JSONPath '{text}' specified for the field '{field}' could not be found in the"
            f" input '{searched}'"
        ) from None


def _find_root(text: str, state_input: StateInput) -> Json:
    """Find where a path begins: `$$` is the context object, and `$` the document."""
    if text.startswith("$$"):
        return state_input.context
    return state_input.document


def write(document: Json, path: str | None, value: Json) -> Json:
    """Return the document with a value at a ResultPath. Without a path, return it as it is.

    Raise StateFailed if the path leads through a value that is not an object.
    """
    if path is None:
        return document
    return _with_value(document, parse_path(path), value)


def fill(template: Json, state_input: StateInput) -> Json:
    """Return a template with its values. The value of a key that ends with `.$` is an expression.

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


def expressions(template: Json) -> Iterator[Json]:
    """Yield the values of the keys of a template that end with `.$`."""
    if isinstance(template, dict):
        for key, value in template.items():
            if key.endswith(".$"):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(template, list):
        for item in template:
            yield from expressions(item)


def check_expression(text: str) -> None:
    """Raise ValueError if a text is neither a path nor `States.ArrayContains(path, 'text')`."""
    call = ARRAY_CONTAINS.fullmatch(text)
    if call is None:
        parse_path(text)
    else:
        parse_path(call[1])


def to_json(document: Json) -> str:
    """Return a document as JSON without spaces."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _evaluate(expression: str, state_input: StateInput, field: str) -> Json:
    call = ARRAY_CONTAINS.fullmatch(expression)
    if call is None:
        return read_field(expression, state_input, field)

    items = read_field(call[1], state_input, "ArgumentJsonPath")
    if not isinstance(items, list):
        cause = f"the first argument of {expression} is not an array: {to_json(items)}"
        raise StateFailed("States.IntrinsicFailure", cause)
    return call[2] in items


def _children(value: Json, step: str | int) -> Iterable[Json]:
    """List the values that a step leads to: none, one, or all of a list or an object."""
    if isinstance(value, list):
        if step == EVERY:
            return value
        if isinstance(step, int):
            return value[step : step + 1]  # A missing item is an empty list, not an error.

    if isinstance(value, Mapping):
        if step == EVERY:
            return value.values()
        if step in value:
            return [value[step]]
    return ()


def _with_value(document: Json, steps: tuple[str | int, ...], value: Json) -> Json:
    if not steps:
        return value
    if not isinstance(document, dict):
        cause = f"the ResultPath leads to {steps[0]!r} in {to_json(document)}, which is no object"
        raise StateFailed("States.ResultPathMatchFailure", cause)
    inner = _with_value(document.get(steps[0], {}), steps[1:], value)
    return {**document, steps[0]: inner}
