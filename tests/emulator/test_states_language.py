"""Proves that everything outside the emulator's part of the States Language is refused by name.

`golden/states_language.txt` has a definition in one line and the messages about it in the next.
"""

import json
from pathlib import Path

import pytest

from components.function_configs import FUNCTION_CONFIGS
from components.state_machine.definition import build_definition
from emulator.states.language import STATE_FIELDS, find_problems
from tests.world import MOVIES, PREFIX


def test_each_definition_of_the_golden_file_is_refused_with_the_place_and_the_name(golden):
    def messages(line):
        return [message[:100] for message in find_problems(json.loads(line))] or "is accepted"

    golden.answers("states_language.txt", messages)


def test_the_definition_of_the_program_is_accepted():
    arns = {
        step: f"arn:aws:lambda:eu-west-1:123456789012:function:{step}:1"
        for step in FUNCTION_CONFIGS
    }
    document = build_definition(arns, MOVIES.settings(PREFIX), MOVIES.args)
    assert find_problems(json.loads(json.dumps(document))) == []


@pytest.mark.parametrize("kind", STATE_FIELDS)
def test_the_readme_has_the_fields_of_a_state(kind):
    lines = Path("emulator/README.md").read_text().splitlines()
    (row,) = [line for line in lines if line.startswith(f"| {kind} |")]
    fields = set(STATE_FIELDS[kind].replace("|", " ").replace("?", "").split()) - {"Next", "End"}
    assert {field for field in fields if f"`{field}`" not in row} == set()
