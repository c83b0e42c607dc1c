"""Proves that the guide says which alarms ring when a pipeline dies, and that others are silent.

`deaths.py` says where the metrics come from. The rules by which CloudWatch evaluates alarms are
those of its documentation (`alarm_rules.py`).
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from components.alarms import ALARMS, FUNCTION_ERRORS_PATTERN, Alarm, build_alarm_inputs
from components.dashboard import LOG_QUERIES, build_dashboard_body
from components.rules.arns import Environment
from components.state_machine.asl import KILLED_ERRORS
from docs.metric_table import METRICS
from functions.constants import INACTIVE_RECOMMENDERS, METRICS_NAMESPACE
from functions.contract import Outcome
from tests.workflow.alarm_rules import Metrics, is_in_alarm, key, matches
from tests.workflow.deaths import DEATHS, EXTRA_PERIODS, FIRST, WEEK, living, row
from tests.world import MOVIES, PIPELINE, exports, solution

ROOT = Path(__file__).resolve().parents[2]
SHORT = {"solution-version": 600, "campaign-update": 120}


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: death.what)
def test_the_guide_says_what_rings_when_a_pipeline_dies_and_what_mends_it(death):
    guide = (ROOT / "docs" / "faults.md").read_text()
    assert row(death) in guide, "python -m tests.workflow.deaths prints the table"


@pytest.mark.parametrize(
    "rate, gap, runs",
    [("cron(0 3 ? * SUN *)", WEEK, 3), ("rate(1 hour)", timedelta(hours=1), 30)],
    ids=["weekly", "hourly"],
)
def test_a_healthy_pipeline_never_rings(rate, gap, runs):
    group = MOVIES.with_solutions(solution(quality_gate=[])).with_options(retraining_rate=rate)
    with living(group, durations=SHORT) as life:
        for number in range(runs):
            life.pipeline.bucket.put("interactions.csv", exports(1201 + number)["interactions.csv"])
            slot = max(FIRST + number * gap, life.now)
            life.live(slot + gap - life.now, [slot])
        assert all(run.status == "SUCCEEDED" for run in life.executions)
        for extra in (0, EXTRA_PERIODS, 5):
            assert life.first_rings(extra=extra) == {}, "a new pipeline has no measurement yet"
    for name in ("ModelAgeHours", "DataAgeHours", "UnfinishedTrials", "UndeliveredReports"):
        assert key(METRICS_NAMESPACE, name, {"Pipeline": PIPELINE}) in life.metrics.values, name


# What the alarms and the dashboard read is what the functions write


def test_an_alarm_watches_a_metric_that_the_functions_write():
    for alarm in ALARMS:
        if alarm.dimension == "Pipeline" and not alarm.pattern:
            assert None in METRICS[alarm.metric].dimensions, alarm.name


def test_the_dashboard_draws_the_metrics_that_the_functions_write():
    names = ("taste", "similar")
    group = MOVIES.with_solutions(*(solution(name, campaigns=[f"of-{name}"]) for name in names))
    with living(group, durations=SHORT) as life:
        life.live(timedelta(hours=4), [FIRST])
        body = build_dashboard_body(
            pipeline_name=PIPELINE,
            settings=group.settings(),
            environment=Environment("aws", "eu-west-1", "123456789012"),
            alarm_arns=[],
            log_group="log",
            state_machine_arn=life.machine_arn,
        )

    written = {metric for metric in life.metrics.values if metric[0] == METRICS_NAMESPACE}
    drawn = {
        key(space, name, dict(zip(rest[:-1:2], rest[1::2], strict=True)))
        for widget in body["widgets"]
        for space, name, *rest in widget["properties"].get("metrics", [])
    }
    assert drawn - written == {
        key(METRICS_NAMESPACE, "Runs", {"Pipeline": PIPELINE, "Outcome": outcome})
        for outcome in {*get_args(Outcome)} - {"DEPLOYED"}
    }, "this run had no reason to write them"
    assert written - drawn == {
        key(METRICS_NAMESPACE, name, {"Pipeline": PIPELINE})
        for name, metric in METRICS.items()
        if None in metric.dimensions and name != INACTIVE_RECOMMENDERS
    }, "they are only for alarms"


def test_a_recommender_that_somebody_stops_rings_within_an_hour():
    only_imports = replace(MOVIES.with_solutions(), domain="VIDEO_ON_DEMAND")
    with living(only_imports) as life:
        client = life.pipeline.client
        recommender = client.create_recommender(
            name="top-picks",
            datasetGroupArn=only_imports.arn,
            recipeArn="arn:aws:personalize:::recipe/aws-vod-top-picks",
        )
        life.pipeline.sleep(3600)
        life.live(timedelta(hours=1), step=timedelta(minutes=15))
        assert "recommender-inactive" not in life.first_rings()

        stopped_at = life.now
        client.stop_recommender(recommenderArn=recommender["recommenderArn"])
        life.live(timedelta(hours=1), step=timedelta(minutes=15))
        rang_at = life.first_rings()["recommender-inactive"]

    assert timedelta(minutes=15) < rang_at - stopped_at < timedelta(minutes=45)


# The rules themselves

THREE_HOURS = Alarm("three-hours", "M", "", "", evaluation_periods=3, period_seconds=3600)


@pytest.mark.parametrize(
    "points, missing, extra, is_bad",
    [
        # AWS's table of examples: X is bad, 0 is good, - is missing. The last is the newest.
        ("0-X-X", "breaching", 2, False),
        ("0----", "breaching", 2, False),
        ("-----", "breaching", 2, True),
        ("0XX-X", "notBreaching", 2, True),
        ("--XX-", "breaching", 2, True),
        ("--XX-", "notBreaching", 2, False),
        ("XXX--", "notBreaching", 2, True),
        ("XXX--", "notBreaching", 0, False),
        ("XX0", "breaching", 0, False),
    ],
)
def test_the_rules_of_missing_data(points, missing, extra, is_bad):
    metrics = Metrics()
    for hours, point in enumerate(reversed(points)):
        if point != "-":
            at = FIRST - timedelta(hours=hours, minutes=30)
            metrics.put(
                METRICS_NAMESPACE, "M", {"Pipeline": PIPELINE}, at, 1 if point == "X" else 0
            )
    inputs = build_alarm_inputs(THREE_HOURS, PIPELINE, {"Pipeline": PIPELINE}, 0)
    alarm = {**inputs, "treat_missing_data": missing}

    assert is_in_alarm(alarm, metrics, FIRST, extra=extra) == is_bad


def report(status, error=None):
    """Return Lambda's own record about an invocation."""
    named = {"errorType": error} if error else {}
    metrics = {"durationMs": 32973.2, "memorySizeMB": 128, "maxMemoryUsedMB": 128}
    record = {"requestId": "671dc475", "metrics": metrics, "status": status, **named}

    return {"time": "2026-11-29T03:00:00Z", "type": "platform.report", "record": record}


@pytest.mark.parametrize(
    "record, counts",
    [
        ({"errorType": "AccessDeniedException"}, True),
        ({"errorType": "Runtime.ImportModuleError"}, True),
        ({"errorType": "Throttled"}, False),
        ({"errorType": "RunRefused"}, False),
        ({"level": "ERROR", "message": "a campaign cannot be measured"}, False),
        (report("timeout"), True),
        (report("error", "Runtime.OutOfMemory"), True),
        (report("failure", "Runtime.ExitError"), True),
        (report("error", "Runtime.Unknown"), False),
        (report("error"), False),
    ],
)
def test_the_records_that_count_as_errors_of_a_function(record, counts):
    assert matches(FUNCTION_ERRORS_PATTERN, record) == counts


@pytest.mark.parametrize("error", KILLED_ERRORS)
def test_the_dashboard_lists_a_function_that_was_killed(error):
    assert f'"{error}"' in LOG_QUERIES["Recent errors"].partition("record.errorType in ")[2]
