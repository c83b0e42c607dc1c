"""Proves that `__main__.py`, deployed with the sample stack's config, makes what the config says.

With a recording engine in Pulumi's place. Expectations come from `Pulumi.dev.yaml` itself.
"""

import ast
import json
import runpy
from pathlib import Path

import pytest

from components.naming import LONGEST_NAME
from components.rules.stacks import LONGEST_STACK_NAME
from tests.components.recording import PROJECT, STACK, run
from tests.program import sample_stack
from tests.program.sample_stack import STACK_CONFIG

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "__main__.py"
CONFIG = {
    key: value if isinstance(value, str) else json.dumps(value)
    for key, value in STACK_CONFIG.items()
}
"""As Pulumi hands it to the program: all values are strings."""
SAMPLE = {
    key: value == "true" if value in ("true", "false") else value
    for key, value in sample_stack.CONFIG.items()
}
"""As its author means it: the CLI quotes booleans."""

NAME = f"retraining-{STACK}"
EXPORTS = {
    "state_machine_arn",
    "schedule_arn",
    "log_group_name",
    "import_role_arn",
    "dead_letter_queue_url",
}


def deploy(**kwargs):
    """Run the program as the CLI does."""
    return run(lambda: runpy.run_path(str(PROGRAM), run_name="__main__") and None, **kwargs)


@pytest.fixture(scope="module")
def deployed():
    """The program with the sample stack's config."""
    return deploy(config=CONFIG)


def test_the_sample_stack_deploys_one_pipeline_named_like_the_stack(deployed):
    pipelines = deployed.all_of("personalize-retraining:index:RetrainingPipeline")
    assert list(pipelines) == [NAME]


def test_the_longest_stack_name_makes_the_longest_name_of_a_pipeline(deployed):
    (name,) = deployed.all_of("personalize-retraining:index:RetrainingPipeline")
    assert len(name) - len(STACK) + LONGEST_STACK_NAME == LONGEST_NAME
    assert LONGEST_STACK_NAME == 19


def part(told, given):
    """Give what the workflow is told of the keys that the config gives."""
    if isinstance(given, dict):
        return {key: part(told[key], value) for key, value in given.items()}
    if isinstance(given, list):
        return [part(*each) for each in zip(told, given, strict=True)]
    return told


def test_the_workflows_settings_are_the_sample_stacks(deployed):
    machine = deployed.one("aws:sfn/stateMachine:StateMachine", NAME)
    definition = json.loads(machine.inputs["definition"])
    settings = definition["States"][definition["StartAt"]]["Parameters"]["settings"]
    told = {**settings, "datasets": {each["type"]: each for each in settings["datasets"]}}
    keys = ("datasets", "solutions", "limits", "skipWhenUnchanged", "autoTraining")
    assert {key: part(told[key], SAMPLE[key]) for key in keys} == {key: SAMPLE[key] for key in keys}
    assert settings["tags"] == {**SAMPLE["tags"], "retraining-pipeline": NAME}


def test_the_schedule_is_the_sample_stacks(deployed):
    inputs = deployed.one("aws:scheduler/schedule:Schedule", f"{NAME}-schedule").inputs
    assert (
        inputs["scheduleExpression"],
        inputs["scheduleExpressionTimezone"],
        inputs["state"],
    ) == (
        SAMPLE["retrainingRate"],
        SAMPLE["timezone"],
        "DISABLED" if SAMPLE["paused"] else "ENABLED",
    )


def test_the_exports_are_the_pipelines_outputs(deployed):
    pipeline = deployed.all_of("personalize-retraining:index:RetrainingPipeline")[NAME]
    assert set(deployed.exports) == EXPORTS
    assert deployed.exports == deployed.outputs[pipeline.urn]


def test_nothing_was_warned_of(deployed):
    assert deployed.messages == []


def test_the_program_previews_with_computed_values_unknown(deployed):
    preview = deploy(config=CONFIG, preview=True)
    assert set(preview.registered) == set(deployed.registered)
    assert set(preview.exports) == EXPORTS


def test_a_bad_config_fails_before_anything_is_registered():
    bad = {**CONFIG, f"{PROJECT}:retrainingRate": "7 dayz"}
    with pytest.raises(Exception, match="personalize-retraining:retrainingRate: '7 dayz'") as error:
        deploy(config=bad)
    assert type(error.value).__name__ == "SettingsError"


def test_the_program_has_no_logic_and_at_most_40_lines():
    source = PROGRAM.read_text()
    assert len(source.splitlines()) <= 40
    statements = {type(each) for each in ast.parse(source).body}
    assert statements <= {ast.Import, ast.ImportFrom, ast.Assign, ast.Expr}
