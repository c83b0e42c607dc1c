"""Proves that `watch`, `plan` and `doctor` show a bake: how long it lasts, and what is missing."""

from components.args import BakeArgs
from retrain.look.run_view import read_run
from tests.retrain.check import answers as a
from tests.retrain.in_process import account
from tests.world import HOUR, MOVIES, alarm_arn, campaign, solution

BAKED = MOVIES.with_solutions(
    solution(
        campaigns=[
            campaign(bake=BakeArgs(hours=2, alarms=[alarm_arn("orders")]), user_id="u1"),
            campaign("mail", bake=BakeArgs(hours=0.5, alarms=[alarm_arn("orders")])),
        ]
    )
)


def test_the_hours_of_a_bake_that_are_left_are_shown_and_the_next_run_would_wait_for_it():
    with account(BAKED) as prod:
        pipeline = prod.pipeline
        before = prod.retrain("plan -s prod").out
        pipeline.alarms.change("orders", "OK")
        started = pipeline.start(skipImport=True)
        while len(pipeline.alarms.requests) < 4:
            pipeline.sleep(60)
        pipeline.sleep(HOUR)
        view = read_run(prod.client("stepfunctions"), started.arn)
        (line,) = (line for line in view.lines() if line.label == "update home")
        during = prod.retrain("plan -s prod").out
    assert (
        "if this passes the quality gate (NDCG@10); then a probe and alarms for 2 hours" in before
    )
    assert "; then alarms for 0.5 hours decide" in before
    assert (line.text, line.time) == ("baking", "1 h 16 min, bake until 06:47, 1 h left")
    assert 0.5 < line.share < 0.6
    assert " is on trial, baked until 2026-11-29 " in during


def test_an_alarm_that_is_missing_is_a_finding_with_a_remedy():
    bake = BakeArgs(hours=2, alarms=[alarm_arn("orders"), alarm_arn("carts")], create_alarms=True)
    with account(MOVIES.with_solutions(solution(campaigns=[campaign(bake=bake)]))) as prod:
        pipeline = prod.pipeline
        created = [
            f"retraining-bake-{pipeline.prefix}-0-{end}" for end in ("4xx", "5xx", "latency")
        ]
        for name in ("orders", *created[1:]):
            pipeline.alarms.change(name, "OK")
        prod.services = a.services(pipeline.bucket)
        prod.services["cloudwatch"] = a.Client(
            describe_alarms=lambda AlarmTypes=("MetricAlarm",), AlarmNames=(), **_: (  # noqa: N803
                pipeline.alarms.describe_alarms(AlarmNames=AlarmNames, AlarmTypes=AlarmTypes)
            )
        )
        checks = prod.retrain("doctor -s prod --json").document["checks"]
    found = [row for row in checks if row["check"] == "bakes"]
    missing = {row["text"]: row["fix"] for row in found if row["level"] == "missing"}
    nothing_back = "does not exist, so it moves nothing back"
    assert len(found) == 5
    assert missing == {
        f"the alarm carts {nothing_back}": (
            "create the alarm, or take its ARN out of bake.alarms in the stack's file"
        ),
        f"the alarm {created[0]} {nothing_back}": "pulumi up --refresh --stack prod",
    }
