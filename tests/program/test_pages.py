"""Proves that the generated pages show the code of today, and that their examples are whole."""

import json
from typing import get_args, is_typeddict

import pytest

from components.state_machine.steps import Step
from docs import cli, configuration, costs, events, metrics, permissions, state_machine
from functions.contract import Outcome
from functions.metrics import METRICS
from functions.report import model
from tests.components.test_args import shape_problems
from tests.definitions import machines
from tests.program.sample_stack import ROOT
from tests.world import MOVIES, solution

DEFINITION = state_machine.sample_definition()


PAGES = [
    *[("", module.page) for module in (cli, configuration, events, metrics, permissions)],
    (" --mermaid", lambda: state_machine.page(DEFINITION)),
]


@pytest.mark.parametrize(("options", "page"), PAGES)
def test_a_generated_page_is_current(options, page):
    name = "state_machine" if options else page.__module__.removeprefix("docs.")
    file = ROOT / "docs" / f"{name.replace('_', '-')}.md"
    assert file.read_text() == page(), f"run: python -m docs.{name}{options} > {file}"


def test_a_key_has_its_default_as_yaml():
    defaults = {row.key: row.default for row in configuration.rows()}
    assert defaults["datasets.*.datasetArn"] == "required"
    assert defaults["datasets.*.readyMarker"] == defaults["tags"] == "none"
    assert defaults["solutions[].qualityGateEnabled"] == "`true`"
    assert defaults["solutions[].qualityGate"] == (
        "`[{metric: normalized_discounted_cumulative_gain_at_10, maxDrop: 0.25}]`"
    )


def test_the_keys_of_a_dataset_are_listed_once():
    keys = [row.key for row in configuration.rows()]
    assert len(keys) == len(set(keys))
    assert "datasets.users.datasetArn" not in keys


def test_the_metrics_of_a_pipeline_are_counted():
    many = MOVIES.with_solutions(
        solution("one", campaigns=["home", "shelf"]),
        solution("two", campaigns=["cart"], quality_gate_enabled=False),
        solution("three", campaigns=[]),
    )
    kinds = [dimension for metric in METRICS.values() for dimension in metric.dimensions]
    outcomes = len(get_args(Outcome))
    assert costs.metric_count(many.settings()) == (
        kinds.count(None)
        + outcomes * kinds.count("Outcome")
        + 3 * kinds.count("Dataset")
        + 3 * kinds.count("Solution")
        + 1  # the metric of the default gate, of the only solution with a gate and a campaign
    )
    # The age of three models and of three datasets, their greatest ages, and unfinished trials.
    assert costs.metric_count(many.settings(), only_watched=True) == 3 + 3 + 2 + 1


def test_permissions_name_the_actions_and_what_they_are_allowed_on():
    step = Step(
        grants={
            "campaigns": ("personalize:DescribeCampaign", "personalize:UpdateCampaign"),
            "exports": ("s3:GetObject",),
        },
    )
    assert permissions.permissions(step) == (
        "DescribeCampaign, UpdateCampaign on campaigns; s3:GetObject on exports"
    )
    assert permissions.permissions(Step(grants={})) == "nothing"


# --- the event ---------------------------------------------------------------------------------


def test_the_page_has_a_table_for_each_part():
    types = {name for name, value in vars(model).items() if is_typeddict(value)}
    assert {name for name in types if name.endswith(("Report", "Content"))} == set(events.TITLES)


def test_the_example_has_exactly_the_keys_and_the_types_of_the_detail():
    assert list(shape_problems(model.Report, events.EXAMPLE, "detail")) == []


# --- the state machine -------------------------------------------------------------------------


def diagram_lines(machine):
    """Return the lines of a machine's diagram."""
    return state_machine.page(machine).split("```")[1].splitlines()[2:]


def test_the_diagram_names_every_state():
    lines = {line.strip() for line in diagram_lines(DEFINITION)}
    names = [name for machine in machines(DEFINITION) for name in machine["States"]]
    assert [name for name in names if not any(line.endswith(f": {name}") for line in lines)] == []


def test_transitions_to_the_same_state_are_one_arrow_with_each_condition_once():
    is_probed = [
        {"Variable": "$.campaign.probe", "IsNull": False},
        {"Variable": "$.update", "IsPresent": True},
        {"Variable": "$.update", "IsNull": False},
    ]
    choice = {
        "Type": "Choice",
        "Choices": [
            {"Variable": "$.job.phase", "StringEquals": "ENDED", "Next": "Over"},
            {"Variable": "$.job.phase", "StringEquals": "OVERDUE", "Next": "Over"},
            {"Variable": "$.plan.reason", "IsNull": True, "Next": "Work"},
            {"And": is_probed, "Next": "Work"},
            {"Variable": "$.anyFailed", "BooleanEquals": True, "Next": "Over"},
        ],
        "Default": "Work",
    }
    work = {"Type": "Task", "Next": "Over", "Catch": [{"ErrorEquals": [], "Next": "Over"}]}
    states = {"Ready?": choice, "Work": work, "Over": {"Type": "Succeed"}}
    assert diagram_lines({"StartAt": "Ready?", "States": states}) == [
        "    Ready: Ready?",
        "    Work: Work",
        "    Over: Over",
        "    [*] --> Ready",
        "    Ready --> Over: ENDED, OVERDUE, anyFailed is true",
        "    Ready --> Work: reason is null, probe is not null and update is not null, else",
        "    Work --> Over: done, error",
        "    Over --> [*]",
    ]


def test_the_command_prints_json_or_the_page(capsys, monkeypatch):
    for options, expected in (
        ([], json.dumps(DEFINITION, indent=2)),
        (["--mermaid"], PAGES[-1][1]()),
    ):
        monkeypatch.setattr("sys.argv", ["state_machine", *options])
        state_machine.main()
        assert capsys.readouterr().out.strip() == expected.strip()
