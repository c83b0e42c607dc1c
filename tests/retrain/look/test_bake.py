"""Proves that `watch`, `plan` and `doctor` show a bake: how long it lasts, and what is missing."""

from components.args import BakeArgs
from retrain.look.run_events import read_run
from retrain.look.runs import parse_execution
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


def test_the_hours_of_a_bake_that_are_left_are_shown():
    with account(BAKED) as prod:
        pipeline = prod.pipeline
        before = prod.retrain("plan -s prod").out
        pipeline.alarms.change("orders", "OK")
        started = pipeline.start(skipImport=True)
        while len(pipeline.alarms.requests) < 4:
            pipeline.sleep(60)
        pipeline.sleep(HOUR)
        client = prod.client("stepfunctions")
        execution = parse_execution(client.describe_execution(executionArn=started.arn))
        view = read_run(client, execution)
        baking, reason = [*view.lines()][3:5]

    assert "; then a probe decides; alarms decide for 2 h" in before
    assert ", without a probe; alarms decide for 0.5 h" in before
    assert (baking.text, baking.time) == ("baking", "1 h 16 min, until ~06:47")
    assert 0.5 < baking.share < 0.6
    assert reason.text == "the bake ends at 2026-11-29 06:47 UTC"


def test_an_alarm_that_is_missing_or_rings_already_is_a_finding_with_a_remedy():
    bake = BakeArgs(hours=2, alarms=[alarm_arn("orders"), alarm_arn("carts")], create_alarms=True)
    with account(MOVIES.with_solutions(solution(campaigns=[campaign(bake=bake)]))) as prod:
        prod.services = a.services(prod.pipeline.bucket)
        alarms = prod.pipeline.alarms
        alarms.change("orders", "ALARM")
        prod.services["cloudwatch"] = a.Client(
            alarms,
            describe_alarms=lambda AlarmNames=(), AlarmTypes=(), **_: alarms.describe_alarms(  # noqa: N803
                AlarmNames=AlarmNames, AlarmTypes=AlarmTypes
            ),
        )
        checks = prod.retrain("doctor -s prod --json").document["checks"]
    missing, ringing = (row for row in checks if row["check"] == "bakes" and row["level"] != "ok")

    assert ringing["text"] == (
        "the alarm orders is in ALARM, so it cannot go off during a bake; solve its problem before "
        "the next run, or change the alarm"
    )
    assert (missing["level"], ringing["level"]) == ("missing", "warn")
    assert missing["text"] == (
        "the alarm carts does not exist, so it moves nothing back; create the alarm, or take its "
        "ARN out of bake.alarms in the stack's file"
    )
