"""Proves that stack files are read as the Pulumi CLI reads them.

`golden/stack_files.txt` has stack files, and below each the config that was read, or the error.
The expectations follow the CLI's own tests of sdk/go/common/workspace. The CLI itself does not run.
"""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retrain.account.errors import OperatorError
from retrain.account.project_files import read_project

PROJECT = "name: test\nruntime: python\n"
GOLDEN = Path(__file__).parent / "golden" / "stack_files.txt"


def read(folder, stack, project="", **overrides):
    """Write both files and read the stack `dev`."""
    (folder / "Pulumi.yaml").write_text(PROJECT + project)
    (folder / "Pulumi.dev.yaml").write_text(stack)
    return read_project(folder, "dev", overrides)


def result(folder, stack):
    """Return the lines of the config that was read, or the error, with short paths of files."""
    try:
        config = read(folder, stack.replace("␀", "\0")).config
    except OperatorError as error:
        return [str(error).replace(f"{folder}/", "")]
    return [f"{key}: {value}" for key, value in config.items()]


def test_each_stack_of_the_golden_file_is_read_as_the_cli_reads_it(golden, tmp_path):
    stories = []
    for story in GOLDEN.read_text().split("\n\n"):
        lines = [line for line in story.splitlines() if not line.startswith("=> ")]
        results = [f"=> {line}" for line in result(tmp_path, "\n".join([*lines, ""]))]
        stories.append("\n".join([*lines, *results]))
    golden(GOLDEN.name, "\n\n".join(stories) + "\n")


def test_an_override_wins_over_the_stack_and_the_stack_over_declared_defaults(tmp_path):
    project = """main: infra
config:
  rate: {description: how often, default: 7 days}
  zone: {value: UTC}
  limits: {default: {maxImportHours: 6}}
  short: hello
  mode: fast
  aws:region: {value: us-west-1}
"""
    stack = "config:\n  zone: Europe/Berlin\n  limits: {maxTrainingHours: 3}\n  mode: slow\n"
    read_stack = read(tmp_path, stack, project, mode="own", short="bye")

    assert read_stack.config == {
        "test:rate": "7 days",
        "test:zone": "Europe/Berlin",
        "test:limits": '{"maxTrainingHours":3}',
        "test:short": "bye",
        "test:mode": "own",
        "aws:region": "us-west-1",
    }, "a default that is a mapping is replaced as a whole"
    assert read_stack.program == tmp_path / "infra"


def test_a_missing_file_a_project_without_a_name_and_too_many_levels_are_refused(tmp_path):
    nested = "config: " + "[" * 1000 + "]" * 1000
    assert result(tmp_path, nested) == [
        "Pulumi.dev.yaml: cannot be read: maximum recursion depth exceeded"
    ]

    for line, error in (
        (PROJECT, "Pulumi.prod.yaml: cannot be read: no such file or directory"),
        ("runtime: python", "Pulumi.yaml: name: None is not text; write the name of the project"),
        ("name: [a]", "Pulumi.yaml: name: ['a'] is not text; write the name of the project"),
    ):
        (tmp_path / "Pulumi.yaml").write_text(f"{line}\n")
        with pytest.raises(OperatorError) as caught:
            read_project(tmp_path, "prod", {})
        assert str(caught.value) == f"{tmp_path}/{error}"


@example(12345678901234567890)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text("abc on:-0123.e~", max_size=8),
        lambda children: (
            st.lists(children, max_size=3)
            | st.dictionaries(st.text("abon", min_size=1, max_size=3), children, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_a_structure_that_is_written_as_json_is_read_unchanged(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("project")
    text = read(folder, json.dumps({"config": {"x": [value]}})).config["test:x"]
    assert json.loads(text) == [value]
