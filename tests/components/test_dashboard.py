"""Proves what the dashboard of a pipeline shows. CloudWatch does not check it here."""

import json
from itertools import groupby
from typing import get_args

import pytest

from components.alarms import ALARMS
from components.dashboard import OUTCOME_COLORS, DashboardView, dashboard_url
from components.rules.arns import Home
from functions.contract import Outcome
from tests.components.sample import NAME

HOME = "eu-west-1:123456789012"
MACHINE = f"arn:aws:states:{HOME}:stateMachine:{NAME}-1234567"
MAX_METRICS = 500
"""The most metrics of a widget:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""


@pytest.fixture(scope="module")
def body(deployed):
    """Return the body of the dashboard."""
    return json.loads(
        deployed.one("aws:cloudwatch/dashboard:Dashboard", NAME).inputs["dashboardBody"]
    )


@pytest.fixture(scope="module")
def widgets(body):
    """Return the properties of each widget below the title, by its title."""
    return {widget["properties"]["title"]: widget["properties"] for widget in body["widgets"][1:]}


def rows(body):
    """Return the titles and widths of the widgets in each row, without the row of the title.

    Each row has to fill all columns, and to begin where the row above ends.
    """
    titles, bottom = [], 0
    for y, row in groupby(body["widgets"], key=lambda widget: widget["y"]):
        assert y == bottom
        right = 0
        titles.append([])
        for widget in row:
            assert widget["x"] == right
            right += widget["width"]
            titles[-1].append((widget["properties"].get("title"), widget["width"]))
        assert right == 24
        bottom += widget["height"]
    return titles[1:]


def test_the_first_row_says_whether_it_is_healthy_and_the_others_show_stages_and_logs(body):
    assert rows(body) == [
        [
            ("Is it healthy?", 6),
            ("Age of the models in use (hours)", 6),
            ("Outcomes of the runs in this time", 6),
            ("Age of the data (hours)", 6),
        ],
        [("Imports (seconds)", 8), ("Trainings (seconds)", 8), ("Campaign updates (seconds)", 8)],
        [("Offline metrics of for-you", 12), ("Offline metrics of similar", 12)],
        [("Training hours a day", 12), ("Imported bytes a day", 12)],
        [("Recent errors", 12), ("Recent reports", 12)],
    ]


def test_the_charts_of_many_solutions_fill_several_rows():
    view = DashboardView(
        pipeline=NAME,
        home=Home("aws", "eu-west-1", "123456789012"),
        state_machine_arn=MACHINE,
        log_group="log",
        alarm_arns=[],
        settings={
            "limits": {"maxModelAgeDays": 1},
            "datasets": [{"type": "items"}],
            "solutions": [{"solutionArn": f"arn/solution-{number}"} for number in range(6)],
        },
    )
    assert [[width for _, width in row] for row in rows(view.body())[2:4]] == [[6] * 4, [12] * 2]


def test_the_composite_alarm_comes_first_and_the_ages_show_when_an_alarm_rings(widgets):
    alarms = widgets["Is it healthy?"]["alarms"]
    assert alarms[0] == f"arn:aws:cloudwatch:{HOME}:alarm:{NAME}-1234567-unhealthy"
    assert len(alarms) == len(ALARMS) + 1
    for title in ("Age of the models in use (hours)", "Age of the data (hours)"):
        (line,) = widgets[title]["annotations"]["horizontal"]
        assert line["value"] == 276


def test_a_chart_has_a_line_for_each_solution_or_dataset(widgets):
    space = "PersonalizeRetraining"
    assert widgets["Trainings (seconds)"]["metrics"] == [
        [space, "TrainingSeconds", "Pipeline", NAME, "Solution", name, {"label": name}]
        for name in ("for-you", "similar")
    ]
    assert widgets["Imported bytes a day"]["metrics"] == [
        [space, "ImportedBytes", "Pipeline", NAME, "Dataset", name, {"label": name}]
        for name in ("interactions", "items")
    ]
    assert all(len(widget.get("metrics", [])) <= MAX_METRICS for widget in widgets.values())


def test_every_outcome_of_a_run_is_counted():
    assert set(OUTCOME_COLORS) == set(get_args(Outcome))


def test_the_queries_search_the_log_of_the_functions(widgets):
    for title in ("Recent errors", "Recent reports"):
        assert widgets[title]["query"].startswith(f"SOURCE '{NAME}-functions-1234567' | ")
        assert widgets[title]["region"] == "eu-west-1"


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "console.aws.amazon.com"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
        ("aws-iso", "us-iso-east-1", "console.aws.amazon.com"),
    ],
)
def test_other_partitions_have_other_consoles(partition, region, host):
    url = dashboard_url(Home(partition, region, "123456789012"), "movies")
    assert url == (
        f"https://{region}.{host}/cloudwatch/home?region={region}#dashboards/dashboard/movies"
    )


def test_the_title_links_to_the_executions(body):
    assert body["widgets"][0]["properties"]["markdown"] == (
        f"**{NAME}** · [executions](https://eu-west-1.console.aws.amazon.com/states/home"
        f"?region=eu-west-1#/statemachines/view/{MACHINE})"
    )
