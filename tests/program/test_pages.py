"""Proves that the generated pages show the code of today, and that their examples are whole.

What a page says is in the page itself, and its diff shows what a change of its script does.
"""

import json
from typing import get_args, is_typeddict

import pytest

from docs import (
    cli,
    configuration,
    costs,
    events,
    messages,
    metrics,
    permissions,
    recipes,
    state_machine,
)
from docs.metric_table import METRICS
from functions.constants import INACTIVE_RECOMMENDERS
from functions.contract import Outcome
from functions.report import model
from tests.components.test_args import shape_problems
from tests.definitions import machines
from tests.program.sample_stack import ROOT
from tests.world import MOVIES, solution

DEFINITION = state_machine.sample_definition()


PAGES = [
    *[
        ("", module.page)
        for module in (cli, configuration, events, messages, metrics, permissions, recipes)
    ],
    (" --mermaid", lambda: state_machine.page(DEFINITION)),
]


@pytest.mark.parametrize("options, page", PAGES)
def test_a_generated_page_is_current(options, page):
    name = "state_machine" if options else page.__module__.removeprefix("docs.")
    file = ROOT / "docs" / f"{name.replace('_', '-')}.md"
    assert file.read_text() == page(), f"run: python -m docs.{name}{options} > {file}"


def test_the_metrics_of_a_pipeline_are_counted():
    many = MOVIES.with_solutions(
        solution("one", campaigns=["home", "shelf"]),
        solution("two", campaigns=["cart"], quality_gate_enabled=False),
        solution("three", campaigns=[]),
    )
    kinds = [
        dimension
        for name, metric in METRICS.items()
        for dimension in metric.dimensions
        if name != INACTIVE_RECOMMENDERS  # only without solutions
    ]
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


# --- the event ---------------------------------------------------------------------------------


def test_the_page_has_a_table_for_each_part():
    types = {name for name, value in vars(model).items() if is_typeddict(value)}
    assert {name for name in types if name.endswith(("Report", "Content", "Message"))} == set(
        events.TITLES
    )


def test_the_example_has_exactly_the_keys_and_the_types_of_the_detail():
    assert list(shape_problems(model.Report, events.EXAMPLE, "detail")) == []


# --- the state machine -------------------------------------------------------------------------


def test_the_diagram_names_every_state():
    lines = [line.strip() for line in state_machine.page(DEFINITION).splitlines()]
    names = [name for machine in machines(DEFINITION) for name in machine["States"]]
    assert [name for name in names if not any(line.endswith(f": {name}") for line in lines)] == []


def test_the_command_prints_json_or_the_page(capsys, monkeypatch):
    for options, expected in (
        ([], json.dumps(DEFINITION, indent=2)),
        (["--mermaid"], PAGES[-1][1]()),
    ):
        monkeypatch.setattr("sys.argv", ["state_machine", *options])
        state_machine.main()
        assert capsys.readouterr().out.strip() == expected.strip()
