"""Checks a definition of a state machine for mistakes that Step Functions accepts, and others."""

from collections import Counter

MAX_STATE_NAME_CHARACTERS = 80
"""https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html."""


def machines(definition):
    """Yield the definition and the processor of each Map in it. Each has StartAt and States."""
    yield definition
    for state in definition["States"].values():
        if "ItemProcessor" in state:
            yield from machines(state["ItemProcessor"])


def problems(definition):
    """Return a message for each mistake in a definition.

    Every next state must be in the same machine, every state must be reachable, and every Choice
    must have a Default. State names must be unique over all machines, and short enough.
    """
    names = Counter(name for machine in machines(definition) for name in machine["States"])
    return [
        *(f"{name!r} is the name of two states" for name, count in names.items() if count > 1),
        *(f"{name!r} is too long" for name in names if len(name) > MAX_STATE_NAME_CHARACTERS),
        *(
            message
            for machine in machines(definition)
            for message in _transition_problems(machine["StartAt"], machine["States"])
        ),
    ]


def _transition_problems(start, states):
    reached = set()
    to_visit = [start]
    while to_visit:
        name = to_visit.pop()
        if name in reached:
            continue
        reached.add(name)
        state = states.get(name)
        if state is None:
            yield f"{name!r} is no state of its machine"
            continue
        if state["Type"] == "Choice" and "Default" not in state:
            yield f"{name!r} has no Default"
        to_visit += [state[key] for key in ("Next", "Default") if key in state]
        to_visit += [rule["Next"] for key in ("Catch", "Choices") for rule in state.get(key, ())]
    yield from (f"{name!r} is not reachable" for name in states if name not in reached)
