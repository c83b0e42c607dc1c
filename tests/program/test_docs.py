"""Proves that the page of the state machine shows the definition in the code."""

import json

from docs import state_machine
from tests.definitions import machines, problems
from tests.program.sample_stack import CONFIG, ROOT


def diagram_lines(machine):
    """Return the lines of a machine's diagram."""
    return state_machine.page(machine).split("```")[1].splitlines()[2:]


def test_the_page_shows_the_present_definition():
    page = (ROOT / "docs" / "state-machine.md").read_text()
    assert page == state_machine.page(state_machine.sample_definition()), (
        "run: python -m docs.state_machine --mermaid > docs/state-machine.md"
    )


def test_the_printed_definition_is_that_of_the_sample_stack_and_has_no_problem():
    definition = state_machine.sample_definition()
    settings = definition["States"]["Configure run"]["Parameters"]["settings"]
    assert problems(definition) == []
    assert [dataset["datasetArn"] for dataset in settings["datasets"]] == [
        dataset["datasetArn"] for dataset in CONFIG["datasets"].values()
    ]


def test_the_diagram_names_every_state():
    definition = state_machine.sample_definition()
    lines = {line.strip() for line in diagram_lines(definition)}
    names = [name for machine in machines(definition) for name in machine["States"]]
    assert [name for name in names if not any(line.endswith(f": {name}") for line in lines)] == []


def test_transitions_to_the_same_state_are_one_arrow_with_all_conditions():
    choice = {
        "Type": "Choice",
        "Choices": [
            {"Variable": "$.job.phase", "StringEquals": "ENDED", "Next": "Over"},
            {"Variable": "$.job.phase", "StringEquals": "OVERDUE", "Next": "Over"},
            {"Variable": "$.plan.reason", "IsNull": True, "Next": "Work"},
            {"Variable": "$.anyFailed", "BooleanEquals": True, "Next": "Over"},
        ],
        "Default": "Work",
    }
    work = {"Type": "Task", "Next": "Over", "Catch": [{"ErrorEquals": [], "Next": "Over"}]}
    states = {"Ready?": choice, "Work": work, "Over": {"Type": "Succeed"}}
    assert diagram_lines({"StartAt": "Ready?", "States": states}) == [
        "    Ready: Ready?",
        "    Work: Work",
        "    Over: Over",
        "    [*] --> Ready",
        "    Ready --> Over: ENDED, OVERDUE, anyFailed is true",
        "    Ready --> Work: reason is null, else",
        "    Work --> Over: done, error",
        "    Over --> [*]",
    ]


def test_an_arrow_names_each_condition_of_an_and_rule_once():
    conditions = [
        {"Variable": "$.campaign.probe", "IsNull": False},
        {"Variable": "$.update.previousVersionArn", "IsPresent": True},
        {"Variable": "$.update.previousVersionArn", "IsNull": False},
    ]
    choice = {
        "Type": "Choice",
        "Choices": [{"And": conditions, "Next": "Probe"}],
        "Default": "Probe",
    }
    states = {"Is there a probe?": choice, "Probe": {"Type": "Succeed"}}
    assert diagram_lines({"StartAt": "Is there a probe?", "States": states})[3] == (
        "    Is_there_a_probe --> Probe: probe is not null and previousVersionArn is not null, else"
    )


def test_the_command_prints_json_or_the_page(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["state_machine"])
    state_machine.main()
    assert json.loads(capsys.readouterr().out) == state_machine.sample_definition()
    monkeypatch.setattr("sys.argv", ["state_machine", "--mermaid"])
    state_machine.main()
    assert capsys.readouterr().out == state_machine.page(state_machine.sample_definition())
