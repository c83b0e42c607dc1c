"""Checks that a definition uses only the supported part of the Amazon States Language.

State machines that use any other fields are rejected because the interpreter would silently ignore
those fields. To support another field, add it to `STATE_FIELDS` or `OBJECT_FIELDS` and to
`VALUE_CHECKS`, and interpret it in `interpreter.py`. The language's specification is at
https://states-language.net.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from emulator.states.documents import (
    ARRAY_CONTAINS,
    WILDCARD,
    Json,
    JsonObject,
    find_expressions,
    parse_path,
)

FUNCTION_ARN = re.compile(r"arn:aws[\w-]*:lambda:[\w-]+:\d{12}:function:[\w-]+(:[\w$-]+)?")

# The fields of each type of state, and of each other kind of object. `A?` is an optional field.
# `A|B` means exactly one of the two fields, and `A|B?` means at most one of them.
STATE_FIELDS: Mapping[str, str] = {
    "Pass": "Result? Parameters? ResultPath? Next|End",
    "Task": (
        "Resource Parameters? TimeoutSeconds? ResultSelector? ResultPath? Retry? Catch? Next|End"
    ),
    "Choice": "Choices Default?",
    "Wait": "Seconds|SecondsPath Next|End",
    "Map": (
        "ItemsPath? ItemSelector? ItemProcessor ResultSelector? ResultPath? Retry? Catch? Next|End"
    ),
    "Succeed": "",
    "Fail": "Error? Cause|CausePath?",
}
OBJECT_FIELDS: Mapping[str, str] = {
    "state machine": "StartAt States Comment? TimeoutSeconds?",
    "ItemProcessor": "ProcessorConfig? StartAt States",
    "ProcessorConfig": "Mode",
    "retrier": (
        "ErrorEquals IntervalSeconds? MaxAttempts? BackoffRate? MaxDelaySeconds? JitterStrategy?"
    ),
    "catcher": "ErrorEquals ResultPath? Next",
    "choice rule": "Variable StringEquals|BooleanEquals|NumericEquals Next",
}
LIST_ITEM_KINDS = {"Retry": "retrier", "Catch": "catcher", "Choices": "choice rule"}
"""List field -> the kind of its items."""

ValueCheck = tuple[str, Callable[[Json], object]]
"""A description of a field's valid values, and a predicate that checks a value. If the value is
invalid, the predicate returns something falsy or raises ValueError."""


def find_problems(definition: Json) -> list[str]:
    """List everything in a definition that's invalid or that the emulator doesn't support.

    Each message starts with a location, for example `States['Rest'].Seconds: -5 is not a whole
    number from 0 on`.
    """
    kind = "state machine"
    problems = list(_check_object(kind, OBJECT_FIELDS[kind], definition, location=""))

    # The search for missing states only works on a well-formed definition.
    if not problems:
        problems = list(_find_missing_states(definition, location=""))
    return problems


def _check_object(kind: str, field_groups: str, value: Json, location: str) -> Iterator[str]:
    """Yield all problems with an object and its fields. In messages, the object is a `kind`."""
    object_location = location or "the definition"
    if not isinstance(value, dict):
        yield f"{object_location}: {value!r} is not an object"
        return

    yield from _check_field_counts(kind, field_groups, value, object_location)

    known_fields = re.findall(r"\w+", field_groups)
    for name, field_value in value.items():
        field_location = f"{location}.{name}".lstrip(".")
        if name in known_fields:
            yield from _check_field(name, field_value, field_location)
        else:
            known = ", ".join(known_fields)
            yield f"{field_location}: a {kind} has only {known} in this emulator"


def _check_field_counts(
    kind: str, field_groups: str, value: JsonObject, location: str
) -> Iterator[str]:
    """Yield a problem for each group of alternative fields if an object has too few or too many."""
    for group in field_groups.split():
        alternatives = group.rstrip("?").split("|")
        count = len(value.keys() & set(alternatives))
        is_missing = count == 0 and not group.endswith("?")
        if count > 1 or is_missing:
            yield f"{location}: a {kind} has one {' or '.join(alternatives)}, but this has {count}"


def _check_field(name: str, value: Json, location: str) -> Iterator[str]:
    """Yield all problems with the value of a supported field."""
    if name in {"ItemProcessor", "ProcessorConfig"}:
        yield from _check_object(name, OBJECT_FIELDS[name], value, location)
    elif name in LIST_ITEM_KINDS:
        yield from _check_list(name, value, location)
    elif name == "States":
        yield from _check_states(value, location)
    else:
        yield from _check_value(name, value, location)


def _check_list(name: str, value: Json, location: str) -> Iterator[str]:
    """Yield all problems with a list of retriers, catchers or choice rules."""
    if not isinstance(value, list) or not value:
        yield f"{location}: {value!r} is not a list with at least one object"
        return

    kind = LIST_ITEM_KINDS[name]
    for index, item in enumerate(value):
        yield from _check_object(kind, OBJECT_FIELDS[kind], item, f"{location}[{index}]")


def _check_states(states: Json, location: str) -> Iterator[str]:
    """Yield all problems with a state machine's states. A state's fields depend on its type."""
    if not isinstance(states, dict):
        yield f"{location}: {states!r} is not an object"
        return

    for name, state in states.items():
        state_location = f"{location}[{name!r}]"
        state_type = ""
        if isinstance(state, dict):
            state_type = str(state.get("Type"))

        if state_type in STATE_FIELDS:
            field_groups = f"Type Comment? {STATE_FIELDS[state_type]}"
            yield from _check_object(state_type, field_groups, state, state_location)
        else:
            known_types = ", ".join(STATE_FIELDS)
            yield f"{state_location}.Type: {state_type!r} is not one of {known_types}"


def _check_value(name: str, value: Json, location: str) -> Iterator[str]:
    """Yield a problem if a field's value doesn't pass the check in VALUE_CHECKS."""
    expected, is_valid_value = VALUE_CHECKS[name]
    try:
        is_valid = is_valid_value(value)
    except ValueError:
        is_valid = False
    if not is_valid:
        yield f"{location}: {value!r} is not {expected}"


def _find_missing_states(machine: JsonObject, location: str) -> Iterator[str]:
    """Yield a problem for each transition to a state that doesn't exist."""
    for field_location, next_state in _list_transitions(machine, location):
        if next_state not in machine["States"]:
            yield f"{field_location}: there is no state {next_state!r}"

    # The state machine inside a Map can only refer to its own states.
    for name, state in machine["States"].items():
        if "ItemProcessor" in state:
            inner_location = f"{location}States[{name!r}].ItemProcessor."
            yield from _find_missing_states(state["ItemProcessor"], inner_location)


