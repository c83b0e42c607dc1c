"""The part of the Amazon States Language (https://states-language.net) that can be interpreted.

A state machine with anything else is refused at its creation. To add a field, add it to `STATES`
or `OBJECTS` and to `VALUES`, and interpret it in `interpreter.py`.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from emulator.states.documents import (
    EVERY,
    Json,
    Object,
    check_expression,
    find_expressions,
    parse_path,
)

FUNCTION = re.compile(r"arn:aws[\w-]*:lambda:[\w-]+:\d{12}:function:[\w-]+(:[\w$-]+)?")

# The fields of each type of state and of each other object. `A?` may be absent. `A|B` is exactly
# one of the two, and `A|B?` is at most one.
STATES: Mapping[str, str] = {
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
    "Fail": "Error|ErrorPath? Cause|CausePath?",
}
NUMBERS = (
    "NumericEquals|NumericLessThan|NumericLessThanEquals"
    "|NumericGreaterThan|NumericGreaterThanEquals"
)
OBJECTS: Mapping[str, str] = {
    "state machine": "StartAt States Comment? TimeoutSeconds?",
    "ItemProcessor": "ProcessorConfig? StartAt States",
    "ProcessorConfig": "Mode",
    "rule of Retry": (
        "ErrorEquals IntervalSeconds? MaxAttempts? BackoffRate? MaxDelaySeconds? JitterStrategy?"
    ),
    "rule of Catch": "ErrorEquals ResultPath? Next",
    "combination": "And|Or|Not",
    "comparison": f"Variable IsPresent|IsNull|StringEquals|BooleanEquals|{NUMBERS}",
}
LISTS = {"Retry": "rule of Retry", "Catch": "rule of Catch", "Choices": "", "And": "", "Or": ""}
"""The fields with lists of objects, and what each object is. Empty stands for a condition, which is
a combination or a comparison."""

Value = tuple[str, Callable[[Json], object]]
"""What a value has to be, and a function that returns something false or raises ValueError if it
is not."""


def find_problems(definition: Json) -> list[str]:
    """List each part of a definition that cannot be interpreted.

    A message begins with the place: `States['Rest'].Seconds: -5 is not a whole number from 0 on`.
    """
    kind = "state machine"
    problems = list(_check_object(kind, OBJECTS[kind], definition, place=""))

    # The next states can only be looked up in a machine that is well-formed.
    if not problems:
        problems = list(_find_missing_states(definition, place=""))
    return problems


def _check_object(kind: str, field_groups: str, value: Json, place: str) -> Iterator[str]:
    """Yield the problems of an object with its fields. `kind` is the word for it in messages."""
    here = place or "the definition"
    if not isinstance(value, dict):
        yield f"{here}: {value!r} is not an object"
        return

    yield from _count_fields(kind, field_groups, value, here)

    known_fields = re.findall(r"\w+", field_groups)
    for name, field_value in value.items():
        field_place = f"{place}.{name}".lstrip(".")
        if name in known_fields:
            yield from _check_field(name, field_value, field_place)
        else:
            known = ", ".join(known_fields)
            yield f"{field_place}: a {kind} has only {known} in this emulator"


def _count_fields(kind: str, field_groups: str, value: Object, here: str) -> Iterator[str]:
    """Yield the groups of fields of which an object has none or more than one."""
    for group in field_groups.split():
        alternatives = group.rstrip("?").split("|")
        count = len(value.keys() & set(alternatives))
        is_missing = count == 0 and not group.endswith("?")
        if count > 1 or is_missing:
            yield f"{here}: a {kind} has one {' or '.join(alternatives)}, but this has {count}"


def _check_field(name: str, value: Json, place: str) -> Iterator[str]:
    """Yield the problems of a field that its object may have."""
    if name in {"ItemProcessor", "ProcessorConfig"}:
        yield from _check_object(name, OBJECTS[name], value, place)
    elif name == "Not":
        yield from _check_condition(value, place)
    elif name in LISTS:
        yield from _check_list(name, value, place)
    elif name == "States":
        yield from _check_states(value, place)
    else:
        yield from _check_value(name, value, place)


def _check_list(name: str, value: Json, place: str) -> Iterator[str]:
    """Yield the problems of a list of rules or conditions."""
    if not isinstance(value, list) or not value:
        yield f"{place}: {value!r} is not a list with at least one object"
        return

    kind = LISTS[name]
    for number, item in enumerate(value):
        item_place = f"{place}[{number}]"
        if kind:
            yield from _check_object(kind, OBJECTS[kind], item, item_place)
        elif name == "Choices":  # Only the outermost condition says what comes next.
            yield from _check_condition(item, item_place, "Next")
        else:
            yield from _check_condition(item, item_place)


def _check_condition(value: Json, place: str, more_fields: str = "") -> Iterator[str]:
    """Yield the problems of a condition of a Choice: a combination, or one comparison."""
    kind = "comparison"
    if isinstance(value, dict) and not {"And", "Or", "Not"}.isdisjoint(value):
        kind = "combination"
    yield from _check_object(kind, f"{OBJECTS[kind]} {more_fields}", value, place)


def _check_states(states: Json, place: str) -> Iterator[str]:
    """Yield the problems of the states of a machine. Each type of state has fields of its own."""
    if not isinstance(states, dict):
        yield f"{place}: {states!r} is not an object"
        return

    for name, state in states.items():
        state_place = f"{place}[{name!r}]"
        state_type = ""
        if isinstance(state, dict):
            state_type = str(state.get("Type"))

        if state_type in STATES:
            field_groups = f"Type Comment? {STATES[state_type]}"
            yield from _check_object(state_type, field_groups, state, state_place)
        else:
            yield f"{state_place}.Type: {state_type!r} is not one of {', '.join(STATES)}"


def _check_value(name: str, value: Json, place: str) -> Iterator[str]:
    """Yield the problem of a value that is not what VALUES says about its field."""
    expected, check = VALUES[name]
    try:
        is_valid = check(value)
    except ValueError:
        is_valid = False
    if not is_valid:
        yield f"{place}: {value!r} is not {expected}"


def _find_missing_states(machine: Object, place: str) -> Iterator[str]:
    """Yield a problem for each next state that a well-formed machine doesn't have."""
    for field_place, target in _find_targets(machine, place):
        if target not in machine["States"]:
            yield f"{field_place}: there is no state {target!r}"

    # Inside a Map there is a machine with states of its own.
    for name, state in machine["States"].items():
        if "ItemProcessor" in state:
            inner_place = f"{place}States[{name!r}].ItemProcessor."
            yield from _find_missing_states(state["ItemProcessor"], inner_place)


