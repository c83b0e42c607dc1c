"""Reads and writes the JSON documents that a state machine's states pass on to each other.

Once created, a document never changes, so that states, branches and events can share it. A state
that adds a field copies only the objects on the way to that field.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

Json: TypeAlias = Any
"""A value that `json.loads` returns."""
JsonObject: TypeAlias = Mapping[str, Any]

PATH_STEP = re.compile(r"\.([^\W\d][\w-]*)|\['([^']+)'\]|\[(\d+)\]|\[\*\]")
"""One step of a path: `.name`, `['any name']`, `[0]` or `[*]`."""
WILDCARD = "[*]"
"""The step to all items of a list, or to all values of an object."""
ARRAY_CONTAINS = re.compile(r"States\.ArrayContains\((\$.*), *'([^']*)'\)")
"""The only intrinsic function that the emulator supports:
https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html."""


class StateFailed(Exception):  # noqa: N818  # as execution histories call it
    """A state failed. The error's name and its cause are both optional."""

    def __init__(self, error: str | None, cause: str | None) -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause


class RuntimeFailed(StateFailed):
    """A state failed because its definition doesn't fit its input."""

    def __init__(self, cause: str) -> None:
        super().__init__("States.Runtime", cause)


class StateInput(NamedTuple):
    """What a state's paths refer to: `$` is the document, and `$$` is the context object."""

    document: Json
    context: JsonObject


@functools.lru_cache(4096)
def parse_path(path: str) -> tuple[str | int, ...]:
    """Split a path like `$.plan.jobs[0]` into its steps. Raise ValueError if it isn't valid.

    JSONPath's filters and slices aren't supported.
    """
    position = 1
    if path.startswith("$$"):
        position = 2

    steps: list[str | int] = []
    while match := PATH_STEP.match(path, position):
        steps.append(_parse_step(match))
        position = match.end()

    if position < len(path) or not path.startswith("$"):
        raise ValueError(path)
    return tuple(steps)


def _parse_step(match: re.Match[str]) -> str | int:
    """Turn a step of a path into a field name, a list index, or WILDCARD."""
    name, quoted_name, index = match.groups()
    if index:
        return int(index)
    return name or quoted_name or WILDCARD


def read_path(path: str, state_input: StateInput) -> Json:
    """Read the value at a path. If the path contains `[*]`, read a list of all matching values.

    Raise LookupError if a path without `[*]` leads to no value.
    """
    steps = parse_path(path)
    values: list[Json] = [_find_root(path, state_input)]
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
    """Read the value at the path that a state has in `field`, such as ItemsPath.

    Raise RuntimeFailed with AWS's message if there's no value.
    """
    try:
        return read_path(path, state_input)
    except LookupError:
        searched = to_json(_find_root(path, state_input))
        raise RuntimeFailed(
            f"The JSONPath '{path}' specified for the field '{field}' could not be found in the"
            f" input '{searched}'"
        ) from None


def _find_root(path: str, state_input: StateInput) -> Json:
    """Return the value at which a path starts."""
    if path.startswith("$$"):
        return state_input.context
    return state_input.document


def _find_children(parent: Json, step: str | int) -> Iterable[Json]:
    """Return the values that a step selects from a list or an object. There may be none."""
    if isinstance(parent, list):
        if step == WILDCARD:
            return parent
        if isinstance(step, int):
            # Unlike an index, a slice doesn't raise an error for a missing item.
            return parent[step : step + 1]

    if isinstance(parent, Mapping):
        if step == WILDCARD:
            return parent.values()
        if step in parent:
            return [parent[step]]
    return ()


def write_path(document: Json, path: str | None, value: Json) -> Json:
    """Return a copy of the document with a value inserted at a ResultPath.

    If the path is null, discard the value and return the document unchanged. Raise StateFailed if
    the path leads through something that isn't an object.
    """
    if path is None:
        return document
    return _write_at_steps(document, parse_path(path), value)


def _write_at_steps(document: Json, steps: tuple[str | int, ...], value: Json) -> Json:
    """Write a value, but copy only the objects on the way to it, and share all others."""
    if not steps:
        return value

    field, *inner_steps = steps
    if not isinstance(document, dict):
        cause = f"the ResultPath leads to {field!r} in {to_json(document)}, which is no object"
        raise StateFailed("States.ResultPathMatchFailure", cause)
    inner_document = document.get(field, {})
    return {**document, field: _write_at_steps(inner_document, tuple(inner_steps), value)}


def fill_template(template: Json, state_input: StateInput) -> Json:
    """Evaluate the expressions in a template: the values of all keys that end with `.$`.

    Raise StateFailed if an expression can't be evaluated.
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
    """Evaluate a path or an intrinsic function, which `check_expression` has already accepted."""
    call = ARRAY_CONTAINS.fullmatch(expression)
    if call is None:
        return read_field_path(expression, state_input, field)

    items = read_field_path(call[1], state_input, "ArgumentJsonPath")
    if not isinstance(items, list):
        cause = f"the first argument of {expression} is not an array: {to_json(items)}"
        raise StateFailed("States.IntrinsicFailure", cause)
    return call[2] in items


def find_expressions(template: Json) -> Iterator[Json]:
    """Yield the values of a template's keys that end with `.$`, at any depth."""
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
    """Raise ValueError unless it's a path or `States.ArrayContains(path, 'text')`."""
    call = ARRAY_CONTAINS.fullmatch(expression)
    path = expression
    if call is not None:
        path = call[1]
    parse_path(path)


def to_json(document: Json) -> str:
    """Serialize a document as JSON without spaces."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
