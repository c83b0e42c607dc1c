"""Proves that the programs in docs/package.md deploy the same pipeline in every language.

`test_wheel.py` runs the Python program.
"""

import re

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


def test_the_second_pipeline_of_the_yaml_program_uses_an_output_of_the_first(plugin):
    books = {**RESOURCES["books"]["properties"], "importRoleArn": output_value(ROLE)}
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
