"""Proves that README and guides say what the code says: keys, defaults, roles, guards, commands."""

import ast
import inspect
import json
import re
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import get_args, get_origin

import pytest

from components.args import DEFAULT_GATE, FULL_EVERY, RetrainingPipelineArgs, camel_case
from components.rules.metrics import NDCG_AT_10
from components.state_machine.definition import REPORTED
from components.state_machine.steps import STEPS
from functions import errors
from functions.contract import Outcome, Request
from functions.personalize import tags as known_tags
from functions.planning import export_guards
from functions.planning import guards as run_guards
from retrain.rehearsal.scenarios import SCENARIOS
from tests.program.sample_stack import PROJECT, PROJECT_FILE, ROOT
from tests.program.test_program import CONFIG, deploy

README = (ROOT / "README.md").read_text()
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
FLEET = (ROOT / "docs" / "fleet.md").read_text()
PERMISSIONS = (ROOT / "docs" / "permissions.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
MEANT_BY_NONE = {"importRoleArn": "created", "solutions[].fullEvery": f"`{FULL_EVERY}`"}
"""What leaving a key out means, where it is not nothing."""
NO_GUARDS = {"newest_full", "problems"}
"""What the guards' modules have beside guards: a helper, and what calls the others."""


def rows(page, first_column):
    """Give the rows of the table whose first column has this title, as lists of cells."""
    lines = page.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first_column} |")) + 2
    end = next(n for n, line in enumerate(lines[start:], start) if not line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[start:end]]


def words(cell):
    """Give what stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)


def keys(cls, at=""):
    """Give each key of the config below a dataclass of arguments, with its default in words."""
    for each in fields(cls):
        key = f"{at}{camel_case(each.name)}"
        inner = next(filter(is_dataclass, parts(each.type)), None)
        if inner is None or each.name != "limits":
            yield key, default(key, each)
        if inner is not None:
            yield from keys(inner, f"{nested(key, each.type, inner)}.")


def parts(kind):
    """Give a type, and those that it is made of."""
    return [kind, *(inner for each in get_args(kind) for inner in parts(each))]


def nested(key, kind, inner):
    """Give how the table writes what a key holds: lists as `[]`, the five datasets as one."""
    if inner.__name__ == "DatasetArgs":
        return "datasets.*"
    is_list = any(get_origin(each) is Sequence for each in parts(kind))
    return f"{key}[]" if is_list else key


def default(key, field):
    made = field.default_factory
    value = field.default if made is MISSING else made()
    if value is MISSING:
        return "required"
    if value is DEFAULT_GATE:
        (rule,) = DEFAULT_GATE
        assert (rule.metric, rule.minimum) == (NDCG_AT_10, None)
        return f"one rule: NDCG@10, `maxDrop` {rule.max_drop:g}"
    if value is None or value in ((), {}):
        return MEANT_BY_NONE.get(key, "none")
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_the_table_of_keys_has_every_key_with_its_default_and_none_too_many():
    told = {words(key)[0]: given for key, given, _ in rows(CONFIGURATION, "key")}
    assert told == dict(keys(RetrainingPipelineArgs))


def test_the_table_of_functions_says_what_each_role_may_do():
    expected = {
        step: "; ".join(
            f"{', '.join(action.removeprefix('personalize:') for action in actions)} on {kind}"
            for kind, actions in row.may.items()
        )
        or "nothing"
        for step, row in STEPS.items()
    }
    assert {words(step)[0]: may for step, may in rows(PERMISSIONS, "function")} == expected


def test_the_number_of_resources_is_that_of_the_sample_stack():
    resources = [each for each in deploy(config=CONFIG).registered.values() if "aws:" in each.type]
    assert f"{len(resources)} resources for the sample stack" in README


def test_the_page_about_fleets_counts_the_roles_and_functions_of_a_stack():
    types = [each.type for each in deploy(config=CONFIG).registered.values()]
    roles = types.count("aws:iam/role:Role")
    first, *_ = rows(FLEET, "resource")
    assert [first[0], first[1], first[3]] == ["IAM roles", str(roles), str(1000 // roles)]
    assert f"{types.count('aws:lambda/function:Function')} functions" in FLEET


def own_errors():
    own = {name for name, each in vars(errors).items() if isinstance(each, type)} - {"Sequence"}
    return {*own, REPORTED, "ReportFailed"}


def guards():
    """Give each guard's name with its module."""
    return {
        name: module
        for module in (run_guards, export_guards)
        for name, each in inspect.getmembers(module, inspect.isfunction)
        if each.__module__ == module.__name__ and not name.startswith("_")
        if name not in NO_GUARDS
    }


