"""Proves which alarms a pipeline has, when each of them rings, and whom it tells.

The rules by which CloudWatch evaluates an alarm are in `tests/workflow/test_alarms.py`.
"""

import inspect
from typing import get_args

import pytest

from components.alarms import ALARMS, EXPECTED_ERRORS, FUNCTION_ERRORS_PATTERN, description
from components.args import LimitsArgs
from functions import errors
from functions.contract import Outcome
from tests.components.conftest import deploy
from tests.components.documents import (
    COMPOSITE_ALARM,
    INVOCATION,
    LOG_METRIC_FILTER,
    MACHINE,
    METRIC_ALARM,
    TAGS,
    TOPIC,
)
from tests.components.sample import NAME, minimal

MAX_DESCRIPTION, MAX_RULE = 1024, 10_240
"""The most characters of an alarm's description and of a composite alarm's rule:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html"""
MAX_AGE_HOURS = 277.44
"""A week and an hour (the end of daylight saving) times 1.5, and the 24 hours of a training."""


def inputs_of(engine, name):
    """Return the inputs of an alarm without its description."""
    inputs = dict(engine.one(METRIC_ALARM, f"{NAME}-{name}").inputs)
    assert inputs.pop("alarmDescription") == description(row(name))
    return inputs


def row(name):
    """Return the row of an alarm."""
    (alarm,) = [alarm for alarm in ALARMS if alarm.name == name]
    return alarm


def test_a_failed_execution_rings_within_five_minutes_and_missing_data_are_good(deployed):
    assert inputs_of(deployed, "run-failed") == {
        "namespace": "AWS/States",
        "metricName": "ExecutionsFailed",
        "dimensions": {"StateMachineArn": MACHINE},
        "statistic": "Sum",
        "period": 300,
        "evaluationPeriods": 1,
        "threshold": 1,
        "comparisonOperator": "GreaterThanOrEqualToThreshold",
        "treatMissingData": "notBreaching",
        "alarmActions": [TOPIC],
        "tags": TAGS,
    }


@pytest.mark.parametrize(
    ("name", "metric"), [("model-too-old", "ModelAgeHours"), ("data-too-old", "DataAgeHours")]
)
def test_three_hours_that_are_too_old_or_not_measured_ring(deployed, name, metric):
    assert inputs_of(deployed, name) == {
        "metricQueries": [
            {
                "id": "age",
                "expression": "FILL(measured, 100000)",
                "label": "hours, 100000 without a measurement",
                "returnData": True,
            },
            {
                "id": "measured",
                "metric": {
                    "namespace": "PersonalizeRetraining",
                    "metricName": metric,
                    "dimensions": {"Pipeline": NAME},
                    "period": 3600,
                    "stat": "Maximum",
                },
            },
        ],
        "evaluationPeriods": 3,
        "threshold": MAX_AGE_HOURS,
        "comparisonOperator": "GreaterThanOrEqualToThreshold",
        "treatMissingData": "breaching",
        "warmUpConfiguration": {
            "warmUpPeriodDurationInMinutes": 90,
            "onlyStartEvaluatingAfterWarmUpPeriodEnds": True,
        },
        "alarmActions": [TOPIC],
        "okActions": [TOPIC],
        "tags": TAGS,
    }


def test_the_ages_are_measured_once_before_their_alarms_exist(deployed):
    measurement = deployed.one(INVOCATION, f"{NAME}-measure-model-age").urn
    alarms = deployed.all_of(METRIC_ALARM).values()
    assert [alarm.name for alarm in alarms if measurement in alarm.dependencies] == [
        f"{NAME}-model-too-old",
        f"{NAME}-data-too-old",
    ]


def test_the_age_that_rings_can_be_set():
    limits = LimitsArgs(max_model_age_days=2.5)
    engine = deploy(lambda: minimal(limits=limits))
    assert inputs_of(engine, "model-too-old")["threshold"] == 60


def test_an_event_in_the_dead_letter_queue_rings(deployed):
    inputs = inputs_of(deployed, "start-failed")
    assert (inputs["namespace"], inputs["dimensions"]) == (
        "AWS/SQS",
        {"QueueName": f"{NAME}-dead-letters-1234567"},
    )


def test_only_alarms_about_a_state_tell_that_it_is_over(deployed):
    alarms = deployed.all_of(METRIC_ALARM).values()
    assert all(alarm.inputs["alarmActions"] == [TOPIC] for alarm in alarms)
    prefix = f"{NAME}-"
    assert {alarm.name.removeprefix(prefix) for alarm in alarms if "okActions" in alarm.inputs} == {
        "start-failed",
        "model-too-old",
        "data-too-old",
        "trial-unfinished",
    }


def test_a_filter_counts_the_errors_of_the_functions_of_this_pipeline(deployed):
    filters = deployed.all_of(LOG_METRIC_FILTER)
    assert {name: log_filter.inputs["pattern"] for name, log_filter in filters.items()} == {
        f"{NAME}-function-error": FUNCTION_ERRORS_PATTERN,
    }
    for name, log_filter in filters.items():
        inputs = inputs_of(deployed, name.removeprefix(f"{NAME}-"))
        assert log_filter.inputs["logGroupName"] == f"{NAME}-functions-1234567"
        assert log_filter.inputs["metricTransformation"] == {
            "name": inputs["metricName"],
            "namespace": inputs["namespace"],
            "value": "1",
        }
        assert inputs["namespace"] == f"PersonalizeRetraining/{NAME}"
        assert "dimensions" not in inputs, "a refresh would find a change"


def test_the_errors_that_are_retried_or_reported_do_not_count():
    classes = inspect.getmembers(errors, inspect.isclass)
    own = {name for name, cls in classes if cls.__module__ == errors.__name__}
    assert set(EXPECTED_ERRORS) == own


def test_the_composite_alarm_rings_with_each_alarm_except_the_notices(deployed):
    inputs = dict(deployed.one(COMPOSITE_ALARM, f"{NAME}-unhealthy").inputs)
    rule = inputs.pop("alarmRule")
    unhealthy = [alarm.name for alarm in ALARMS if alarm.severity == "unhealthy"]
    assert rule == " OR ".join(f'ALARM("{NAME}-{name}-1234567")' for name in unhealthy)
    assert len(rule) <= MAX_RULE
    inputs.pop("alarmDescription")
    assert inputs == {"alarmName": f"{NAME}-1234567-unhealthy", "tags": TAGS}, "it has no actions"
    notices = {alarm.name for alarm in ALARMS if alarm.severity == "notice"}
    assert notices == {"version-rejected", "version-rolled-back"}


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_a_description_says_what_happened_and_what_to_do(alarm):
    text = description(alarm)
    assert len(text) <= MAX_DESCRIPTION
    assert alarm.meaning.endswith(".")
    assert alarm.advice.endswith(".")


def test_each_outcome_with_an_alarm_exists():
    outcomes = {alarm.outcome for alarm in ALARMS if alarm.outcome}
    assert outcomes < set(get_args(Outcome))
