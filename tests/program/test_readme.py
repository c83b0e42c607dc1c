"""Proves that the README and the guides agree with the code: keys, outcomes, errors, commands."""

import itertools
import json
import re
import shlex
from typing import get_args

import pytest
import typer
import yaml

from components.constants import REPORTED_ERROR
from components.dashboard import build_dashboard_body
from components.rules.arns import Environment
from docs import configuration, costs, metrics
from functions.common import errors
from functions.common.prices import (
    DOLLARS_PER_IMPORTED_GB,
    estimate_import_cost,
)
from functions.contract import Outcome, RunRequest
from functions.personalize import tags as known_tags
from functions.report.mail import CAMPAIGN_ADVICE, RUN_ADVICE
from retrain import cli
from retrain.rehearsal.scenarios import SCENARIOS
from tests.pages import GUIDES
from tests.program.sample_stack import PROJECT, PROJECT_FILE, ROOT
from tests.program.test_program import CONFIG, deploy

README = (ROOT / "README.md").read_text()
README_PROSE = " ".join(README.split())
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
FLEET = (ROOT / "docs" / "fleet.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
ERRORS = (ROOT / "docs" / "errors.md").read_text()
DASHBOARD = (ROOT / "docs" / "dashboard.md").read_text()
RUNS = (ROOT / "docs" / "runs.md").read_text()
TAGS = (ROOT / "docs" / "tags.md").read_text()
REHEARSAL = (ROOT / "docs" / "rehearsal.md").read_text()
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]
PAGES_FOR_ONE_STACK = [
    ROOT / "README.md",
    ROOT / "docs" / "deployment.md",
    ROOT / "docs" / "batch-jobs.md",
    ROOT / "docs" / "exports.md",
    *GUIDES,
]
"""Pages whose commands work on one stack, which each command has to name."""


def rows(page, first_column):
    """Return the cells of each row of the first table whose first column has this title."""
    lines = page.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first_column} |")) + 2
    table = itertools.takewhile(lambda line: line.startswith("|"), lines[start:])
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def code(text):
    """Return the parts of a text that stand between backticks."""
    return re.findall(r"`([^`]+)`", text)


def test_the_readme_names_only_keys_that_exist():
    known = [row.key for row in configuration.rows()]
    assert [key for row in rows(README, "key") for key in code(row[0]) if key not in known] == []


def test_the_costs_of_the_monitoring_are_those_of_the_page_about_metrics():
    settings = metrics.settings_of_sample_stack()
    dollars = costs.total(costs.monthly_costs(settings))
    assert f"cost [about ${dollars:.0f} a month](docs/metrics.md#what-it-costs)." in README_PROSE


def test_the_price_of_imports_is_that_of_reports_and_plans():
    assert f"An import costs about ${DOLLARS_PER_IMPORTED_GB:.2f} for each GB" in README_PROSE
    month = 30 * estimate_import_cost(20 * 10**9)
    assert f"so a daily `FULL` import of 20 GB costs ${month:.0f} a month." in README_PROSE


def test_the_page_about_fleets_knows_how_many_roles_a_stack_takes():
    types = [resource.type for resource in deploy(config=CONFIG).registered.values()]
    roles = types.count("aws:iam/role:Role")
    first, *_ = rows(FLEET, "resource")
    shown, fitting = (int(cell.removeprefix("some ")) for cell in (first[1], first[3]))

    assert first[0] == "IAM roles"
    assert abs(shown - roles) <= 2, f"a stack has {roles} roles"
    assert abs(fitting - 1000 / roles) <= 10, f"{1000 // roles} stacks fit into the quota"


@pytest.mark.parametrize("page", [README, OPERATIONS], ids=["README", "operations"])
def test_every_outcome_is_explained(page):
    explained = [outcome for row in rows(page, "outcome") for outcome in code(row[0])]
    assert sorted(explained) == sorted(get_args(Outcome))


def test_every_error_of_this_program_is_explained():
    names = {name for name, value in vars(errors).items() if isinstance(value, type)}
    names -= {
        "Sequence",
        "RequestRefused",
    }  # `RequestRefused` never leaves its function (`reconcile.py`).
    explained = {name for row in rows(ERRORS, "error") for name in code(row[0])}
    assert {*names, REPORTED_ERROR, "ReportFailed"} - explained == set()


def test_the_guide_quotes_the_lines_of_the_report_as_the_code_has_them():
    source = "".join(path.read_text() for path in (ROOT / "functions").rglob("*.py"))
    quotes = [code(row[0])[0] for row in rows(ERRORS, "line") if row[0].startswith("`")]
    parts = [part.strip() for quote in quotes for part in quote.split("...")]
    assert [part for part in parts if part.removesuffix(": FAILED") not in source] == []


def test_every_scenario_is_explained_in_its_own_words():
    in_table = [
        (code(name)[0], story, damage.lower())
        for name, story, damage in rows(REHEARSAL, "scenario")
    ]

    assert in_table == [
        (scenario.name, scenario.story, f"{scenario.prevented}.".lower())
        for scenario in SCENARIOS[1:]
    ]


def test_every_tag_that_the_pipeline_writes_is_explained():
    tags = [
        value for name, value in vars(known_tags).items() if name.isupper() and "-" in str(value)
    ]
    assert [code(row[0])[0] for row in rows(TAGS, "tag")] == tags


