"""Proves the package on the real engine: in a YAML program, and as a wheel in a Python program."""

import copy
import shutil
import subprocess

import pytest
import yaml

from components.args_reader import IS_OUTPUT
from components.rules.single_settings import EXPORT_LOCATION, find_retention_error
from tests.engine.stacks import ROOT, CommandError, create_stack
from tests.package import wheel
from tests.package.page import snippet

PLUGIN_FILES = ("components", "functions", "pyproject.toml", "package")
"""The files of the checkout that the plugin needs."""
WRITE_PROJECT = """
import sys
from pathlib import Path

from personalize_retraining_command_line import FOLDER

sys.path.insert(0, str(FOLDER))
from retrain.act.new_project import write_project

write_project(Path())
"""
"""What `retrain adopt` does in an empty folder, besides the file of the stack."""


@pytest.fixture(scope="module")
def plugin(warm, tmp_path_factory):
    """Return the folder of the plugin in a copy of the checkout, with its virtual environment."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in PLUGIN_FILES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns(".venv", "__pycache__")
            shutil.copytree(ROOT / name, checkout / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, checkout)

    (checkout / "package" / ".venv").symlink_to(warm)
    return checkout / "package"


@pytest.fixture
def project(emulator, tmp_path):
    """Return a function that writes a project file and creates a stack of the project."""

    def write(text, region="eu-west-1"):
        (tmp_path / "Pulumi.yaml").write_text(text)
        stack = create_stack(tmp_path, "dev", emulator.endpoint)
        stack.pulumi("config", "set", "aws:region", region)
        return stack

    return write


def deploy(stack):
    """Deploy a stack, and check that a second `up` changes nothing. Return the steps."""
    deployed = stack.up()
    second = stack.up()
    assert second.changes == {}
    assert second.steps.keys() == deployed.steps.keys()
    return deployed.steps


@pytest.fixture(scope="module")
def program(plugin):
    """Return the YAML program of the guide as a dict. Its schedules start no execution."""
    program = yaml.safe_load(snippet("yaml"))
    program["packages"]["personalize-retraining"] = str(plugin)
    for pipeline in ("movies", "books"):
        program["resources"][pipeline]["properties"]["paused"] = True
    return program


def test_the_cli_accepts_the_schema(tmp_path):
    check = [shutil.which("pulumi"), "schema", "check", ROOT / "package" / "schema.json"]
    subprocess.run(check, env={"PULUMI_HOME": str(tmp_path)}, timeout=60, check=True)  # noqa: S603


def test_a_yaml_program_deploys_two_pipelines_and_its_second_up_changes_nothing(program, project):
    shop = project(yaml.safe_dump(program))
    preview = shop.preview().steps
    deployed = deploy(shop)
    assert deployed == preview == dict.fromkeys(deployed, "created")

    pipelines = [name for name in deployed if name.startswith("RetrainingPipeline ")]
    assert sorted(pipelines) == ["RetrainingPipeline books", "RetrainingPipeline movies"]
    assert [name for name in deployed if name.endswith("-import")] == [
        "Role movies-import",
        "RolePolicy movies-import",
    ], "one pipeline uses the import role of the other"
    assert shop.output("stateMachineArn").startswith("arn:aws:states:eu-west-1:123456789012:")
    assert set(shop.destroy().steps.values()) == {"deleted"}


def test_all_problems_of_a_yaml_program_are_reported_without_a_traceback(plugin, program, project):
    program = copy.deepcopy(program)
    books = program["resources"]["books"]["properties"]
    books["timezone"] = "${movies.stateMachineArn}"
    books["logRetentionDays"] = 4000
    books["datasets"]["interactions"]["dataLocation"] = ""
    shop = project(yaml.safe_dump(program))
    with pytest.raises(CommandError) as failed:
        shop.preview()
    text = str(failed.value)

    assert (
        f"""\
3 problems in the retraining pipeline 'books':
      datasets.interactions.dataLocation: '' {EXPORT_LOCATION("")}
      logRetentionDays: 4000 {find_retention_error(4000)}
      timezone: {IS_OUTPUT}
"""
        in text
    )
    assert str(plugin) not in text, "no traceback of the plugin"


def test_with_only_the_wheel_the_page_is_previewed_and_the_project_of_an_empty_folder_deployed(
    program, project, tmp_path
):
    python = wheel.create_environment(tmp_path / ".venv")
    wheel.install(wheel.build(tmp_path / "wheel"), python)
    (tmp_path / "__main__.py").write_text(snippet("python"))
    shop = project("name: shop\nruntime: {name: python, options: {virtualenv: .venv}}\n")
    assert "RetrainingPipeline movies" in shop.preview().steps

    for name in ("__main__.py", "Pulumi.yaml", "Pulumi.dev.yaml"):
        (tmp_path / name).unlink()
    wheel.output(python, WRITE_PROJECT, tmp_path)
    movies = project((tmp_path / "Pulumi.yaml").read_text())
    file = tmp_path / "Pulumi.dev.yaml"
    document = yaml.safe_load(file.read_text())
    for key, value in program["resources"]["movies"]["properties"].items():
        document["config"][f"personalize-retraining:{key}"] = value
    file.write_text(yaml.safe_dump(document))
    deployed = deploy(movies)
    assert "RetrainingPipeline retraining-dev" in deployed
    assert movies.output("state_machine_arn").startswith("arn:aws:states:eu-west-1:123456789012:")
