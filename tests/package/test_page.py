"""Proves that the programs in docs/package.md deploy the same pipeline in every language."""

import re
import shutil

import yaml

from tests.components.recording import STACK_TYPE
from tests.package.page import snippet
from tests.package.plugin import ROOT, output_value, running
from tests.package.test_provider import resources
from tests.package.wheel import output

RESOURCES = yaml.safe_load(snippet("yaml"))["resources"]
MOVIES = RESOURCES["movies"]["properties"]
ROLE = "arn:aws:iam::123456789012:role/movies-import"


def keys(value):
    """Yield each key of nested mappings."""
    for key, element in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(key, str):
            yield key
        if isinstance(element, dict | list):
            yield from keys(element)


def test_the_python_program_runs_from_the_wheel_in_an_empty_folder(python, tmp_path):
    shutil.copy(ROOT / "tests" / "components" / "recording.py", tmp_path)
    (tmp_path / "page.py").write_text(snippet("python"))
    program = """
import runpy
from recording import run
engine = run(lambda: runpy.run_path("page.py"))
print(engine.exports["state_machine_arn"])
for resource in engine.registered.values():
    print(resource.type, resource.name)
"""
    machine, *registered = output(python, program, tmp_path).splitlines()
    assert machine == "arn:aws:states:eu-west-1:123456789012:stateMachine:movies-1234567"
    with running(ROOT) as plugin:
        _, engine = plugin.construct("movies", MOVIES)
    assert sorted(registered) == sorted(
        [
            *(f"{resource.type} {resource.name}" for resource in resources(engine).values()),
            f"{STACK_TYPE} personalize-retraining-dev",
        ]
    ), "Python and YAML deploy the same resources"


def test_the_second_pipeline_of_the_yaml_program_uses_an_output_of_the_first():
    books = {**RESOURCES["books"]["properties"], "importRoleArn": output_value(ROLE)}
    with running(ROOT) as plugin:
        response, _ = plugin.construct("books", books)
    assert response.state["importRoleArn"] == ROLE


def test_the_typescript_program_has_the_arguments_of_the_yaml_program():
    literal = re.search(r'"movies", (\{.*?\n\})\);', snippet("typescript"), re.DOTALL)[1]
    arn = re.search(r'const personalize = "(.*?)";', snippet("typescript"))[1]
    assert yaml.safe_load(literal.replace("${personalize}", arn).replace("`", '"')) == MOVIES


def test_the_go_program_has_the_arguments_of_the_yaml_program():
    fields = re.findall(r"(\w+): ", snippet("go"))
    assert fields == [key[0].upper() + key[1:] for key in keys(MOVIES)]
    assert re.findall(r'"(s3:.*?|cron.*?)"', snippet("go")) == [
        MOVIES["datasets"]["interactions"]["dataLocation"],
        MOVIES["retrainingRate"],
    ]
