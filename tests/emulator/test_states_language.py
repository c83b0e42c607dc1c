"""Proves that everything outside the emulator's part of the States Language is refused by name."""

import json
from pathlib import Path

import pytest
from small_machines import machine, map_over, task, wait

from components.state_machine.definition import definition
from components.state_machine.steps import STEPS
from emulator.states.language import STATES, problems
from tests.world import MOVIES, PREFIX

DONE = {"Type": "Succeed"}
CHOICE = {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "Done"}]}
PATH = "is not a path of names, indexes and [*] like $.plan.jobs[0]"
TEMPLATE = "is not a template of paths like $.plan.jobs[0] and States.ArrayContains(path, 'text')"


def passing(**fields):
    return machine(A={"Type": "Pass", "End": True, **fields})


def working(**fields):
    return machine(A=task("work", **fields))


def choosing(**condition):
    return machine(A={**CHOICE, "Choices": [{**condition, "Next": "Done"}]}, Done=DONE)


def mapping(**fields):
    return machine(A={**map_over("$", B=wait(1)), **fields})


KNOWN_FIELDS = (
    "a Pass has only Type, Comment, Result, Parameters, ResultPath, Next, End in this emulator"
)
REFUSALS = [
    # Other languages and types of states
    ({**passing(), "QueryLanguage": "JSONata"}, "QueryLanguage: a state machine has only StartAt"),
    (passing(QueryLanguage="JSONata"), f"States['A'].QueryLanguage: {KNOWN_FIELDS}"),
    (passing(Assign={"x": 1}), f"States['A'].Assign: {KNOWN_FIELDS}"),
    (passing(OutputPath="$.a"), f"States['A'].OutputPath: {KNOWN_FIELDS}"),
    (machine(A={"Type": "Parallel"}), "States['A'].Type: 'Parallel' is not one of Pass, Task, Cho"),
    (machine(A=5), "States['A'].Type: '' is not one of Pass"),
    (mapping(ItemReader={}), "States['A'].ItemReader: a Map has only Type"),
    (mapping(MaxConcurrency=2), "States['A'].MaxConcurrency: a Map has only Type"),
    (
        mapping(ItemProcessor={**machine(B=wait(1)), "ProcessorConfig": {"Mode": "DISTRIBUTED"}}),
        "States['A'].ItemProcessor.ProcessorConfig.Mode: 'DISTRIBUTED' is not INLINE",
    ),
    (
        mapping(ItemProcessor=machine(B={**wait(1), "Timestamp": "2026-11-29T03:00:00Z"})),
        "States['A'].ItemProcessor.States['B'].Timestamp: a Wait has only Type",
    ),
    # Integrations
    (
        working(Resource="arn:aws:states:::lambda:invoke"),
        "States['A'].Resource: 'arn:aws:states:::lambda:invoke' is not the ARN of a Lambda",
    ),
    (working(HeartbeatSeconds=5), "States['A'].HeartbeatSeconds: a Task has only Type"),
    # Paths and expressions
    *(
        (
            machine(A={"Type": "Wait", "SecondsPath": path, "End": True}),
            f"States['A'].SecondsPath: {path!r} {PATH}",
        )
        for path in ("a", "$..a", "$.a[?(@.b)]", "$.a[0:2]", "$.a[-1]", 5)
    ),
    *(
        (
            passing(Parameters={"a": [{"b.$": text}]}),
            f"States['A'].Parameters: {{'a': [{{'b.$': {text!r}}}]}} {TEMPLATE}",
        )
        for text in ("States.Format('{}', $.a)", "States.ArrayContains($.a, 5)", "a", 5)
    ),
    *(
        (passing(ResultPath=path), f"States['A'].ResultPath: {path!r} is not a path of names like")
        for path in ("$$.a", "$.a[0]", "$.a[*]", 5)
    ),
    # Conditions
    (
        choosing(Variable="$.a", StringMatches="*"),
        "States['A'].Choices[0]: a comparison has one IsPresent or IsNull",
        "States['A'].Choices[0].StringMatches: a comparison has only Variable, IsPresent",
    ),
    (choosing(Variable="$.a"), "States['A'].Choices[0]: a comparison has one IsPresent or IsNull"),
    (choosing(StringEquals="x"), "States['A'].Choices[0]: a comparison has one Variable, but this"),
    (choosing(And=[]), "States['A'].Choices[0].And: [] is not a list with at least one object"),
    (choosing(Not={"Or": [5]}), "States['A'].Choices[0].Not.Or[0]: 5 is not an object"),
    (
        choosing(Variable="$.a", BooleanEquals="true"),
        "States['A'].Choices[0].BooleanEquals: 'true'",
    ),
    (choosing(Variable="$.a", NumericEquals=True), "States['A'].Choices[0].NumericEquals: True is"),
    # Fields that are missing, excluded or wrong
    (5, "the definition: 5 is not an object"),
    ({"States": {"A": DONE}}, "the definition: a state machine has one StartAt, but this has 0"),
    ({"StartAt": "A", "States": []}, "States: [] is not an object"),
    (machine(A={"Type": "Pass"}), "States['A']: a Pass has one Next or End, but this has 0"),
    (passing(Next="A"), "States['A']: a Pass has one Next or End, but this has 2"),
    (passing(End=False), "States['A'].End: False is not true"),
    (
        machine(A={"Type": "Wait", "End": True}),
        "States['A']: a Wait has one Seconds or SecondsPath",
    ),
    (machine(A=wait(-5)), "States['A'].Seconds: -5 is not a whole number from 0 on"),
    (working(TimeoutSeconds=0), "States['A'].TimeoutSeconds: 0 is not a whole number from 1 on"),
    (working(Retry={}), "States['A'].Retry: {} is not a list with at least one object"),
    (
        working(Retry=[{"ErrorEquals": [], "BackoffRate": 0.5, "JitterStrategy": "HALF"}]),
        "States['A'].Retry[0].ErrorEquals: [] is not a list of names",
        "States['A'].Retry[0].BackoffRate: 0.5 is not a number from 1 on",
        "States['A'].Retry[0].JitterStrategy: 'HALF' is not FULL or NONE",
    ),
    # Next states that do not exist
    ({**machine(A=DONE), "StartAt": "B"}, "StartAt: there is no state 'B'"),
    (machine(A=wait(1, Next="B")), "States['A'].Next: there is no state 'B'"),
    (
        machine(A={**CHOICE, "Default": "B"}),
        "States['A'].Default: there is no state 'B'",
        "States['A'].Choices[0].Next: there is no state 'Done'",
    ),
    (
        mapping(ItemProcessor=machine(B=wait(1, Next="A"))),
        "States['A'].ItemProcessor.States['B'].Next: there is no state 'A'",
    ),
    (
        working(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "B"}]),
        "States['A'].Catch[0].Next: there is no state 'B'",
    ),
]


@pytest.mark.parametrize(("document", "expected"), [(row[0], row[1:]) for row in REFUSALS])
def test_a_definition_is_refused_with_the_place_and_the_name(document, expected):
    messages = problems(document)
    assert len(messages) == len(expected), messages
    beginnings = [message[: len(start)] for message, start in zip(messages, expected, strict=True)]
    assert beginnings == [*expected]


def test_the_definition_of_the_program_is_accepted():
    arns = {step: f"arn:aws:lambda:eu-west-1:123456789012:function:{step}:1" for step in STEPS}
    document = definition(arns, MOVIES.settings(PREFIX), MOVIES.args)
    assert problems(json.loads(json.dumps(document))) == []


@pytest.mark.parametrize("kind", STATES)
def test_the_readme_has_the_fields_of_a_state(kind):
    lines = Path("emulator/README.md").read_text().splitlines()
    (row,) = [line for line in lines if line.startswith(f"| {kind} |")]
    fields = set(STATES[kind].replace("|", " ").replace("?", "").split()) - {"Next", "End"}
    assert {field for field in fields if f"`{field}`" not in row} == set()
