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
    expressions,
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
"""The fields with lists of objects. The objects of some are combinations or comparisons."""

Value = tuple[str, Callable[[Json], object]]
"""What a value has to be, and a function that returns something false or raises ValueError if it
is not."""


def problems(definition: Json) -> list[str]:
    """Return a message for each part of a definition that cannot be interpreted.

    A message begins with the place: `States['Rest'].Seconds: -5 is not a whole number from 0 on`.
    """
    found = list(_object_problems("state machine", definition, ""))
    return found or list(_missing_states(definition, ""))


def _object_problems(
    noun: str, value: Json, place: str, fields: str | None = None
) -> Iterator[str]:
    """Yield the problems of an object. Without `fields`, OBJECTS has the fields of the noun."""
    here = place
    if not place:
        here = "the definition"
    if not isinstance(value, dict):
        yield f"{here}: {value!r} is not an object"
        return

    if fields is None:
        fields = OBJECTS[noun]
    yield from _count_problems(noun, value, here, fields)

    known = re.findall(r"\w+", fields)
    for name, item in value.items():
        field_place = f"{place}.{name}".lstrip(".")
        if name in known:
            yield from _field_problems(name, item, field_place)
        else:
            yield f"{field_place}: a {noun} has only {', '.join(known)} in this emulator"


def _count_problems(noun: str, value: Object, here: str, fields: str) -> Iterator[str]:
    """Yield the groups of fields of which an object has none or more than one."""
    for group in fields.split():
        names = group.rstrip("?").split("|")
        count = len(value.keys() & {*names})
        is_missing = count == 0 and not group.endswith("?")
        if count > 1 or is_missing:
            yield f"{here}: a {noun} has one {' or '.join(names)}, but this has {count}"


def _field_problems(name: str, value: Json, place: str) -> Iterator[str]:
    """Yield the problems of a field that its object may have."""
    if name in {"ItemProcessor", "ProcessorConfig"}:
        yield from _object_problems(name, value, place)
    elif name == "Not":
        yield from _condition_problems(value, place)
    elif name in LISTS:
        yield from _list_problems(name, value, place)
    elif name == "States":
        yield from _state_problems(value, place)
    else:
        yield from _value_problems(name, value, place)


def _list_problems(name: str, value: Json, place: str) -> Iterator[str]:
    if not isinstance(value, list) or not value:
        yield f"{place}: {value!r} is not a list with at least one object"
        return

    for number, item in enumerate(value):
        item_place = f"{place}[{number}]"
        if LISTS[name]:
            yield from _object_problems(LISTS[name], item, item_place)
        elif name == "Choices":  # Only the outermost condition says what comes next.
            yield from _condition_problems(item, item_place, "Next")
        else:
            yield from _condition_problems(item, item_place)


def _condition_problems(value: Json, place: str, more_fields: str = "") -> Iterator[str]:
    noun = "comparison"
    if isinstance(value, dict) and not {"And", "Or", "Not"}.isdisjoint(value):
        noun = "combination"
    yield from _object_problems(noun, value, place, f"{OBJECTS[noun]} {more_fields}")


def _state_problems(states: Json, place: str) -> Iterator[str]:
    if not isinstance(states, dict):
        yield f"{place}: {states!r} is not an object"
        return
    for name, state in states.items():
        here = f"{place}[{name!r}]"
        kind = ""
        if isinstance(state, dict):
            kind = str(state.get("Type"))

        if kind in STATES:
            yield from _object_problems(kind, state, here, f"Type Comment? {STATES[kind]}")
        else:
            yield f"{here}.Type: {kind!r} is not one of {', '.join(STATES)}"


def _value_problems(name: str, value: Json, place: str) -> Iterator[str]:
    noun, is_valid = VALUES[name]
    try:
        valid = is_valid(value)
    except ValueError:
        valid = False
    if not valid:
        yield f"{place}: {value!r} is not {noun}"


def _missing_states(machine: Object, place: str) -> Iterator[str]:
    """Yield the next states that a machine does not have. It has no other problems."""
    targets = {f"{place}StartAt": machine["StartAt"]}
    for name, state in machine["States"].items():
        here = f"{place}States[{name!r}]"
        targets |= {f"{here}.{key}": state[key] for key in ("Next", "Default") if key in state}
        for rules in ("Choices", "Catch"):
            for number, rule in enumerate(state.get(rules, ())):
                targets[f"{here}.{rules}[{number}].Next"] = rule["Next"]
        if "ItemProcessor" in state:
            yield from _missing_states(state["ItemProcessor"], f"{here}.ItemProcessor.")

    for field_place, target in targets.items():
        if target not in machine["States"]:
            yield f"{field_place}: there is no state {target!r}"


def _is_number(value: Json) -> bool:
    return type(value) in {int, float}


def _whole(lowest: int) -> Value:
    noun = f"a whole number from {lowest} on"
    return noun, lambda value: type(value) is int and value >= lowest


def _is_path(value: Json) -> bool:
    return parse_path(str(value)) is not None


def _is_result_path(value: Json) -> bool:
    if value is None:
        return True  # The state keeps its input and drops the result.
    steps = parse_path(str(value))
    is_context = str(value).startswith("$$")
    return not is_context and all(isinstance(step, str) and step != EVERY for step in steps)


def _is_template(value: Json) -> bool:
    for expression in expressions(value):
        check_expression(str(expression))
    return True


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
    "Seconds": _whole(0),
    "TimeoutSeconds": _whole(1),
    "Mode": ("INLINE", lambda value: value == "INLINE"),
    "ErrorEquals": (
        "a list of names",
        lambda value: isinstance(value, list) and value and all(isinstance(n, str) for n in value),
    ),
    "IntervalSeconds": _whole(1),
    "MaxAttempts": _whole(0),
    "MaxDelaySeconds": _whole(1),
    "BackoffRate": ("a number from 1 on", lambda value: _is_number(value) and value >= 1),
    "JitterStrategy": ("FULL or NONE", lambda value: value in {"FULL", "NONE"}),
}
