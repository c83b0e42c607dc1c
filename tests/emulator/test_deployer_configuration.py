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


def refusal(read, folder, stack):
    """Read the stack and return the error, with short paths of files."""
    with pytest.raises(DeploymentError) as caught:
        read(stack)
    return str(caught.value).replace(f"{folder}/", "")


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


def test_an_override_wins_over_the_stack_and_the_stack_over_declared_defaults(read, tmp_path):
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
    read_stack = read(stack, project, mode="own", short="bye")
    assert read_stack.config == {
        "test:rate": "7 days",
        "test:zone": "Europe/Berlin",
        "test:limits": '{"maxTrainingHours":3}',
        "test:short": "bye",
        "test:mode": "own",
        "aws:region": "us-west-1",
    }, "a default that is a mapping is replaced as a whole"
    assert read_stack.program == tmp_path / "infra"


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


NOT_JSON = {
    **{text: f"'{text.strip('{}').split(':')[0]}'" for text in ("{1: films}", "{~: x}")},
    **dict.fromkeys(("{[a]: x}", "!!set {a, b}"), "this"),
    "{since: 2026-11-29}": "'2026-11-29'",
    "{team: !!binary aGk=}": "'aGk='",
    **{text: f"'{text}'" for text in ("0815", "0x10", "12_34", ".inf", "5.", "+5")},
}


@pytest.mark.parametrize(
    ("stack", "reason"),
    [
        *REFUSED.values(),
        *[
            (
                f"config:\n  test:x: {text}\n",
                f"line 2: {named} is not written as in JSON: write it in quotes; correct the YAML",
            )
            for text, named in NOT_JSON.items()
        ],
    ],
    ids=[*REFUSED, *NOT_JSON],
)
def test_the_error_about_a_stack_names_the_file_and_the_line(read, tmp_path, stack, reason):
    assert refusal(read, tmp_path, stack) == f"Pulumi.dev.yaml: {reason}"


def test_a_missing_file_and_a_project_without_a_name_are_refused(read, tmp_path):
    read("")
    for line, error in (
        (PROJECT, "Pulumi.prod.yaml: cannot be read: no such file or directory"),
        ("runtime: python", "Pulumi.yaml: name: None is not text"),
        ("name: [a]", "Pulumi.yaml: name: ['a'] is not text"),
    ):
        (tmp_path / "Pulumi.yaml").write_text(f"{line}\n")
        with pytest.raises(DeploymentError) as caught:
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
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "Pulumi.dev.yaml").write_text(json.dumps({"config": {"x": [value]}}))
    text = read_project(folder, "dev", {}).config["test:x"]
    assert json.loads(text) == [value]