def test_every_key_of_the_input_is_explained():
    in_table = [key for row in rows(RUNS, "input") for key in code(row[0])]
    assert sorted(in_table) == sorted({*RunRequest.__annotations__, "{}"})


def test_the_mistake_in_the_example_is_reported_with_these_words():
    with pytest.raises(Exception, match="did you mean") as error:
        deploy(config={**CONFIG, f"{PROJECT}:retrainigRate": "1 day"})
    message = str(error.value).replace("stack dev:\n  ", "stack dev:\n      ")
    assert f"    {message}\n" in CONFIGURATION


def test_the_index_of_decisions_has_each_of_them():
    folder = ROOT / "docs" / "adr"
    linked = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text())
    assert sorted(linked) == sorted(page.name for page in folder.glob("0*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_json_document_to_paste_is_json(page):
    for document in re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL):
        assert isinstance(json.loads(document), dict)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_and_module_that_a_page_names_exists(page):
    text = page.read_text()
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"(?:`|^    )make ([a-z]+)", text, re.MULTILINE)
    assert [target for target in named if target not in targets] == []

    modules = re.findall(r"python -m ((?:retrain|emulator|docs|tests)[\w.]*)", text)
    paths = [ROOT / module.replace(".", "/") for module in modules]
    assert [
        path for path in paths if not (path.is_dir() or path.with_suffix(".py").is_file())
    ] == []


def headings(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    lines = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL).splitlines()
    return {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in lines
        if line.startswith("#")
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page):
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text())
    targets = [((page.parent / file) if file else page, heading) for file, heading in links]
    assert [file for file, _ in targets if not file.exists()] == []
    assert [
        (file.name, heading)
        for file, heading in targets
        if heading and heading not in headings(file)
    ] == []


def test_every_message_links_to_a_page_and_a_heading():
    guides = {advice.guide for advice in (*RUN_ADVICE.values(), *CAMPAIGN_ADVICE.values())}
    for guide in {*guides, "emergencies.md#alarms"}:
        page, _, heading = guide.partition("#")
        assert heading in headings(ROOT / "docs" / page), guide


@pytest.mark.parametrize("page", PAGES_FOR_ONE_STACK, ids=lambda page: page.name)
def test_every_pulumi_command_names_its_stack(page):
    text = page.read_text().replace("\\\n", " ")
    commands = re.findall(
        r"pulumi (?:up|preview|destroy|config|stack output)\b[^\n&)]*", text.replace("`pulumi", "")
    )
    assert [command for command in commands if " -s " not in command] == []


@pytest.mark.parametrize("page", PAGES_FOR_ONE_STACK, ids=lambda page: page.name)
def test_every_retrain_command_exists_and_names_its_pipeline(page):
    text = page.read_text().replace("\\\n", " ")
    in_text = re.findall(r"`(retrain [a-z-]+ [^`]*)`", text)
    in_blocks = re.findall(r"^ +(retrain [^#\n]*)|^(retrain [^#\n]*)", text, re.MULTILINE)
    group = typer.main.get_command(cli.build_program())
    for command in [*in_text, *(a or b for a, b in in_blocks)]:
        name, *words = shlex.split(command)[1:]
        with group.commands[name].make_context(name, words) as context:
            is_named = context.get_parameter_source("stack").name == "COMMANDLINE"
        assert is_named or "arn:" in command or " ARN" in command, command


def test_the_commands_of_the_example_for_ci_exist():
    workflow = yaml.safe_load((ROOT / "examples" / "ci" / "retraining.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = {step["run"] for step in steps if "run" in step}
    assert commands == {"make install", '.venv/bin/retrain doctor -s "$STACK"'}

    group = typer.main.get_command(cli.build_program())
    group.commands["doctor"].make_context("doctor", ["-s", workflow["env"]["STACK"]])


def test_the_readme_names_the_oldest_pulumi_cli_that_the_project_takes():
    oldest = re.fullmatch(r">=(\d+\.\d+)\.0", PROJECT_FILE["requiredPulumiVersion"])[1]
    assert f"[Pulumi CLI](https://www.pulumi.com/docs/install/) {oldest} or newer" in README


MOST_LINES = {
    "README.md": 200,
    "docs/emergencies.md": 350,
    "docs/operations.md": 300,
    "docs/runs.md": 280,
}


@pytest.mark.parametrize("page, most", MOST_LINES.items())
def test_a_page_stays_short(page, most):
    assert len((ROOT / page).read_text().splitlines()) <= most


def test_the_page_about_the_dashboard_explains_every_widget():
    body = build_dashboard_body(
        pipeline_name="retraining-dev",
        settings=metrics.settings_of_sample_stack(),
        environment=Environment("aws", "eu-west-1", "123456789012"),
        alarm_arns=[],
        log_group="/aws/lambda/retraining-dev",
        state_machine_arn="",
    )
    titles = [widget["properties"].get("title") for widget in body["widgets"]]
    explained = re.findall(r"^\| ([^|]*?) \|", DASHBOARD, re.MULTILINE)
    assert [title for title in titles if title and title not in explained] == []

    drawn = (ROOT / "docs" / "pictures" / "dashboard.txt").read_text().splitlines()
    assert [title for title in titles if title and title not in drawn] == [], "run: make pictures"
