"""Proves that the generated pages of commands, config keys, metrics and permissions are current."""

from typing import get_args

import pytest

from components.state_machine.steps import Step
from docs import cli, configuration, costs, metrics, permissions
from functions.contract import Outcome
from functions.metrics import METRICS
from tests.program.sample_stack import ROOT
from tests.world import MOVIES, solution


@pytest.mark.parametrize("generator", [cli, configuration, metrics, permissions])
def test_a_generated_page_is_current(generator):
    name = generator.__name__.removeprefix("docs.")
    page = (ROOT / "docs" / f"{name}.md").read_text()
    assert page == generator.page(), f"run: python -m docs.{name} > docs/{name}.md"


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
