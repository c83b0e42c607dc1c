"""Proves what is said about alarms and messages, and that a test of an alarm leaves no trace."""

from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber

from retrain.check.alarms import (
    ALARM_FIX,
    NOTIFICATIONS_FIX,
    TEST_FIX,
    check_alarms,
    check_notifications,
)
from tests.program.sample_stack import REGION

TOPIC = "arn:aws:sns:eu-west-1:123456789012:reports"
NAME = "retraining-prod-run-failed-1a2b3c4"
CALLER = "arn:aws:iam::123456789012:user/ops"
TEST_REASON = f"A test of retrain test-alarm by {CALLER}. No run failed."
REASON = "Threshold Crossed: 1 datapoint [1.0] was greater than the threshold (0.0)."
SETTINGS = {
    "tags": {"retraining-pipeline": "retraining-prod"},
    "notifications": {"topicArn": TOPIC, "on": "always", "dashboardUrl": None},
}


@pytest.fixture
def stubs():
    """Return the stubs of CloudWatch and SNS by name. Every request must be made."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    clients = {
        name: boto3.client(name, region_name=REGION, **keys) for name in ("cloudwatch", "sns")
    }
    stubbers = {name: Stubber(client) for name, client in clients.items()}
    for stubber in stubbers.values():
        stubber.activate()
    yield SimpleNamespace(**stubbers, clients=clients)
    for stubber in stubbers.values():
        stubber.assert_no_pending_responses()


@pytest.fixture
def account(stubs):
    """Return the account of a deployed pipeline."""
    session = SimpleNamespace(client=lambda name, **_: stubs.clients[name])
    access = SimpleNamespace(session=session, client_options={}, caller=lambda: CALLER)
    target = SimpleNamespace(
        settings=SETTINGS, access=access, name="retraining-prod", deploy_command="pulumi up"
    )
    return SimpleNamespace(
        access=access, pipeline=SimpleNamespace(target=target, args=None), target=target
    )


def add_alarm(stubs, state, reason, **request):
    """Let CloudWatch return an alarm in this state."""
    alarm = {"AlarmName": NAME, "StateValue": state, "StateReason": reason}
    stubs.cloudwatch.add_response("describe_alarms", {"MetricAlarms": [alarm]}, request)


@pytest.mark.parametrize(
    ("state", "reason", "expected"),
    [
        ("OK", REASON, ("ok", "1 alarm, none in ALARM", None)),
        ("ALARM", REASON, ("warn", f"{NAME} is in ALARM: {REASON}", ALARM_FIX)),
        (
            "ALARM",
            TEST_REASON,
            ("warn", f"{NAME} is in ALARM because of a test: {TEST_REASON}", TEST_FIX),
        ),
    ],
)
def test_an_alarm_is_a_warning_because_it_stops_no_run(account, stubs, state, reason, expected):
    add_alarm(stubs, state, reason, AlarmNamePrefix="retraining-prod-")
    assert [*check_alarms(account)] == [expected]


def add_subscriptions(stubs, *rows):
    """Let SNS return the subscriptions, which are pairs of an address and an ARN."""
    subscriptions = [{"Endpoint": address, "SubscriptionArn": arn} for address, arn in rows]
    stubs.sns.add_response(
        "list_subscriptions_by_topic", {"Subscriptions": subscriptions}, {"TopicArn": TOPIC}
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [("b@x.org", "arn:b"), ("a@x.org", "arn:a")],
            ("ok", f"{TOPIC} notifies a@x.org, b@x.org"),
        ),
        (
            [("a@x.org", "PendingConfirmation")],
            (
                *("warn", f"nobody has confirmed the messages of {TOPIC}"),
                "open the link in the mail of AWS to a@x.org",
            ),
        ),
        (
            [],
            (
                "warn",
                f"nobody subscribes to {TOPIC}, so no report and no alarm reaches anybody",
                NOTIFICATIONS_FIX,
            ),
        ),
    ],
    ids=["confirmed", "pending", "nobody"],
)
def test_a_topic_without_confirmed_subscribers_is_a_warning(account, stubs, rows, expected):
    add_subscriptions(stubs, *rows)
    (finding,) = check_notifications(account)
    assert tuple(filter(None, finding)) == expected


@pytest.mark.parametrize(
    ("emails", "level", "text"),
    [
        (["a@x.org"], "ok", "reports and alarms will go to a@x.org"),
        ([], "warn", "no address and no topic is set, so no report and no alarm reaches anybody"),
    ],
)
def test_before_the_deployment_the_addresses_of_the_file_count(account, emails, level, text):
    notifications = SimpleNamespace(emails=emails, topic_arn=None)
    account.pipeline.target = None
    account.pipeline.args = SimpleNamespace(notifications=notifications)
    (finding,) = check_notifications(account)
    assert (finding.level, finding.text) == (level, text)
    assert finding.fix == (NOTIFICATIONS_FIX if level == "warn" else None)
