"""Proves the topic of the messages, its policy, and the subscriptions of the addresses."""

import json

import pulumi
import pytest

from components import NotificationsArgs
from components.state_machine.steps import STEPS
from tests.components.conftest import deploy
from tests.components.documents import (
    DASHBOARD_URL,
    FUNCTION,
    HOME,
    STATE_MACHINE,
    SUBSCRIPTION,
    TAGS,
    TOPIC,
    TOPIC_POLICY,
    TOPIC_TYPE,
    allow,
)
from tests.components.sample import EMAIL, KEY, NAME, minimal

USERS_TOPIC = "arn:aws:sns:eu-west-1:123456789012:on-call"
SENDERS = [f"{NAME}-{step.replace('_', '-')}" for step in STEPS if "topic" in STEPS[step].grants]


@pytest.fixture(scope="module")
def with_users_topic():
    """Return the engine that recorded a pipeline with a topic of the user."""
    notifications = NotificationsArgs(emails=[EMAIL], topic_arn=USERS_TOPIC)
    return deploy(lambda: minimal(notifications=notifications))


def settings_of(engine):
    """Return the notification settings in the first state of the definition."""
    definition = json.loads(engine.one(STATE_MACHINE, NAME).inputs["definition"])
    return definition["States"][definition["StartAt"]]["Parameters"]["settings"]["notifications"]


def test_the_topic_has_the_key_and_the_tags(deployed):
    assert deployed.one(TOPIC_TYPE, NAME).inputs == {
        "displayName": NAME,
        "kmsMasterKeyId": KEY,
        "tags": TAGS,
    }


def test_by_default_the_topic_has_no_key_and_no_subscription(smallest):
    assert smallest.one(TOPIC_TYPE, NAME).inputs == {
        "displayName": NAME,
        "tags": {"retraining-pipeline": NAME},
    }
    assert smallest.all_of(SUBSCRIPTION) == {}


def test_only_alarms_of_this_account_and_region_may_publish(deployed):
    inputs = deployed.one(TOPIC_POLICY, NAME).inputs
    assert inputs["arn"] == TOPIC
    assert json.loads(inputs["policy"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Alarms",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": TOPIC,
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": "123456789012"},
                    "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{HOME}:alarm:*"},
                },
            }
        ],
    }


def test_each_address_is_subscribed(deployed):
    assert deployed.one(SUBSCRIPTION, f"{NAME}-{EMAIL}").inputs == {
        "topic": TOPIC,
        "protocol": "email",
        "endpoint": EMAIL,
    }


def test_an_address_before_another_one_replaces_no_subscription():
    def subscriptions(*emails):
        engine = deploy(lambda: minimal(notifications=NotificationsArgs(emails=emails)))
        return engine.all_of(SUBSCRIPTION)

    one, two = subscriptions(EMAIL), subscriptions("lead@example.com", EMAIL)
    name = f"{NAME}-{EMAIL}"
    assert (one[name].urn, one[name].inputs) == (two[name].urn, two[name].inputs)


def test_the_functions_that_report_know_the_topic_and_may_publish_to_it(deployed):
    assert settings_of(deployed) == {
        "topicArn": TOPIC,
        "on": "problems",
        "dashboardUrl": DASHBOARD_URL,
    }
    assert [f"{NAME}-report-outcome", f"{NAME}-close-run"] == SENDERS
    topic = deployed.one(TOPIC_TYPE, NAME).urn
    for name in SENDERS:
        assert allow(["sns:Publish"], [TOPIC]) in deployed.policy(name)["Statement"]
        assert topic in transitive_dependencies(deployed, deployed.one(FUNCTION, name))


def transitive_dependencies(engine, resource):
    """Return the URNs of all resources that exist before a resource."""
    urns = set(resource.dependencies)
    for urn in resource.dependencies:
        urns |= transitive_dependencies(engine, engine.registered[urn])
    return urns


def test_with_the_users_topic_no_topic_is_created(with_users_topic):
    assert with_users_topic.all_of(TOPIC_TYPE) == {}
    assert with_users_topic.all_of(TOPIC_POLICY) == {}
    assert with_users_topic.one(SUBSCRIPTION, f"{NAME}-{EMAIL}").inputs["topic"] == USERS_TOPIC
    assert settings_of(with_users_topic)["topicArn"] == USERS_TOPIC
    for name in SENDERS:
        statements = with_users_topic.policy(name)["Statement"]
        assert allow(["sns:Publish"], [USERS_TOPIC]) in statements


def test_the_users_topic_may_be_an_output():
    notifications = NotificationsArgs(topic_arn=pulumi.Output.from_input(USERS_TOPIC))
    engine = deploy(lambda: minimal(notifications=notifications))
    assert settings_of(engine)["topicArn"] == USERS_TOPIC
