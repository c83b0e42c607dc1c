"""Proves that stack files are read as the Pulumi CLI reads them.

The expectations follow the CLI's own tests of sdk/go/common/workspace; the CLI itself does not run.
"""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.deployer import DeploymentError
from emulator.deployer.configuration import read_project


@pytest.fixture
def read(tmp_path):
    """Write both files and read the stack `dev`."""

    def read(stack, project="", **overrides):
        (tmp_path / "Pulumi.yaml").write_text(f"name: test\nruntime: python\n{project}")
        (tmp_path / "Pulumi.dev.yaml").write_text(stack)
        return read_project(tmp_path, "dev", overrides)

    return read


def test_values_become_text_and_structures_become_json(read):
    stack = """
config:
  test:text: seven days
  test:number: 0.25
  test:count: 20
  test:flag: true
  test:quoted: "20"
  test:structure:
    list: [1, two, null]
    at: s3://bucket/{date}/
"""
    assert read(stack).config == {
        "test:text": "seven days",
        "test:number": "0.25",
        "test:count": "20",
        "test:flag": "true",
        "test:quoted": "20",
        "test:structure": '{"at":"s3://bucket/{date}/","list":[1,"two",null]}',
    }, "a program gets text"


def test_a_key_without_a_namespace_is_the_projects(read):
    assert read("config:\n  size: large\n  aws:region: eu-west-1\n").config == {
        "test:size": "large",
        "aws:region": "eu-west-1",
    }, "a key with one keeps it"


def test_the_key_on_is_no_boolean(read):
    stack = (
        "config:\n  notifications: {on: failure, off: 1, yes: no, at: 2026-11-29, time: 12:30}\n"
    )
    assert json.loads(read(stack).config["test:notifications"]) == {
        "on": "failure",
        "off": 1,
        "yes": "no",
        "at": "2026-11-29",
        "time": "12:30",
    }, "YAML 1.2, as the CLI, and not PyYAML's 1.1"


def test_a_declared_default_is_used_where_the_stack_says_nothing(read):
    project = """
config:
  rate: {description: how often, default: 7 days}
  zone: {value: UTC}
  limits:
    default: {maxImportHours: 6}
  short: hello
  aws:region: {value: us-west-1}
"""
    assert read(
        "config:\n  zone: Europe/Berlin\n  limits: {maxTrainingHours: 3}\n", project
    ).config == {
        "test:rate": "7 days",
        "test:zone": "Europe/Berlin",
        "test:limits": '{"maxTrainingHours":3}',
        "test:short": "hello",
        "aws:region": "us-west-1",
    }, "a default object is replaced whole"


def test_an_override_wins_over_both_files(read):
    project = read(
        "config:\n  mode: slow\n", "config:\n  rate: 7 days\n", mode="fast", rate="1 day"
    )
    assert project.config == {"test:mode": "fast", "test:rate": "1 day"}, "and needs no namespace"


def test_the_program_may_live_in_a_folder(read, tmp_path):
    assert read("", "main: infra\n").program == tmp_path / "infra", (
        "main is relative to Pulumi.yaml"
    )


REFUSED = {
    "a declared key without a value": (
        "",
        "config:\n  rate: {}\n  zone: {description: an IANA name}\n  aws:region: {}\n",
        "stack dev lacks what Pulumi.yaml declares without a default: test:rate, test:zone",
    ),
    "a declared type": (
        "",
        "config:\n  rate: {type: string, default: 7 days}\n",
        "Pulumi.yaml: config: rate: type is not supported by the emulator",
    ),
    "an encrypted value": (
        "config:\n  token: {secure: AAABAA}\n",
        "",
        "Pulumi.dev.yaml: token: is encrypted, and the emulator has no key; override it",
    ),
    "an encrypted value inside a structure": (
        "config:\n  hook: [{token: {secure: AAABAA}}]\n",
        "",
        "Pulumi.dev.yaml: hook: is encrypted, and the emulator has no key; override it",
    ),
    "an ESC environment": (
        "environment: [shared]\n",
        "",
        "Pulumi.dev.yaml: environment: ESC is not supported by the emulator",
    ),
    "config that is a folder": (
        "",
        "config: stacks\n",
        "Pulumi.yaml: config: is no mapping",
    ),
}


@pytest.mark.parametrize(("stack", "project", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_only_the_cli_can_do_is_refused(read, tmp_path, stack, project, message):
    with pytest.raises(DeploymentError) as caught:
        read(stack, project)
    assert str(caught.value).replace(f"{tmp_path}/", "") == message, "with the file and the key"


def test_a_missing_stack_is_named_with_its_file(read, tmp_path):
    read("")
    with pytest.raises(DeploymentError) as caught:
        read_project(tmp_path, "prod", {})
    assert str(caught.value) == f"{tmp_path}/Pulumi.prod.yaml: there is no such file"


def test_a_file_that_is_no_yaml_is_named(read, tmp_path):
    with pytest.raises(DeploymentError, match=re.escape(f"{tmp_path}/Pulumi.dev.yaml: ")):
        read("config: [")


def test_a_project_without_a_name_is_refused(tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("runtime: python\n")
    with pytest.raises(DeploymentError) as caught:
        read_project(tmp_path, "dev", {})
    assert str(caught.value) == f"{tmp_path}/Pulumi.yaml: has no name"


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
def test_a_structure_written_as_json_is_read_back_as_it_was(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("project")
    (folder / "Pulumi.yaml").write_text("name: test\n")
    (folder / "Pulumi.dev.yaml").write_text(json.dumps({"config": {"x": [value]}}))
    text = read_project(folder, "dev", {}).config["test:x"]
    assert json.loads(text) == [value], "JSON is YAML, and nothing in it changes its type"
