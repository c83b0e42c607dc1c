"""Proves that the table of alarms is complete and fits into the limits of CloudWatch.

`golden/complete.txt` has the alarms. The rules by which CloudWatch evaluates them are in
`tests/workflow/test_alarms.py`.
"""

import inspect

from components import BakeArgs
from components.alarms import ALARMS, BAKE_ALARMS, EXPECTED_EXCEPTIONS, list_alarms
from functions.bake_alarms import list_alarm_names
from functions.common import errors
from functions.constants import GUIDE_PAGES, INACTIVE_RECOMMENDERS
from tests.components.sample import NAME
from tests.world import MOVIES, PERSONALIZE, PIPELINE, PREFIX, campaign, solution

MAX_DESCRIPTION = 1024
"""The most characters of an alarm's description:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""


def test_a_description_says_what_happened_and_what_to_do(deployed):
    alarms = deployed.all_of("aws:cloudwatch/metricAlarm:MetricAlarm")
    named = {
        f"{NAME}-{alarm.name}": alarm for alarm in ALARMS if alarm.metric != INACTIVE_RECOMMENDERS
    }
    named |= {f"{NAME}-bake-for-you-{alarm.name}": alarm for alarm in BAKE_ALARMS}
    assert alarms.keys() == named.keys()

    for name, alarm in named.items():
        text = alarms[name].inputs["alarmDescription"]
        words = f"{alarm.meaning} {alarm.what_to_do} Guide: {GUIDE_PAGES}/emergencies.md#alarms"
        assert text == (
            f"{PERSONALIZE}:campaign/for-you: {words}" if alarm in BAKE_ALARMS else words
        ), alarm.name
        assert len(text) <= MAX_DESCRIPTION


def test_every_alarm_is_created_after_the_policy_that_lets_it_publish(deployed):
    policy = deployed.one("aws:sns/topicPolicy:TopicPolicy", NAME).urn
    alarms = deployed.all_of("aws:cloudwatch/metricAlarm:MetricAlarm").values()
    assert [alarm.name for alarm in alarms if policy not in alarm.dependencies] == []


def test_the_errors_that_are_retried_or_reported_do_not_count():
    classes = inspect.getmembers(errors, inspect.isclass)
    own = {name for name, cls in classes if cls.__module__ == errors.__name__}
    assert set(EXPECTED_EXCEPTIONS) == own - {"RequestRefused"}, (
        "`RequestRefused` never leaves its function"
    )


def test_the_alarms_of_a_bake_have_the_names_by_which_a_run_reads_them():
    """The golden file shows that a name is made of the pipeline, the alarm and the prefix."""
    bakes = [None, BakeArgs(hours=1)] + [BakeArgs(hours=1, create_alarms=True)] * 2
    campaigns = [
        campaign(f"home{number}", bake=bake, user_id="u1", input_list=["i1"])
        for number, bake in enumerate(bakes)
    ]
    settings = MOVIES.with_solutions(solution(campaigns=campaigns)).settings()
    created = [alarm for alarm in list_alarms(settings) if alarm.campaign_arn]
    configured = settings["solutions"][0]["campaigns"]
    names = [name for item in configured for name in list_alarm_names(settings, item)]
    assert [f"{PIPELINE}-{alarm.name}-{PREFIX}" for alarm in created] == names

    metrics = ["4xxErrors", "5xxErrors", "Latency"] * 2
    assert [alarm.metric.removeprefix("GetPersonalizedRanking") for alarm in created] == metrics
