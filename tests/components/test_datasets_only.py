"""Proves the resources of a pipeline without solutions, which only imports."""

import json

import pytest

from components.alarms import ALARMS
from tests.components.conftest import deploy
from tests.components.sample import NAME, minimal


@pytest.fixture(scope="module")
def engine():
    return deploy(lambda: minimal(solutions=[]))


def test_there_are_no_alarms_about_models(engine):
    alarms = engine.all_of("aws:cloudwatch/metricAlarm:MetricAlarm")
    about_models = {"model-too-old", "trial-unfinished"}
    expected = {alarm.name for alarm in ALARMS} - about_models
    assert {name.removeprefix(f"{NAME}-") for name in alarms} == expected


def test_the_dashboard_has_no_chart_about_models(engine):
    inputs = engine.one("aws:cloudwatch/dashboard:Dashboard", NAME).inputs
    titles = [
        item["properties"].get("title") for item in json.loads(inputs["dashboardBody"])["widgets"]
    ]
    assert titles == [
        None,
        "Is it healthy?",
        "Outcomes of the runs",
        "Age of the data (hours)",
        "Recent errors",
        "Recent reports",
    ]


def test_no_policy_names_a_solution_or_has_a_statement_without_resources(engine):
    for name in engine.all_of("aws:iam/rolePolicy:RolePolicy"):
        for statement in engine.policy(name)["Statement"]:
            resources = statement["Resource"]
            assert resources, f"IAM refuses {statement}"
            assert [arn for arn in resources if ":solution/" in arn or ":campaign/" in arn] == []