def _list_transitions(machine: JsonObject, location: str) -> Iterator[tuple[str, str]]:
    """Yield the location and the value of each field that names the next state."""
    yield f"{location}StartAt", machine["StartAt"]
    for name, state in machine["States"].items():
        state_location = f"{location}States[{name!r}]"
        for field in ("Next", "Default"):
            if field in state:
                yield f"{state_location}.{field}", state[field]

        for field in ("Choices", "Catch"):
            for index, rule in enumerate(state.get(field, ())):
                yield f"{state_location}.{field}[{index}].Next", rule["Next"]


def _is_number(value: Json) -> bool:
    """Return whether a value is a number in JSON."""
    # `isinstance` would accept a bool as an int, but AWS doesn't.
    return type(value) in {int, float}


def _build_integer_check(minimum: int) -> ValueCheck:
    """Build the check of a field that contains a whole number, such as TimeoutSeconds."""
    expected = f"a whole number from {minimum} on"
    return expected, lambda value: type(value) is int and value >= minimum


def _is_result_path(value: Json) -> bool:
    """Return whether `write_path` supports a ResultPath."""
    if value is None:
        return True  # With null, a state discards its result.

    path = str(value)
    if path.startswith("$$"):
        return False  # The context object is read-only.
    return WILDCARD not in parse_path(path)


def _is_template(value: Json) -> bool:
    """Return True if all expressions are supported, and raise ValueError otherwise."""
    for expression in find_expressions(value):
        # Both kinds of expressions contain a path.
        path = ARRAY_CONTAINS.sub(r"\1", str(expression))
        parse_path(path)
    return True


def _are_error_names(value: Json) -> bool:
    """Return whether an ErrorEquals is a list of strings that isn't empty."""
    if not isinstance(value, list):
        return False
    return bool(value) and all(isinstance(name, str) for name in value)


STRING_CHECK: ValueCheck = ("a text", lambda value: isinstance(value, str))
PATH_CHECK: ValueCheck = (
    "a path of names and [*] like $.plan.jobs[*]",
    lambda value: parse_path(str(value)) is not None,
)
TEMPLATE_CHECK: ValueCheck = (
    "a template of paths like $.plan.jobs[*] and States.ArrayContains(path, 'text')",
    _is_template,
)
VALUE_CHECKS: Mapping[str, ValueCheck] = {
    **dict.fromkeys(
        ("Type", "Comment", "StartAt", "Next", "Default", "Error", "Cause"), STRING_CHECK
    ),
    **dict.fromkeys(("SecondsPath", "ItemsPath", "Variable", "CausePath"), PATH_CHECK),
    **dict.fromkeys(("Parameters", "ItemSelector", "ResultSelector"), TEMPLATE_CHECK),
    "StringEquals": STRING_CHECK,
    "BooleanEquals": ("true or false", lambda value: isinstance(value, bool)),
    "NumericEquals": ("a number", _is_number),
    "End": ("true", lambda value: value is True),
    "Resource": ("the ARN of a Lambda function", lambda value: FUNCTION_ARN.fullmatch(str(value))),
    "Result": ("a result", lambda _: True),
    "ResultPath": ("a path of names like $.plan.jobs, or null", _is_result_path),
    "Seconds": _build_integer_check(0),
    "TimeoutSeconds": _build_integer_check(1),
    "Mode": ("INLINE", lambda value: value == "INLINE"),
    "ErrorEquals": ("a list of names", _are_error_names),
    "IntervalSeconds": _build_integer_check(1),
    "MaxAttempts": _build_integer_check(0),
    "MaxDelaySeconds": _build_integer_check(1),
    "BackoffRate": ("a number from 1 on", lambda value: _is_number(value) and value >= 1),
    "JitterStrategy": ("FULL or NONE", lambda value: value in {"FULL", "NONE"}),
}