def texts(module):
    """Give all that a module says, each f-string as one text with its holes closed."""
    tree = ast.parse(inspect.getsource(module))
    return " | ".join(
        "".join(part.value for part in node.values if isinstance(part, ast.Constant))
        if isinstance(node, ast.JoinedStr)
        else str(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr)
    )


@pytest.mark.parametrize("page", [README, OPERATIONS], ids=["README", "operations"])
def test_every_outcome_is_explained(page):
    assert [words(row[0])[0] for row in rows(page, "outcome")] == list(get_args(Outcome))


@pytest.mark.parametrize("page", [README, OPERATIONS], ids=["README", "operations"])
def test_every_error_of_our_own_is_explained(page):
    explained = {word for row in rows(page, "error") for word in words(row[0])}
    assert own_errors() - explained == set()


def test_every_guard_is_explained_and_none_that_there_is_not():
    assert sorted(words(row[0])[0] for row in rows(OPERATIONS, "guard")) == sorted(guards())


@pytest.mark.parametrize("row", rows(OPERATIONS, "guard"), ids=lambda row: words(row[0])[0])
def test_a_guard_says_what_the_table_says_that_it_says(row):
    said = texts(guards()[words(row[0])[0]])
    assert [part for part in words(row[1]) if part not in said] == []


def test_every_scenario_is_explained_in_its_own_words():
    told = [(words(name)[0], story, so.lower()) for name, story, so in rows(OPERATIONS, "scenario")]
    assert told == [(each.name, each.story, f"{each.prevented}.".lower()) for each in SCENARIOS]


def test_every_tag_that_is_remembered_is_explained():
    tags = [each for name, each in vars(known_tags).items() if name.isupper() and "-" in str(each)]
    assert [words(row[0])[0] for row in rows(OPERATIONS, "tag")] == tags


def test_every_override_is_explained():
    told = [word for row in rows(OPERATIONS, "input") for word in words(row[0])]
    assert sorted(told) == sorted({*Request.__annotations__, "{}"})


def test_the_mistake_that_is_shown_reads_as_the_program_tells_it():
    with pytest.raises(Exception, match="did you mean") as error:
        deploy(config={**CONFIG, f"{PROJECT}:retrainigRate": "1 day"})
    shown = str(error.value).replace("stack dev:\n  ", "stack dev:\n      ")
    assert f"    {shown}\n" in CONFIGURATION
    assert f"    {shown.replace('stack dev', 'stack prod')}\n" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_has_a_place_that_was_to_be_filled_in(page):
    assert re.findall(r"@[A-Z]+@", page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_json_document_to_paste_is_json(page):
    for document in re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL):
        assert isinstance(json.loads(document), dict)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_module_and_file_that_is_named_exists(page):
    text = page.read_text()
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"(?:`|^    )make ([a-z]+)", text, re.MULTILINE)
    assert [target for target in named if target not in targets] == []
    modules = re.findall(r"python -m ((?:retrain|emulator|docs|tests)[\w.]*)", text)
    paths = [ROOT / module.replace(".", "/") for module in modules]
    assert [
        path for path in paths if not (path.is_dir() or path.with_suffix(".py").is_file())
    ] == []
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_heading_that_is_linked_exists():
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in OPERATIONS.splitlines()
        if line.startswith("#")
    }
    assert set(re.findall(r"operations\.md#([\w-]+)", README)) - headings == set()


def test_the_readme_names_the_oldest_pulumi_cli_that_the_project_takes():
    oldest = re.fullmatch(r">=(\d+\.\d+)\.0", PROJECT_FILE["requiredPulumiVersion"])[1]
    assert f"[Pulumi CLI](https://www.pulumi.com/docs/install/) {oldest} or newer" in README


def test_the_readme_has_at_most_230_lines():
    assert len(README.splitlines()) <= 230
