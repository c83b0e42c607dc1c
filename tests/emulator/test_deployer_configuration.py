"""Proves that stack files are read as the Pulumi CLI reads them.

The expectations follow the CLI's own tests of sdk/go/common/workspace. The CLI itself does not run.
"""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emulator.deployer.configuration import read_project
from emulator.deployer.errors import DeploymentError

PROJECT = "name: test\nruntime: python\n"


@pytest.fixture
def read(tmp_path):
    """Return a function that writes both files and reads the stack `dev`."""

    def read(stack, project="", **overrides):
        (tmp_path / "Pulumi.yaml").write_text(PROJECT + project)
        (tmp_path / "Pulumi.dev.yaml").write_text(stack)
        return read_project(tmp_path, "dev", overrides)

    return read


@pytest.fixture
def refusal(read, tmp_path):
    """Return a function that reads the stack and returns the error, with short paths of files."""

    def refusal(stack):
        with pytest.raises(DeploymentError) as caught:
            read(stack)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return refusal


READ = {
    "values become text, and structures JSON": (
        """
  test:text: seven days
  number: 0.25
  count: 20
  flag: true
  quoted: "20"
  structure:
    list: [1, two, null]
    at: s3://bucket/{date}/
""",
        {
            "test:text": "seven days",
            "test:number": "0.25",
            "test:count": "20",
            "test:flag": "true",
            "test:quoted": "20",
            "test:structure": '{"at":"s3://bucket/{date}/","list":[1,"two",null]}',
        },
    ),
    "numbers are written as the CLI 3.274.1 writes them": (
        """
  whole: 4711.0
  numbers: [1e3, !!float 2, 1e20, 0.5e1, -0.5, -0.0]
  text: [_12, 0xZZ, 0x, v1_2, "0x10", '12_34', 2026-11]
""",
        {
            "test:whole": "4711",
            "test:numbers": "[1000,2,100000000000000000000,5,-0.5,0]",
            "test:text": '["_12","0xZZ","0x","v1_2","0x10","12_34","2026-11"]',
        },
    ),
    "words that are booleans in YAML 1.1 are text, because the CLI reads YAML 1.2": (
        "\n  words: {off: 1, on: failure, time: 12:30, yes: no}\n",
        {"test:words": '{"off":1,"on":"failure","time":"12:30","yes":"no"}'},
    ),
    "anchors and standard tags": (
        """
  base: &base {size: 1, colour: red}
  more: {<<: *base, size: !!float 2, name: !!str 3, "4": "0815", "2026-11-29": -0.5}
  list: [*base, *base]
""",
        {
            "test:base": '{"colour":"red","size":1}',
            "test:more": '{"2026-11-29":-0.5,"4":"0815","colour":"red","name":"3","size":2}',
            "test:list": '[{"colour":"red","size":1},{"colour":"red","size":1}]',
        },
    ),
    "encrypted values of providers are credentials, which the emulator does not need": (
        "\n  aws:secretKey: {secure: AAABAA}\n  aws:defaultTags: {tags: {team: data}}\n",
        {"aws:defaultTags": '{"tags":{"team":"data"}}'},
    ),
}


@pytest.mark.parametrize(("stack", "config"), READ.values(), ids=READ)
def test_a_stack_file_is_read_as_the_cli_reads_it(read, stack, config):
    assert read(f"encryptionsalt: v1:FEN2g3tdxeU=\nconfig:{stack}").config == config


def test_a_declared_default_is_used_if_the_stack_does_not_set_the_key(read):
    project = """
config:
  rate: {description: how often, default: 7 days}
  zone: {value: UTC}
  limits:
    default: {maxImportHours: 6}
  short: hello
  aws:region: {value: us-west-1}
"""
    stack = "config:\n  zone: Europe/Berlin\n  limits: {maxTrainingHours: 3}\n"
    assert read(stack, project).config == {
        "test:rate": "7 days",
        "test:zone": "Europe/Berlin",
        "test:limits": '{"maxTrainingHours":3}',
        "test:short": "hello",
        "aws:region": "us-west-1",
    }, "a default that is a mapping is replaced as a whole"


