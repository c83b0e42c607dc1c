"""Proves that the table of alarms is complete and fits into the limits of CloudWatch.

`golden/complete.txt` has the alarms. The rules by which CloudWatch evaluates them are in
`tests/workflow/test_alarms.py`.
"""

import inspect
from typing import get_args

import pytest

from components.alarms import ALARMS, EXPECTED_ERRORS
from functions import errors
from functions.contract import Outcome
from tests.components.sample import NAME

MAX_DESCRIPTION, MAX_RULE = 1024, 10_240
"""The most characters of an alarm's description and of a composite alarm's rule:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html"""


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_a_description_says_what_happened_and_what_to_do(deployed, alarm):
    inputs = deployed.one("aws:cloudwatch/metricAlarm:MetricAlarm", f"{NAME}-{alarm.name}").inputs
    text = inputs["alarmDescription"]
    assert text == f'{alarm.text} See "Alarms" in docs/operations.md.'
    assert len(text) <= MAX_DESCRIPTION


def test_every_alarm_is_created_after_the_policy_that_lets_it_publish(deployed):
    policy = deployed.one("aws:sns/topicPolicy:TopicPolicy", NAME).urn
    alarms = deployed.all_of("aws:cloudwatch/metricAlarm:MetricAlarm").values()
    assert [alarm.name for alarm in alarms if policy not in alarm.dependencies] == []


def test_the_composite_alarm_rings_with_each_alarm_except_the_notices(deployed):
    name = f"{NAME}-unhealthy"
    rule = deployed.one("aws:cloudwatch/compositeAlarm:CompositeAlarm", name).inputs["alarmRule"]
    unhealthy = [alarm.name for alarm in ALARMS if not alarm.is_notice]
    assert rule == " OR ".join(f'ALARM("{NAME}-{name}-1234567")' for name in unhealthy)
    assert len(rule) <= MAX_RULE


def test_the_errors_that_are_retried_or_reported_do_not_count():
    classes = inspect.getmembers(errors, inspect.isclass)
    own = {name for name, cls in classes if cls.__module__ == errors.__name__}
    assert set(EXPECTED_ERRORS) == own - {"Refused"}, "`Refused` never leaves its function"


def test_each_outcome_with_an_alarm_exists():
    outcomes = {alarm.outcome for alarm in ALARMS if alarm.outcome}
    assert outcomes < set(get_args(Outcome))
