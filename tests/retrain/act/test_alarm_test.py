"""Proves that a test of an alarm says who gets its messages, and leaves no trace."""

import json
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import ANY, Stubber

from tests.retrain.in_process import CALLER, account
from tests.world import PIPELINE, REGION, TOPIC

NAME = f"{PIPELINE}-run-failed-1a2b3c4"
TEST_REASON = f"A test of retrain test-alarm by {CALLER}. No run failed."
REASON = "Threshold Crossed: 1 datapoint [1.0] was greater than the threshold (0.0)."
CONFIRMED = [{"Endpoint": "a@x.org", "SubscriptionArn": "arn:a"}]
PENDING = [{"Endpoint": "b@x.org", "SubscriptionArn": "PendingConfirmation"}]


@pytest.fixture
def prod():
    """Return the account with stubs of CloudWatch and SNS. Every request must be made."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    names = ("cloudwatch", "sns")
    clients = {name: boto3.client(name, region_name=REGION, **keys) for name in names}
    stubs = {name: Stubber(client) for name, client in clients.items()}
    with account() as deployed, stubs["cloudwatch"], stubs["sns"]:
        deployed.services.update(clients)
        yield SimpleNamespace(retrain=deployed.retrain, **stubs)
    for stub in stubs.values():
        stub.assert_no_pending_responses()


def expect_test(prod, former, restored, action="Succeeded"):
    """Let CloudWatch take part in a test. States are pairs of a value and a reason."""
    state, reason = former
    alarm = {"AlarmName": NAME, "StateValue": state, "StateReason": reason}
    prefix = {"AlarmNamePrefix": f"{PIPELINE}-run-failed-"}
    prod.cloudwatch.add_response("describe_alarms", {"MetricAlarms": [alarm]}, prefix)
    for value, text in (("OK", TEST_REASON), ("ALARM", TEST_REASON)):
        expect_state(prod, value, text)
    for done in [None, action]:
        item = [{"HistoryData": json.dumps({"actionState": done})}] if done else []
        request = {"AlarmName": NAME, "HistoryItemType": "Action", "StartDate": ANY, "EndDate": ANY}
        prod.cloudwatch.add_response("describe_alarm_history", {"AlarmHistoryItems": item}, request)
    expect_state(prod, *restored)


def expect_state(prod, value, reason):
    request = {"AlarmName": NAME, "StateValue": value, "StateReason": reason}
    prod.cloudwatch.add_response("set_alarm_state", {}, request)


def subscribe(prod, rows):
    response = {"Subscriptions": rows}
    prod.sns.add_response("list_subscriptions_by_topic", response, {"TopicArn": TOPIC})


@pytest.mark.parametrize(
    ("former", "restored"),
    [
        (("OK", "fine"), ("OK", "fine")),
        (("INSUFFICIENT_DATA", "new"), ("INSUFFICIENT_DATA", "new")),
        (("ALARM", REASON), ("ALARM", REASON)),
        (("ALARM", TEST_REASON), ("OK", TEST_REASON)),
    ],
    ids=["ok", "new", "real alarm", "interrupted test"],
)
def test_the_alarm_gets_its_former_state_back(prod, former, restored):
    expect_test(prod, former, restored)
    subscribe(prod, CONFIRMED)
    result = prod.retrain("test-alarm")
    assert (result.code, result.out) == (0, f"{TOPIC} notifies a@x.org\n")
    assert result.err.splitlines() == [
        f"{NAME} is in ALARM for this test",
        f"{NAME} is set back to {restored[0]}",
    ]


def test_the_alarm_gets_its_former_state_back_even_if_it_cannot_notify(prod):
    expect_test(prod, ("OK", "fine"), ("OK", "fine"), action="Failed")
    result = prod.retrain("test-alarm")
    assert result.code == 1
    assert result.err.splitlines()[-1] == (
        f"{NAME} could not notify {TOPIC}: no reason; check that the topic exists, its policy, and "
        "the policy of its KMS key"
    )


def test_without_a_confirmed_subscription_nobody_gets_messages(prod):
    expect_test(prod, ("OK", "fine"), ("OK", "fine"))
    subscribe(prod, PENDING)
    result = prod.retrain("test-alarm --json")
    assert result.document == {
        "alarm": NAME,
        "topicArn": TOPIC,
        "confirmed": [],
        "pending": ["b@x.org"],
    }
    assert result.code == 1
    assert result.err.splitlines()[-2:] == [
        "not confirmed yet, by the link in a mail of AWS: b@x.org",
        (
            f"the alarm has notified {TOPIC}, but nobody has subscribed and confirmed; add an "
            "address with notifications.emails"
        ),
    ]


def test_an_alarm_that_somebody_has_deleted_is_created_again_by_a_refresh(prod):
    prod.cloudwatch.add_response("describe_alarms", {"MetricAlarms": []}, {"AlarmNamePrefix": ANY})
    result = prod.retrain("test-alarm --stack prod")
    assert (result.code, result.err) == (
        2,
        (
            f"there is no alarm whose name begins with {PIPELINE}-run-failed-; create it again "
            "with `pulumi up --stack prod --refresh`\n"
        ),
    )
