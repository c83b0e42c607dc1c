"""Proves what is said about alarms and messages, and that a test of an alarm leaves no trace."""

import json
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import ANY, Stubber

from retrain.account.errors import FailedError
from retrain.act import alarm_test
from retrain.act.alarm_test import test_alarm as send_test_alarm
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


def add_test(stubs, *, former, restored, action):
    """Let CloudWatch take part in a test of an alarm. States are pairs of a value and a reason."""
    add_alarm(stubs, *former, AlarmNamePrefix="retraining-prod-run-failed-")
    test = [("OK", TEST_REASON), ("ALARM", TEST_REASON)]
    for value, reason in test:
        add_state(stubs, value, reason)
    item = {"HistoryData": json.dumps({"actionState": action})}
    request = {"AlarmName": NAME, "HistoryItemType": "Action", "StartDate": ANY, "EndDate": ANY}
    stubs.cloudwatch.add_response("describe_alarm_history", {"AlarmHistoryItems": [item]}, request)
    add_state(stubs, *restored)


def add_state(stubs, value, reason):
    """Let CloudWatch accept a new state of the alarm."""
    request = {"AlarmName": NAME, "StateValue": value, "StateReason": reason}
    stubs.cloudwatch.add_response("set_alarm_state", {}, request)


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
def test_the_alarm_gets_its_former_state_back(account, stubs, capsys, former, restored):
    add_test(stubs, former=former, restored=restored, action="Succeeded")
    add_subscriptions(stubs, ("a@x.org", "arn:a"))
    assert send_test_alarm(account.target, as_json=False) == 0
    out, err = capsys.readouterr()
    assert out == f"{TOPIC} notifies a@x.org\n"
    assert " ".join(err.split()) == (
        f"{NAME} is in ALARM for this test {NAME} is set back to {restored[0]}"
    )


def test_the_alarm_gets_its_former_state_back_even_if_the_test_fails(account, stubs, monkeypatch):
    monkeypatch.setattr(alarm_test, "POLL_SECONDS", 0)
    state = ("OK", "fine")
    add_test(stubs, former=state, restored=state, action="Failed")
    with pytest.raises(FailedError, match="could not notify"):
        send_test_alarm(account.target, as_json=False)