def _find_targets(machine: Object, place: str) -> Iterator[tuple[str, str]]:
    """Yield where a machine names a next state, and the name."""
    yield f"{place}StartAt", machine["StartAt"]
    for name, state in machine["States"].items():
        state_place = f"{place}States[{name!r}]"
        for field in ("Next", "Default"):
            if field in state:
                yield f"{state_place}.{field}", state[field]

        for field in ("Choices", "Catch"):
            for number, rule in enumerate(state.get(field, ())):
                yield f"{state_place}.{field}[{number}].Next", rule["Next"]


def _is_number(value: Json) -> bool:
    # A bool is an int for isinstance, but not for AWS.
    return type(value) in {int, float}


def _whole_number(minimum: int) -> Value:
    expected = f"a whole number from {minimum} on"
    return expected, lambda value: type(value) is int and value >= minimum


def _is_path(value: Json) -> bool:
    return parse_path(str(value)) is not None


def _is_result_path(value: Json) -> bool:
    """Return True if a result can be written at a path, or dropped."""
    if value is None:
        return True  # The state keeps its input and drops the result.

    path = str(value)
    if path.startswith("$$"):
        return False  # Nothing can be written into the context object.
    return all(isinstance(step, str) and step != EVERY for step in parse_path(path))


def _is_template(value: Json) -> bool:
    for expression in find_expressions(value):
        check_expression(str(expression))
    return True


def _are_error_names(value: Json) -> bool:
    if not isinstance(value, list):
        return False
    return bool(value) and all(isinstance(name, str) for name in value)


TEXT: Value = ("a text", lambda value: isinstance(value, str))
TRUTH: Value = ("true or false", lambda value: isinstance(value, bool))
PATH: Value = ("a path of names, indexes and [*] like $.plan.jobs[0]", _is_path)
TEMPLATE: Value = (
    "a template of paths like $.plan.jobs[0] and States.ArrayContains(path, 'text')",
    _is_template,
)
VALUES: Mapping[str, Value] = {
    **dict.fromkeys(("Type", "Comment", "StartAt", "Next", "Default", "Error", "Cause"), TEXT),
    **dict.fromkeys(("SecondsPath", "ItemsPath", "Variable", "ErrorPath", "CausePath"), PATH),
    **dict.fromkeys(("Parameters", "ItemSelector", "ResultSelector"), TEMPLATE),
    **dict.fromkeys(("IsPresent", "IsNull", "BooleanEquals"), TRUTH),
    **dict.fromkeys(NUMBERS.split("|"), ("a number", _is_number)),
    "StringEquals": TEXT,
    "End": ("true", lambda value: value is True),
    "Resource": ("the ARN of a Lambda function", lambda value: FUNCTION.fullmatch(str(value))),
    "Result": ("a result", lambda _: True),
    "ResultPath": ("a path of names like $.plan.jobs, or null", _is_result_path),
    "Seconds": _whole_number(0),
    "TimeoutSeconds": _whole_number(1),
    "Mode": ("INLINE", lambda value: value == "INLINE"),
    "ErrorEquals": ("a list of names", _are_error_names),
    "IntervalSeconds": _whole_number(1),
    "MaxAttempts": _whole_number(0),
    "MaxDelaySeconds": _whole_number(1),
    "BackoffRate": ("a number from 1 on", lambda value: _is_number(value) and value >= 1),
    "JitterStrategy": ("FULL or NONE", lambda value: value in {"FULL", "NONE"}),
}
