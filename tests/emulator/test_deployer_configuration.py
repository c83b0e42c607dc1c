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


def test_numbers_reach_the_program_as_the_cli_writes_them(read):
    stack = """
config:
  test:whole: 4711.0
  test:numbers: [1e3, 5., !!float 2, 1e20, 1e21, 0.5e1, .5, +5, -0.0]
  test:text: [_12, 0xZZ, 0x, v1_2, "0x10", '12_34', 2026-11]
"""
    assert read(stack).config == {
        "test:whole": "4711",
        "test:numbers": "[1000,5,2,100000000000000000000,1e+21,5,0.5,5,0]",
        "test:text": '["_12","0xZZ","0x","v1_2","0x10","12_34","2026-11"]',
    }, "seen with the CLI 3.274.1"


def test_a_key_without_a_namespace_is_the_projects(read):
    assert read("config:\n  size: large\n  aws:region: eu-west-1\n").config == {
        "test:size": "large",
        "aws:region": "eu-west-1",
    }, "a key with one keeps it"


def test_the_key_on_is_no_boolean(read):
    stack = (
        "config:\n  notifications: {on: failure, off: 1, yes: no, at: '2026-11-29', time: 12:30}\n"
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


def test_what_the_cli_adds_to_a_file_is_passed_over(read):
    stack = """
secretsprovider: awskms://alias/pulumi
encryptedkey: AQICAHg=
encryptionsalt: v1:FEN2g3tdxeU=
config:
  test:flag: "false"
  aws:secretKey: {secure: AAABAA}
  aws:defaultTags:
    tags: {team: data}
"""
    project = "requiredPulumiVersion: '>=3.219.0'\n"
    assert read(stack, project).config == {
        "test:flag": "false",
        "aws:defaultTags": '{"tags":{"team":"data"}}',
    }, "a provider's credentials are not needed either"


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
        (
            "Pulumi.dev.yaml: token: is encrypted, and the emulator has no key; "
            "set it again with --plaintext"
        ),
    ),
    "an encrypted value inside a structure": (
        "config:\n  hook: [{token: {secure: AAABAA}}]\n",
        "",
        (
            "Pulumi.dev.yaml: hook: is encrypted, and the emulator has no key; "
            "set it again with --plaintext"
        ),
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


UNSURE = {
    "a number as a key": (
        "config:\n  test:tags: {1: films, cost-center: '4711'}\n",
        'line 2: test:tags.1: the key is a number; expected text, in quotes, "1"',
    ),
    "a number as the only key": (
        "config:\n  test:tags:\n    5: x\n",
        'line 3: test:tags.5: the key is a number; expected text, in quotes, "5"',
    ),
    "a boolean as a key": (
        "config:\n  test:tags: {true: x}\n",
        'line 2: test:tags.true: the key is a boolean; expected text, in quotes, "true"',
    ),
    "nothing as a key": (
        "config:\n  test:tags: {~: x}\n",
        'line 2: test:tags.~: the key is empty; expected text, in quotes, "~"',
    ),
    "a date as a key": (
        "config:\n  test:tags: {2026-11-29: x}\n",
        'line 2: test:tags.2026-11-29: the key is a date; expected text, in quotes, "2026-11-29"',
    ),
    "a list as a key": (
        "config:\n  test:tags: {[a]: x}\n",
        "line 2: test:tags.?: the key is no text; expected text, in quotes",
    ),
    "a date": (
        "config:\n  test:tags:\n    since: 2026-11-29\n",
        "line 3: test:tags.since: is a date; expected text in quotes, a number, true or false",
    ),
    "a time": (
        "config:\n  test:since: [2026-11-29T03:00:00Z]\n",
        "line 2: test:since[0]: is a date; expected text in quotes, a number, true or false",
    ),
    "binary data": (
        "config:\n  test:tags: {team: !!binary aGk=}\n",
        "line 2: test:tags.team: is binary data; expected text in quotes, a number, true or false",
    ),
    "a set": (
        "config:\n  test:tags: !!set {a, b}\n",
        "line 2: test:tags: is of the type set; expected text in quotes, a number, true or false",
    ),
    "a type of somebody's own": (
        "config:\n  test:tags: !mine {a: b}\n",
        "line 2: test:tags: is of the type !mine; expected text in quotes, a number, true or false",
    ),
    "a number that is none": (
        "config:\n  test:tags: {cost: !!int many}\n",
        (
            "line 2: test:tags.cost: is a number that YAML readers take differently; "
            'write it in quotes, "many", or as a decimal number without leading zeros'
        ),
    ),
    "a boolean that is none": (
        "config:\n  test:cost: !!bool maybe\n",
        "line 2: test:cost: 'maybe' has the tag of a boolean, but it is none; leave the tag out",
    ),
    "a number that begins with nought": (
        "config:\n  test:tags: {cost: 0815}\n",
        (
            "line 2: test:tags.cost: is a number that YAML readers take differently; "
            'write it in quotes, "0815", or as a decimal number without leading zeros'
        ),
    ),
    "a hexadecimal number": (
        "config:\n  test:tags: {cost: 0x10}\n",
        (
            "line 2: test:tags.cost: is a number that YAML readers take differently; "
            'write it in quotes, "0x10", or as a decimal number without leading zeros'
        ),
    ),
    "a number with an underscore": (
        "config:\n  test:user: 12_34\n",
        (
            "line 2: test:user: is a number that YAML readers take differently; "
            'write it in quotes, "12_34", or as a decimal number without leading zeros'
        ),
    ),
    "a key twice": (
        (
            "config:\n  test:data:\n    users:\n      importMode: INCREMENTAL\n"
            "      importMode: FULL\n"
        ),
        "line 5: test:data.users.importMode: is given twice; line 4 has it, too",
    ),
    "a setting twice": (
        'config:\n  test:timezone: UTC\n  "test:timezone": Europe/Berlin\n',
        "line 3: test:timezone: is given twice; line 2 has it, too",
    ),
    "a key twice in a list": (
        "config:\n  test:solutions:\n    - arn: a\n      arn: b\n",
        "line 4: test:solutions[0].arn: is given twice; line 3 has it, too",
    ),
    "config twice": (
        "config: {}\nconfig: {}\n",
        "line 2: config: is given twice; line 1 has it, too",
    ),
}


@pytest.mark.parametrize(("stack", "line"), UNSURE.values(), ids=UNSURE)
def test_what_readers_take_differently_is_refused_with_line_and_key(read, tmp_path, stack, line):
    with pytest.raises(DeploymentError) as caught:
        read(stack)
    assert str(caught.value) == f"1 problem in {tmp_path}/Pulumi.dev.yaml:\n  {line}"


def test_all_that_readers_take_differently_is_told_at_once_in_the_files_order(read, tmp_path):
    with pytest.raises(DeploymentError) as caught:
        read("config:\n  test:tags: {1: a, b: 2026-11-29}\n  test:zone: a\n  test:zone: b\n")
    assert str(caught.value) == (
        f"3 problems in {tmp_path}/Pulumi.dev.yaml:\n"
        '  line 2: test:tags.1: the key is a number; expected text, in quotes, "1"\n'
        "  line 2: test:tags.b: is a date; expected text in quotes, a number, true or false\n"
        "  line 4: test:zone: is given twice; line 3 has it, too"
    )


def test_a_setting_twice_in_two_spellings_is_refused(read, tmp_path):
    with pytest.raises(DeploymentError) as caught:
        read("config:\n  timezone: UTC\n  test:timezone: Europe/Berlin\n")
    assert str(caught.value) == (
        f"{tmp_path}/Pulumi.dev.yaml: test:timezone: "
        "is given twice, with and without the project's name"
    )


def test_anchors_tags_and_keys_like_others_in_another_place_are_taken(read):
    stack = """
config:
  test:base: &base {size: 1, colour: red}
  test:more: {<<: *base, size: !!float 2, name: !!str 3, "4": "0815", "2026-11-29": -0.5}
  test:list: [*base, *base]
"""
    assert read(stack).config == {
        "test:base": '{"colour":"red","size":1}',
        "test:more": '{"2026-11-29":-0.5,"4":"0815","colour":"red","name":"3","size":2}',
        "test:list": '[{"colour":"red","size":1},{"colour":"red","size":1}]',
    }


@pytest.mark.parametrize(
    ("stack", "reason"),
    [
        ("config:\n  test:tags: &tags {team: *tags}\n", "Circular reference detected"),
        ("a: 1\n---\nb: 2\n", "expected a single document in the stream"),
    ],
)
def test_what_has_no_end_or_two_ends_is_refused(read, tmp_path, stack, reason):
    with pytest.raises(DeploymentError) as caught:
        read(stack)
    assert str(caught.value).splitlines()[0] == f"{tmp_path}/Pulumi.dev.yaml: {reason}"


def test_a_file_that_is_not_utf8_is_refused(read, tmp_path):
    read("")
    (tmp_path / "Pulumi.dev.yaml").write_bytes(b"config: {test:name: \xff}")
    with pytest.raises(DeploymentError, match=re.escape(f"{tmp_path}/Pulumi.dev.yaml: 'utf-8'")):
        read_project(tmp_path, "dev", {})


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