def test_an_override_wins_over_both_files(read):
    project = read(
        "config:\n  mode: slow\n", "config:\n  rate: 7 days\n", mode="fast", rate="1 day"
    )
    assert project.config == {"test:mode": "fast", "test:rate": "1 day"}


def test_the_program_may_be_in_a_folder_below_the_project_file(read, tmp_path):
    assert read("", "main: infra\n").program == tmp_path / "infra"


ENCRYPTED = "is encrypted, and the emulator has no key; set it again with --plaintext"
NO_MAPPING = "is not a mapping; write it as lines of `key: value`"
DUPLICATE = 'found duplicate key "b" with value "2" (original value: "1")'
REFUSED = {
    "an encrypted value": ("config:\n  token: {secure: AAABAA}\n", f"token: {ENCRYPTED}"),
    "an encrypted value inside a structure": (
        "config:\n  hook: [{token: {secure: AAABAA}}]\n",
        f"hook: {ENCRYPTED}",
    ),
    "an ESC environment": (
        "environment: [shared]\n",
        "environment: ESC is not supported by the emulator",
    ),
    "config that is not a mapping": ("config: stacks", f"config: {NO_MAPPING}"),
    "a list": ("- a", NO_MAPPING),
    "a structure that contains itself": (
        "config:\n  test:tags: &tags {team: *tags}\n",
        "cannot be read: circular reference detected",
    ),
    "a structure with too many levels": (
        "config: " + "[" * 1000 + "]" * 1000,
        "cannot be read: maximum recursion depth exceeded",
    ),
    "a key twice": (
        "a:\n  b: 1\n  b: 2\n",
        f"line 3: while constructing a mapping: {DUPLICATE}; correct the YAML",
    ),
    "an unknown anchor": ("\na: *b", "line 2: found undefined alias 'b'; correct the YAML"),
    "a control character": (
        "a: 1\nb: \x00",
        "cannot be read: unacceptable character #x0000: special characters are not allowed",
    ),
}


@pytest.mark.parametrize(("stack", "reason"), REFUSED.values(), ids=REFUSED)
def test_the_error_about_a_stack_names_the_file_and_the_place(refusal, stack, reason):
    assert refusal(stack) == f"Pulumi.dev.yaml: {reason}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{1: films}", "'1'"),
        ("{~: x}", "'~'"),
        ("{2026-11-29: x}", "'2026-11-29'"),
        ("{[a]: x}", "this"),
        ("{since: 2026-11-29}", "'2026-11-29'"),
        ("{team: !!binary aGk=}", "'aGk='"),
        ("!!set {a, b}", "this"),
        *(
            (number, f"'{number}'")
            for number in ("0815", "0x10", "0o17", "12_34", ".inf", ".nan", "5.", "+5")
        ),
    ],
)
def test_what_json_does_not_have_is_refused_with_its_line(refusal, text, named):
    assert refusal(f"config:\n  test:x: {text}\n") == (
        f"Pulumi.dev.yaml: line 2: {named} is not written as in JSON: write it in quotes; "
        "correct the YAML"
    )


def test_a_missing_file_is_refused(read, tmp_path):
    read("")
    with pytest.raises(DeploymentError) as caught:
        read_project(tmp_path, "prod", {})
    file = tmp_path / "Pulumi.prod.yaml"
    assert str(caught.value) == f"{file}: cannot be read: no such file or directory"


@pytest.mark.parametrize(("line", "name"), [("runtime: python", None), ("name: [a]", ["a"])])
def test_a_project_without_a_name_is_refused(tmp_path, line, name):
    file = tmp_path / "Pulumi.yaml"
    file.write_text(f"{line}\n")
    with pytest.raises(DeploymentError) as caught:
        read_project(tmp_path, "dev", {})
    assert str(caught.value) == f"{file}: name: {name!r} is not text"


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
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "Pulumi.dev.yaml").write_text(json.dumps({"config": {"x": [value]}}))
    text = read_project(folder, "dev", {}).config["test:x"]
    assert json.loads(text) == [value]
