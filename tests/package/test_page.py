"""Proves that the programs in docs/package.md deploy the same pipeline in every language.

`test_wheel.py` runs the Python program.
"""

import re

import pytest
import yaml

from tests.package.page import snippet
from tests.package.plugin import output_value

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


def values(value):
    """Yield each text inside of nested mappings and lists."""
    if isinstance(value, str):
        yield value
    else:
        for element in value.values() if isinstance(value, dict) else value:
            yield from values(element)


def test_the_second_pipeline_of_the_yaml_program_uses_an_output_of_the_first(plugin):
    books = {**RESOURCES["books"]["properties"], "importRoleArn": output_value(ROLE)}
    response, _ = plugin.construct("books", books)
    assert response.state["importRoleArn"] == ROLE


def test_the_typescript_program_has_the_arguments_of_the_yaml_program():
    literal = re.search(r'"movies", (\{.*?\n\})\);', snippet("typescript"), re.DOTALL)[1]
    arn = re.search(r'const personalize = "(.*?)";', snippet("typescript"))[1]
    assert yaml.safe_load(literal.replace("${personalize}", arn).replace("`", '"')) == MOVIES


@pytest.mark.parametrize(
    "language, argument",
    [
        ("go", r"(\w+): "),
        ("csharp", r"(\w+) =\s"),
        ("java", r"\.(?!builder|build|of|run|export)(\w+)\((?!\))"),
    ],
)
def test_another_program_has_the_arguments_of_the_yaml_program(language, argument):
    program = snippet(language)
    start = program.index("RetrainingPipelineArgs", program.index('"movies"'))
    end = program.index(MOVIES["retrainingRate"])
    arguments = re.findall(argument, program[start:end])
    assert [key[0].lower() + key[1:] for key in arguments] == list(keys(MOVIES))

    arn = re.search(r'"(arn:.*?)"', program)[1]
    texts = re.findall(r'"(:[^"]*|s3:[^"]*|42|cron[^"]*)"', program)
    assert [f"{arn}{text}" if text[0] == ":" else text for text in texts] == list(values(MOVIES))
