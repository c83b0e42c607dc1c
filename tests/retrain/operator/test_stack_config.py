"""Proves that a stack's file is read, with the development requirements and without them."""

import json

import pytest

from retrain.account import stack_config
from retrain.account.errors import OperatorError
from retrain.account.stack_config import read_args
from tests.program.sample_stack import PROJECT, PROJECT_FILE, ROOT, SOLUTION, texts


@pytest.fixture
def folder(tmp_path):
    """Return a folder with the project and the file of the sample stack."""
    (tmp_path / "Pulumi.yaml").write_text(json.dumps({**PROJECT_FILE, "main": str(ROOT)}))
    (tmp_path / "Pulumi.prod.yaml").write_text(json.dumps({"config": texts({})}))
    return tmp_path


@pytest.fixture(params=["with", "without"])
def requirements(request, monkeypatch):
    """Run the test with and without the development requirements."""
    if request.param == "without":
        monkeypatch.setattr(stack_config, "find_spec", lambda _: None)
    return request.param


def message(folder, stack="prod"):
    with pytest.raises(OperatorError) as error:
        read_args(folder, stack)
    return str(error.value)


def add(folder, key, value):
    """Add a key to the config in the stack's file."""
    config = {**texts({}), f"{PROJECT}:{key}": value}
    (folder / "Pulumi.prod.yaml").write_text(json.dumps({"config": config}))


@pytest.mark.usefixtures("requirements")
def test_the_file_and_the_defaults_of_the_project_are_read(folder):
    args = read_args(folder, "prod")
    assert args.solutions[0].solution_arn == SOLUTION
    assert args.log_retention_days == 90


@pytest.mark.usefixtures("requirements")
def test_all_problems_are_in_the_message(folder):
    add(folder, "pausd", "true")
    assert message(folder) == (
        "1 problem in the configuration of stack prod:\n"
        f"  {PROJECT}:pausd: unknown; did you mean paused?"
    )


def test_an_encrypted_setting_is_refused(folder, requirements):
    add(folder, "timezone", {"secure": "AAAB"})
    words = {
        "with": "timezone: is encrypted, and the emulator",
        "without": "timezone: is encrypted",
    }
    assert words[requirements] in message(folder)


def test_an_environment_needs_the_development_requirements(folder, monkeypatch):
    monkeypatch.setattr(stack_config, "find_spec", lambda _: None)
    document = {"environment": ["prod"], "config": texts({})}
    (folder / "Pulumi.prod.yaml").write_text(json.dumps(document))
    assert message(folder) == (
        f"{folder / 'Pulumi.prod.yaml'} imports an environment, and reading it needs the "
        "development"
        " requirements: pip install --require-hashes -r requirements.txt -r requirements-dev.txt"
    )


def test_a_file_that_does_not_exist_is_refused_with_the_others(folder):
    assert message(folder, "qa") == (
        f"{folder / 'Pulumi.qa.yaml'}: does not exist; name one of the stacks of this folder: prod"
    )
