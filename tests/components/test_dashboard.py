"""Proves what the dashboard of a pipeline shows. CloudWatch does not check it here."""

import json
from itertools import groupby

import pytest

from components.alarms import ALARMS
from components.dashboard import dashboard_body, dashboard_url
from components.rules.arns import Home
from tests.components.sample import NAME

HOME = "eu-west-1:123456789012"


@pytest.fixture(scope="module")
def body(deployed):
    """Return the body of the dashboard."""
    return body_of(deployed)


def body_of(engine):
    """Return the body of a deployed dashboard."""
    inputs = engine.one("aws:cloudwatch/dashboard:Dashboard", NAME).inputs
    return json.loads(inputs["dashboardBody"])


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


def test_the_first_row_says_whether_it_is_healthy_and_the_others_show_trainings_and_logs(body):
    assert rows(body) == [
        [
            ("Is it healthy?", 6),
            ("Age of the models (hours)", 6),
            ("Outcomes of the runs", 6),
            ("Age of the data (hours)", 6),
        ],
        [("Offline metrics", 12), ("Training hours a day", 12)],
        [("Recent errors", 12), ("Recent reports", 12)],
    ]


def test_without_a_quality_gate_there_is_no_chart_of_offline_metrics():
    body = dashboard_body(
        pipeline=NAME,
        settings={
            "datasets": [],
            "solutions": [{"solutionArn": "solution/taste", "qualityGate": []}],
            "limits": {"maxModelAgeDays": 1},
        },
        home=Home("aws", "eu-west-1", "123456789012"),
        alarm_arns=[],
        log_group="log",
        state_machine_arn="machine",
    )
    assert rows(body)[1] == [("Training hours a day", 24)], "CloudWatch refuses an empty chart"


def test_all_alarms_are_shown_and_the_ages_show_when_an_alarm_rings(widgets):
    assert widgets["Is it healthy?"]["alarms"] == [
        f"arn:aws:cloudwatch:{HOME}:alarm:{NAME}-{alarm.name}-1234567" for alarm in ALARMS
    ]
    for title in ("Age of the models (hours)", "Age of the data (hours)"):
        (line,) = widgets[title]["annotations"]["horizontal"]
        assert line["value"] == 276


def test_the_queries_search_the_log_of_the_functions(widgets):
    for title in ("Recent errors", "Recent reports"):
        assert widgets[title]["query"].startswith(f"SOURCE '{NAME}-functions-1234567' | ")
        assert widgets[title]["region"] == "eu-west-1"


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
    ],
)
def test_china_has_another_console(partition, region, host):
    url = dashboard_url(Home(partition, region, "123456789012"), "movies")
    assert url == (
        f"https://{region}.{host}/cloudwatch/home?region={region}#dashboards/dashboard/movies"
    )


def test_the_title_links_to_the_executions(body):
    assert body["widgets"][0]["properties"]["markdown"] == (
        f"**{NAME}** · [executions](https://eu-west-1.console.aws.amazon.com/states/home"
        f"?region=eu-west-1#/statemachines/view/arn:aws:states:{HOME}:stateMachine:{NAME}-1234567)"
    )
