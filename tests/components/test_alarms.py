"""Proves that the table of alarms is complete and fits into the limits of CloudWatch.

`golden/complete.txt` has the alarms. The rules by which CloudWatch evaluates them are in
`tests/workflow/test_alarms.py`.
"""

import inspect

from components.alarms import ALARMS, EXPECTED_ERRORS
from functions import errors
from tests.components.sample import NAME

MAX_DESCRIPTION = 1024
"""The most characters of an alarm's description:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""


def test_a_description_says_what_happened_and_what_to_do(deployed):
    alarms = deployed.all_of("aws:cloudwatch/metricAlarm:MetricAlarm")
    assert alarms.keys() == {f"{NAME}-{alarm.name}" for alarm in ALARMS}
    for alarm in ALARMS:
        text = alarms[f"{NAME}-{alarm.name}"].inputs["alarmDescription"]
        assert text == (
            f'{alarm.meaning} {alarm.what_to_do} See "Alarms" in docs/operations.md.'
        ), alarm.name
        assert len(text) <= MAX_DESCRIPTION


def test_every_alarm_is_created_after_the_policy_that_lets_it_publish(deployed):
    policy = deployed.one("aws:sns/topicPolicy:TopicPolicy", NAME).urn
    alarms = deployed.all_of("aws:cloudwatch/metricAlarm:MetricAlarm").values()
    assert [alarm.name for alarm in alarms if policy not in alarm.dependencies] == []


def test_the_errors_that_are_retried_or_reported_do_not_count():
    classes = inspect.getmembers(errors, inspect.isclass)
    own = {name for name, cls in classes if cls.__module__ == errors.__name__}
    assert set(EXPECTED_ERRORS) == own - {"Refused"}, "`Refused` never leaves its function"
