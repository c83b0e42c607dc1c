"""Proves what the dashboard of a pipeline shows. CloudWatch does not check it here."""

import json
from itertools import pairwise
from typing import get_args

import pytest

from components.alarms import ALARMS
from components.dashboard import OUTCOME_COLORS, DashboardView, dashboard_url
from components.rules.arns import Home
from functions.contract import Outcome
from tests.components.sample import NAME

HOME = "eu-west-1:123456789012"
MACHINE = f"arn:aws:states:{HOME}:stateMachine:{NAME}-1234567"
COLUMNS = 24
MAX_METRICS = 500
"""The most metrics of a widget:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""


@pytest.fixture(scope="module")
def body(deployed):
    """Return the body of the dashboard."""
    return json.loads(
        deployed.one("aws:cloudwatch/dashboard:Dashboard", NAME).inputs["dashboardBody"]
    )


def row(body, place):
    """Return the widgets of a row, from the left. Row 0 is below the title."""
    rows = sorted({widget["y"] for widget in body["widgets"]})
    return [widget for widget in body["widgets"] if widget["y"] == rows[place + 1]]


def titles(widgets):
    """Return the titles of widgets."""
    return [widget["properties"]["title"] for widget in widgets]


def test_the_first_row_says_whether_the_pipeline_is_healthy(body):
    widgets = row(body, 0)
    assert titles(widgets) == [
        "Is it healthy?",
        "Age of the models in use (hours)",
        "Outcomes of the runs in this time",
        "Age of the data (hours)",
    ]
    alarms = widgets[0]["properties"]["alarms"]
    assert alarms[0] == f"arn:aws:cloudwatch:{HOME}:alarm:{NAME}-1234567-unhealthy"
    assert len(alarms) == len(ALARMS) + 1
    for age in (widgets[1], widgets[3]):
        (line,) = age["properties"]["annotations"]["horizontal"]
        assert line["value"] == 276, "the line is where the alarm rings"


def test_the_other_rows_have_the_stages_the_metrics_the_amounts_and_the_log(body):
    assert [titles(row(body, place)) for place in range(1, 5)] == [
        ["Imports (seconds)", "Trainings (seconds)", "Campaign updates (seconds)"],
        ["Offline metrics of for-you", "Offline metrics of similar"],
        ["Training hours a day", "Imported bytes a day"],
        ["Recent errors", "Recent reports"],
    ]


def test_every_row_fits_into_the_columns_and_no_widget_covers_another(body):
    for place in range(-1, 5):
        widgets = row(body, place)
        edges = [0]
        for widget in widgets:
            assert widget["x"] == edges[-1]
            edges.append(widget["x"] + widget["width"])
        assert edges[-1] == COLUMNS
    heights = {widget["y"]: widget["height"] for widget in body["widgets"]}
    ys = sorted(heights)
    assert all(y + heights[y] == next_y for y, next_y in pairwise(ys))


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
            "solutions": [{"solutionArn": f"arn/solution-{number}"} for number in range(30)],
        },
    )
    body = view.body()
    sizes = [[widget["width"] for widget in row(body, place)] for place in range(2, 10)]
    assert sizes == [[6, 6, 6, 6]] * 7 + [[12, 12]]
    assert titles(row(body, 10)) == ["Training hours a day", "Imported bytes a day"]


def test_a_chart_has_a_line_for_each_solution_or_dataset(body):
    charts = {
        widget["properties"]["title"]: widget["properties"]["metrics"]
        for widget in body["widgets"]
        if widget["type"] == "metric"
    }
    space = "PersonalizeRetraining"
    assert charts["Trainings (seconds)"] == [
        [space, "TrainingSeconds", "Pipeline", NAME, "Solution", name, {"label": name}]
        for name in ("for-you", "similar")
    ]
    assert charts["Imported bytes a day"] == [
        [space, "ImportedBytes", "Pipeline", NAME, "Dataset", name, {"label": name}]
        for name in ("interactions", "items")
    ]
    assert all(len(metrics) <= MAX_METRICS for metrics in charts.values())


def test_every_outcome_of_a_run_is_counted():
    assert set(OUTCOME_COLORS) == set(get_args(Outcome))


def test_the_queries_search_the_log_of_the_functions(body):
    for widget in row(body, 4):
        assert widget["properties"]["query"].startswith(f"SOURCE '{NAME}-functions-1234567' | ")
        assert widget["properties"]["region"] == "eu-west-1"


def test_the_title_links_to_the_executions(body):
    (title,) = row(body, -1)
    assert title["properties"]["markdown"] == (
        f"**{NAME}** · [executions](https://eu-west-1.console.aws.amazon.com/states/home"
        f"?region=eu-west-1#/statemachines/view/{MACHINE})"
    )


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
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
