"""Proves that a test of an alarm says who gets its messages, and leaves no trace."""

import json
from types import SimpleNamespace

import pytest

from tests.retrain.in_process import CALLER, account
from tests.world import PIPELINE, TOPIC

NAME = f"{PIPELINE}-run-failed-1a2b3c4"
TEST = f"A test of retrain test-alarm by {CALLER}. No run failed."
REASON = "Threshold Crossed: 1 datapoint [1.0] was greater than the threshold (0.0)."


class CloudWatch:
    """An alarm and its history. A test on the emulator shows that AWS accepts these requests."""

    def __init__(self, state="OK", reason="fine", action="Succeeded"):
        self.alarm = {"AlarmName": NAME, "StateValue": state, "StateReason": reason}
        self.actions = iter([[], [{"HistoryData": json.dumps({"actionState": action})}]])
        self.states = []

    def describe_alarms(self, **_):
        """Return the alarm, if there is one."""
        return {"MetricAlarms": [self.alarm] if self.alarm else []}

    def set_alarm_state(self, **request):
        """Record the new state."""
        assert request["AlarmName"] == NAME
        self.states.append((request["StateValue"], request["StateReason"]))

    def describe_alarm_history(self, **_):
        """Return the actions of the alarm, which come late."""
        return {"AlarmHistoryItems": next(self.actions, [])}


def outcome_of(cloudwatch, subscription="arn:a", options="", **attributes):
    """Run the command in an account with this alarm, and with one subscription to the topic."""
    rows = [{"Endpoint": "a@x.org", "SubscriptionArn": subscription, "Protocol": "email"}]
    pages = SimpleNamespace(paginate=lambda **_: [{"Subscriptions": rows}])

    with account() as prod:
        prod.services["cloudwatch"] = cloudwatch
        prod.services["sns"] = SimpleNamespace(
            get_paginator=lambda _: pages,
            get_subscription_attributes=lambda SubscriptionArn: {  # noqa: N803  # as in boto3
                "Attributes": {"SubscriptionArn": SubscriptionArn, **attributes}
            },
        )
        return prod.retrain(f"test-alarm {options}")


@pytest.mark.parametrize(
    "former",
    [("OK", "fine"), ("INSUFFICIENT_DATA", "new"), ("ALARM", REASON)],
    ids=["ok", "new", "real alarm"],
)
def test_the_alarm_gets_its_former_state_back(former):
    cloudwatch = CloudWatch(*former)
    result = outcome_of(cloudwatch)

    assert (result.code, result.out) == (0, f"{TOPIC} notifies a@x.org\n")
    assert result.err.splitlines() == [
        f"{NAME} is in ALARM for this test",
        f"{NAME} is set back to {former[0]}",
    ]
    assert cloudwatch.states == [("OK", TEST), ("ALARM", TEST), former]


@pytest.mark.parametrize(
    "action, error",
    [
        ("Failed", f"{NAME} could not notify {TOPIC}: no reason; check that the topic exists, "),
        ("Waiting", f"the history of {NAME} shows no action after 60 seconds; look at it with "),
    ],
)
def test_the_alarm_gets_its_former_state_back_even_if_it_cannot_notify(action, error):
    cloudwatch = CloudWatch(action=action)
    result = outcome_of(cloudwatch)
    assert (result.code, cloudwatch.states[-1]) == (1, ("OK", "fine"))
    assert result.err.splitlines()[-1].startswith(error)


def test_a_filter_policy_that_may_drop_the_alarm_is_named():
    result = outcome_of(CloudWatch(), FilterPolicy='{"outcome": ["FAILED"]}')
    assert result.err.splitlines()[-1] == (
        "an alarm has no message attributes, and gets only through a filter policy that accepts "
        "this: a@x.org"
    )


def test_without_a_confirmed_subscription_nobody_gets_messages():
    result = outcome_of(CloudWatch(), "PendingConfirmation", "--json")
    facts = {"alarm": NAME, "topicArn": TOPIC, "confirmed": [], "filtered": []}
    facts["pending"] = ["a@x.org"]
    assert (result.code, result.document) == (1, facts)
    assert "\nnot confirmed yet, by the link in a mail of AWS: a@x.org\n" in result.err
    assert result.err.endswith("; add an address with notifications.emails\n")


def test_an_alarm_that_somebody_has_deleted_is_created_again_by_a_refresh():
    cloudwatch = CloudWatch()
    cloudwatch.alarm = None
    result = outcome_of(cloudwatch, options="--stack prod")
    assert result.code == 2
    assert result.err.endswith("create it again with `pulumi up --stack prod --refresh`\n")
