"""Proves what the API returns of state machines and executions, also with faults and old data.

`golden/states_api.txt` has stories. Each step is one line, and below it is the response or the
error. A step is an operation with its request, `wait` with seconds, or `fault`. A story begins with
the state machine `rest`, whose executions take an hour. Times are seconds since the beginning.
"""

import contextlib
import json
import re
from datetime import datetime, timedelta

from ruamel.yaml import YAML
from small_machines import machine, map_over, replies, task, wait

from emulator.protocol.errors import ApiError, NoResponse
from emulator.virtual.step_functions import ACCOUNT, REGION, StepFunctions, run
from emulator.virtual.virtual_time import DEFAULT_START

REST = machine(Rest=wait(3600))
ARN = f"arn:aws:states:{REGION}:{ACCOUNT}:"
NAMES = {
    "role": f"arn:aws:iam::{ACCOUNT}:role/one",
    "other role": f"arn:aws:iam::{ACCOUNT}:role/two",
    "rest": json.dumps(REST),
    "late": json.dumps({**REST, "TimeoutSeconds": 60}),
    "other": json.dumps(machine(Other=wait(1))),
}


class Story:
    """The Step Functions of a story, and the last token of a list."""

    def __init__(self, step_functions):
        self.step_functions = step_functions
        self.names = dict(NAMES)
        step_functions.create_state_machine(REST, {}, name="rest")

    def long(self, value):
        """Return a value of a request in which the short names are replaced."""
        if isinstance(value, dict):
            return {key: self.long(item) for key, item in value.items()}
        if not isinstance(value, str) or value.startswith("{"):
            return value
        value = re.sub(r"<machine:", f"<{ARN}stateMachine:", value)
        value = re.sub(r"<execution:", f"<{ARN}execution:", value)
        return re.sub(r"<(.*)>", lambda match: self.names.get(match[1], match[1]), value)

    def short(self, value):
        """Return a value of a response as the golden file has it."""
        if isinstance(value, datetime):
            return f"{(value - DEFAULT_START).total_seconds():g}"
        if isinstance(value, dict):
            return ", ".join(f"{name} {self.short(item)}" for name, item in value.items())
        if isinstance(value, list):
            return "; ".join(self.short(item) for item in value) or "none"
        text = value if isinstance(value, str) else json.dumps(value)
        for name, long in self.names.items():
            text = text.replace(long, f"<{name}>")

        return re.sub(rf"{ARN}(\w+):(\w+(:\w+)?)", r"<\1:\2>", text).replace("stateM", "m")

    def step(self, line):
        """Make a step, and return the text below it."""
        word, _, text = line.partition(" ")
        argument = YAML(typ="safe").load(text)
        try:
            if word in ("wait", "fault"):
                make = {"wait": self.step_functions.clock.sleep}
                make.get(word, self.step_functions.faults.inject)(argument)
                return ""
            return self.shown(self.step_functions.respond(word, self.long(argument)))
        except NoResponse:
            return "no response"
        except ApiError as error:
            return self.short(f"{error.code}: {error.message}")
        except ValueError as error:
            return str(error)[:80]

    def shown(self, response):
        """Return a response as text. A list of executions has their names and statuses."""
        if "executions" not in response:
            return self.short(response)
        shown = [f"{row['name']} {row['status']}" for row in response["executions"]]
        if "nextToken" in response:
            self.names["token"] = response["nextToken"]
            shown.append("<token>")
        return ", ".join(shown) or "none"


def test_each_story_of_the_golden_file_is_as_it_was(golden):
    stories = []
    with contextlib.ExitStack() as ends:

        def begin(_title):
            stories.append(Story(ends.enter_context(StepFunctions())))

        def answer(line):
            return stories[-1].step(line)

        golden.answers("states_api.txt", answer, width=100, begin=begin)


# Histories and limits


def test_a_history_can_be_read_in_pages_from_both_ends():
    with StepFunctions() as step_functions:
        mapped = step_functions.create_state_machine(
            machine(Each=map_over("$.items", Rest=wait(0))), {}
        )
        execution = mapped.start({"items": list(range(30))}).wait()

        def history(**fields):
            request = {"executionArn": execution.arn, **fields}
            return step_functions.respond("GetExecutionHistory", request)

        whole = history(maxResults=1000)
        assert whole["events"] == execution.events
        assert "nextToken" not in whole
        first = history()
        second = history(nextToken=first["nextToken"])
        assert len(first["events"]) == 100
        assert first["events"] + second["events"] == whole["events"]
        (last,) = history(reverseOrder=True, maxResults=1)["events"]
    assert last == whole["events"][-1]


def test_a_history_has_at_most_25000_events_and_the_last_one_is_the_end(monkeypatch):
    # One turn has four events. The limit is lower here, because 25,000 events take a second.
    monkeypatch.setattr("emulator.states.execution.MAX_EVENTS", 250)
    turn = {"Type": "Pass", "Next": "A"}
    execution = run(machine(A={**turn, "Next": "B"}, B=turn), {}, {})
    assert (execution.status, execution.error) == ("FAILED", "States.Runtime")
    assert execution.cause == "The execution reached the maximum number of history events (250)."
    assert [len(execution.events), execution.events[-1]["type"]] == [250, "ExecutionFailed"]

    monkeypatch.setattr("emulator.states.execution.MAX_EVENTS", 4)
    assert run(machine(A={"Type": "Pass", "End": True}), {}, {}).status == "SUCCEEDED"


def test_a_year_and_262144_bytes_are_the_limits_of_an_execution():
    with StepFunctions() as step_functions:
        definition = {**machine(A=wait(50_000_000)), "TimeoutSeconds": 90_000_000}
        assert (
            step_functions.create_state_machine(definition, {}).start({}).wait().status
            == "TIMED_OUT"
        )
        assert step_functions.clock.now() - DEFAULT_START == timedelta(days=365)
    for count, status in ((131_071, "SUCCEEDED"), (131_072, "FAILED")):  # with two quotes
        execution = run(machine(Work=task("work")), {"work": replies("ü" * count)}, {})
        assert execution.status == status, "characters are counted in bytes of UTF-8"
