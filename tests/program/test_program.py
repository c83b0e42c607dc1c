"""Proves that `__main__.py` deploys what the config of the sample stack says.

A recording engine stands in for Pulumi's engine. The expected values come from `Pulumi.dev.yaml`.
"""

import ast
import json
import runpy
from pathlib import Path

import pytest

from tests.components.recording import STACK, run
from tests.program.sample_stack import STACK_CONFIG

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "__main__.py"
CONFIG = {
    key: value if isinstance(value, str) else json.dumps(value)
    for key, value in STACK_CONFIG.items()
}
"""The config as Pulumi passes it to the program: all values are text."""
NAME = f"retraining-{STACK}"
EXPORTS = {
    "state_machine_arn",
    "schedule_arn",
    "log_group_name",
    "import_role_arn",
    "topic_arn",
    "dashboard_url",
    "dead_letter_queue_url",
}


def deploy(**kwargs):
    """Run the program as the CLI does, and return the engine that recorded it."""
    return run(lambda: runpy.run_path(str(PROGRAM), run_name="__main__") and None, **kwargs)


@pytest.fixture(scope="module")
def deployed():
    """Return the engine that recorded the program with the config of the sample stack."""
    return deploy(config=CONFIG)


def test_the_sample_stack_deploys_one_pipeline_with_the_name_of_the_stack(deployed):
    pipelines = deployed.all_of("personalize-retraining:index:RetrainingPipeline")
    assert list(pipelines) == [NAME]


def test_the_exports_are_the_outputs_of_the_pipeline(deployed):
    pipeline = deployed.all_of("personalize-retraining:index:RetrainingPipeline")[NAME]
    assert set(deployed.exports) == EXPORTS
    assert deployed.exports == deployed.outputs[pipeline.urn]


def test_the_program_logs_no_warning(deployed):
    assert deployed.messages == []


def test_the_program_has_no_logic_and_at_most_40_lines():
    source = PROGRAM.read_text()
    assert len(source.splitlines()) <= 40
    statements = {type(statement) for statement in ast.parse(source).body}
    assert statements <= {ast.Import, ast.ImportFrom, ast.Assign, ast.Expr}
