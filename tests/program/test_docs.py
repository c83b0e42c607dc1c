"""Proves that the generated pages and pictures are those that the code draws."""

import json
import re

from components.state_machine.asl import machines, problems
from components.state_machine.steps import STEPS
from docs import architecture, state_machine
from tests.program.sample_stack import CONFIG, ROOT


def drawn(machine):
    """Give the lines of a machine's diagram."""
    return state_machine.page(machine).split("```")[1].splitlines()[2:]


def test_the_page_of_the_state_machine_shows_the_definition_as_it_is():
    page = (ROOT / "docs" / "state-machine.md").read_text()
    assert page == state_machine.page(state_machine.sample()), (
        "run: python -m docs.state_machine --mermaid > docs/state-machine.md"
    )


def test_the_printed_definition_is_the_sample_stacks_and_has_no_problem():
    definition = state_machine.sample()
    settings = definition["States"]["Configure run"]["Parameters"]["settings"]
    assert problems(definition) == []
    assert [each["datasetArn"] for each in settings["datasets"]] == [
        each["datasetArn"] for each in CONFIG["datasets"].values()
    ]


def test_every_state_is_in_the_diagram_under_its_name():
    definition = state_machine.sample()
    lines = {line.strip() for line in drawn(definition)}
    names = [name for machine in machines(definition) for name in machine["States"]]
    assert [name for name in names if not any(line.endswith(f": {name}") for line in lines)] == []


def test_ways_to_one_state_are_one_arrow_with_all_their_reasons():
    choice = {
        "Type": "Choice",
        "Choices": [
            {"Variable": "$.job.phase", "StringEquals": "ENDED", "Next": "Over"},
            {"Variable": "$.job.phase", "StringEquals": "OVERDUE", "Next": "Over"},
            {"Variable": "$.plan.skipped", "IsNull": True, "Next": "Work"},
            {"Variable": "$.anyFailed", "BooleanEquals": True, "Next": "Over"},
        ],
        "Default": "Work",
    }
    work = {"Type": "Task", "Next": "Over", "Catch": [{"ErrorEquals": [], "Next": "Over"}]}
    states = {"Ready?": choice, "Work": work, "Over": {"Type": "Succeed"}}
    assert drawn({"StartAt": "Ready?", "States": states}) == [
        "    Ready: Ready?",
        "    Work: Work",
        "    Over: Over",
        "    [*] --> Ready",
        "    Ready --> Over: ENDED, OVERDUE, anyFailed is true",
        "    Ready --> Work: skipped is null, else",
        "    Work --> Over: done, error",
        "    Over --> [*]",
    ]


def test_a_choice_that_asks_for_several_things_names_each_once():
    asked = [
        {"Variable": "$.campaign.probe", "IsNull": False},
        {"Variable": "$.update.previousVersionArn", "IsPresent": True},
        {"Variable": "$.update.previousVersionArn", "IsNull": False},
    ]
    choice = {"Type": "Choice", "Choices": [{"And": asked, "Next": "Probe"}], "Default": "Probe"}
    states = {"Is there a probe?": choice, "Probe": {"Type": "Succeed"}}
    assert drawn({"StartAt": "Is there a probe?", "States": states})[3] == (
        "    Is_there_a_probe --> Probe: probe is not null and previousVersionArn is not null, else"
    )


def test_the_command_prints_json_or_the_page(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["state_machine"])
    state_machine.main()
    assert json.loads(capsys.readouterr().out) == state_machine.sample()
    monkeypatch.setattr("sys.argv", ["state_machine", "--mermaid"])
    state_machine.main()
    assert capsys.readouterr().out == state_machine.page(state_machine.sample())


def test_the_picture_of_the_architecture_is_the_one_that_its_script_draws():
    icons = re.compile(r"base64,[^\"]*")
    svg = (ROOT / "docs" / "architecture.svg").read_text()
    assert icons.sub("", svg) == icons.sub("", architecture.picture(lambda name: name.encode())), (
        "draw it anew, as docs/architecture.py says"
    )


def test_the_picture_names_every_function_once():
    drawn_steps = [
        step for stage in (*architecture.STAGES, architecture.CLOSE) for step in stage.steps
    ]
    assert sorted(drawn_steps) == sorted(STEPS)


def test_the_pictures_command_reads_the_icons_from_a_folder(tmp_path, capsys, monkeypatch):
    for file in architecture.ICONS.values():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"icon")
    monkeypatch.setattr("sys.argv", ["architecture", str(tmp_path)])
    architecture.main()
    assert capsys.readouterr().out == architecture.picture(lambda _: b"icon")
