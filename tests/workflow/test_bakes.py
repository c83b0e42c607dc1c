"""Whole runs bake a version: alarms decide for hours whether a campaign keeps it.

tests/model shows the rules. These runs show that the state machine and its function keep them.
"""

from datetime import datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from components.args import BakeArgs
from functions.personalize.tags import BAKE_TAG, read_tags
from functions.rules.campaigns import DeploymentRecord
from functions.run.deployment_spec import build_deployment_spec
from tests.workflow.pipeline import deploy
from tests.workflow.summaries import DEPLOYED, outcomes, warnings_of
from tests.world import HOUR, MOVIES, alarm_arn, campaign, campaign_arn, solution

ORDERS = "shop/orders: too low"
BAKED = BakeArgs(hours=2, alarms=[alarm_arn(ORDERS)])
GROUP = MOVIES.with_solutions(solution(campaigns=[campaign(bake=BAKED)]))
PROBED = MOVIES.with_solutions(solution(campaigns=[campaign(bake=BAKED, user_id="u1")]))
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeAlarms")


def start_bake(pipeline):
    """Start a run, and return its execution when its bake has begun."""
    started = pipeline.start(skipImport=True)
    while read_tags(pipeline.client, campaign_arn()).get(BAKE_TAG, "-") == "-":
        pipeline.sleep(60)

    return started


def warnings(execution):
    """Return what the report says about alarms."""
    return [warning for warning in warnings_of(execution) if "alarm" in warning]


def test_a_version_is_good_once_its_bake_has_ended():
    with deploy(PROBED) as pipeline:
        pipeline.alarms.change(ORDERS, "OK")
        started = start_bake(pipeline)
        old, new = pipeline.versions()
        until = datetime.fromisoformat(read_tags(pipeline.client, campaign_arn())[BAKE_TAG])
        began_at = pipeline.describe_campaign()["latestCampaignUpdate"]["lastUpdatedDateTime"]
        assert until - began_at < timedelta(hours=2, minutes=1)
        pipeline.sleep(1.9 * HOUR)
        assert (pipeline.served_version(), pipeline.record().good_version_arn) == (new, old)
        execution = started.wait()
        assert pipeline.record() == DeploymentRecord(
            good_version_arn=new, previous_good_version_arn=old
        )
        assert pipeline.clock.now() - until < timedelta(minutes=1)
        assert pipeline.alarms.requests[0] == [ORDERS]
        assert len(pipeline.alarms.requests) < 80, "nobody asks while an update is running"
        looks = str(execution.events).count("'name': 'Wait for the bake'") / 2

        assert looks == pytest.approx(24, abs=3), "the alarms are read every five minutes"

    assert outcomes(execution) == DEPLOYED
    assert warnings(execution) == []


@pytest.mark.parametrize(
    "state, failure, warning",
    [
        (None, None, "does not exist"),
        ("INSUFFICIENT_DATA", None, "INSUFFICIENT_DATA"),
        ("ALARM", DENIED, str(DENIED)),
    ],
)
def test_an_alarm_whose_state_is_not_known_is_said_and_moves_nothing_back(state, failure, warning):
    with deploy(GROUP) as pipeline:
        started = start_bake(pipeline)
        if state:
            pipeline.alarms.change(ORDERS, state)
        pipeline.alarms.failure = failure
        execution = started.wait()

    assert outcomes(execution) == DEPLOYED
    (found,) = warnings(execution)
    assert found.startswith(f"{campaign_arn()}: after the bake, the alarm {ORDERS}: {warning}")


@pytest.mark.parametrize(
    "campaigns, hours, minutes",
    [(1, 12, 5), (50, 1, 5), (10, 12, 12), (50, 12, 60)],
)
def test_the_looks_at_the_alarms_of_all_bakes_fit_into_the_history(campaigns, hours, minutes):
    """Of an hour's looks, `BAKE_EVENTS` in `test_sizes.py` has room for those of 50 campaigns."""
    bake = BakeArgs(hours=hours, alarms=BAKED.alarms)
    baked = [campaign(f"c{number}", bake=bake) for number in range(campaigns)]
    settings = MOVIES.with_solutions(solution(campaigns=[*baked, campaign()])).settings()
    spec = build_deployment_spec(
        settings,
        settings["solutions"][0],
        campaign_arn("c0"),
        None,
        is_candidate_from_earlier_run=False,
    )

    assert spec.max_bake_pause_seconds == minutes * 60
