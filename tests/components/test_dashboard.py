"""Proves what the dashboard of a pipeline shows. CloudWatch does not check it here.

Its golden files have the place, the size and the content of each widget, without its metrics.
"""

import json

import pytest

from components.dashboard import build_dashboard_url
from components.rules.arns import Environment
from tests.components.conftest import deploy
from tests.components.documents import leaves, shortened
from tests.components.sample import NAME, minimal
from tests.world import solution


def widgets_of(engine):
    """Return the widgets of the dashboard."""
    inputs = engine.one("aws:cloudwatch/dashboard:Dashboard", NAME).inputs
    return json.loads(inputs["dashboardBody"])["widgets"]


@pytest.mark.parametrize(
    "pipeline, file",
    [("deployed", "dashboard.txt"), ("datasets_only", "dashboard_of_imports.txt")],
)
def test_the_dashboard_of_the_golden_file_is_deployed(request, golden, pipeline, file):
    engine = request.getfixturevalue(pipeline)
    lines = []
    for widget in widgets_of(engine):
        shown = {key: value for key, value in widget["properties"].items() if key != "metrics"}
        place = f"{widget['x']}, {widget['y']}: {widget['width']} x {widget['height']}"
        lines += [f"{place} {shown.pop('title', '')}", *(f"  {leaf}" for leaf in leaves(shown))]
    text = shortened("\n".join([*lines, ""]))
    golden(file, text)

    assert text.count(":alarm:") == len(engine.all_of("aws:cloudwatch/metricAlarm:MetricAlarm"))


def test_without_a_quality_gate_there_is_no_chart_of_offline_metrics():
    engine = deploy(lambda: minimal(solutions=[solution(quality_gate_enabled=False)]))
    widths = {one["properties"].get("title"): one["width"] for one in widgets_of(engine)}
    assert "Offline metrics" not in widths, "CloudWatch refuses an empty chart"
    assert widths["Training hours a day"] == 24


@pytest.mark.parametrize(
    "partition, region, host",
    [
        ("aws", "eu-west-1", "console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
    ],
)
def test_china_has_another_console(partition, region, host):
    url = build_dashboard_url(Environment(partition, region, "123456789012"), "movies")
    assert url == (
        f"https://{region}.{host}/cloudwatch/home?region={region}#dashboards/dashboard/movies"
    )
