"""Proves which events a state machine has in its history, and that none comes after the end.

`histories.json` has small state machines, at least one for each field and each error. Their events
were recorded in an older interpreter, or written as AWS's documents say.

An event is `[seconds since the start, type, previousEventId, details]`. Long texts are cut, and
random ids are replaced.
"""

import json
import re
from pathlib import Path

import pytest

from emulator.states import language
from emulator.virtual.step_functions import LambdaFailure, StepFunctions
from emulator.virtual.virtual_time import DEFAULT_START, VirtualClock

FOLDER = Path(__file__).parent
MACHINES = {case["name"]: case for case in json.loads((FOLDER / "histories.json").read_text())}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def expanded(value):
    """Return a value in which `{"repeat": 3}` is the text `xxx`."""
    if isinstance(value, dict):
        is_text = set(value) == {"repeat"}
        return "x" * value["repeat"] if is_text else {k: expanded(v) for k, v in value.items()}
    return [expanded(item) for item in value] if isinstance(value, list) else value


def shortened(value):
    """Return a value without random ids, in which long texts are cut."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if isinstance(value, str):
        text = UUID.sub("an id", value)
        return re.sub(r"x{999,}", lambda match: f"{len(match[0])} times x", text)
    return value


def replying(clock, replies):
    """Return a function that sleeps, returns or fails as the replies say, in their order."""
    remaining = iter(replies)

    def handler(_event, _context):
        reply = next(remaining)
        if "sleeps" in reply:
            clock.sleep(reply["sleeps"])
        if "fails" in reply:
            raise LambdaFailure(*reply["fails"])
        return expanded(reply["returns"])

    return handler


def recorded(execution):
    """Return the events of an execution as the file has them."""
    rows = []
    for event in execution.events:
        details = next((item for key, item in event.items() if key.endswith("EventDetails")), {})
        details = dict(details)
        for key in {"input", "output"} & set(details):
            details[key] = expanded(json.loads(details[key]))
        seconds = (event["timestamp"] - DEFAULT_START).total_seconds()
        rows.append([seconds, event["type"], event["previousEventId"], shortened(details)])

    return rows


@pytest.mark.parametrize("case", MACHINES.values(), ids=MACHINES)
def test_a_small_machine_has_the_history_that_was_recorded(case):
    clock = VirtualClock()
    functions = {name: replying(clock, rows) for name, rows in case.get("replies", {}).items()}
    with StepFunctions(clock) as step_functions:
        machine = step_functions.create_state_machine(case["definition"], functions)
        started = machine.start(expanded(case["input"]), name="run")
        if "abort" in case:
            clock.sleep(case["abort"]["after"])
            started.abort(case["abort"].get("error"), case["abort"].get("cause"))
        execution = started.wait()
        clock.sleep(10_000)
    assert recorded(execution) == case["events"]
    assert execution.waiting_branches == {}, "nothing waits for the end of a state"

    end = case["events"][-1][3]
    assert execution.status == case["status"]
    assert shortened([execution.output, execution.error, execution.cause]) == [
        end.get(key) for key in ("output", "error", "cause")
    ]


def test_there_is_a_machine_for_every_field_of_the_language():
    text = json.dumps([case["definition"] for case in MACHINES.values()])
    groups = " ".join([*language.STATE_FIELDS.values(), *language.OBJECT_FIELDS.values()])
    fields = set(groups.replace("|", " ").replace("?", "").split())
    assert {field for field in fields if f'"{field}"' not in text} == set()
