"""Proves who has to be allowed to use the key of the logs, as the guide says."""

import json
import re

import pytest

from components.rules.arns import Home
from retrain.check.keys import log_key_users
from retrain.check.policies import verdict
from tests.program.sample_stack import ACCOUNT, REGION, ROOT

HOME = Home("aws", REGION, ACCOUNT)
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
DEFAULT = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "kms:*",
    "Resource": "*",
}
"""The statement of a new key:
https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html."""


def users(*, creates_topic=True):
    """Return the users of the key by their names."""
    return {user.name: user for user in log_key_users(HOME, KEY, creates_topic=creates_topic)}


def test_the_statements_are_those_of_the_guide():
    page = (ROOT / "docs" / "deployment.md").read_text()
    section = page.partition("\n## Logs and messages that a KMS key encrypts\n")[2].partition(
        "\n## "
    )[0]
    documented = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]
    for statement in documented:
        del statement["Sid"]
    found = users()
    assert documented == [
        found["CloudWatch Logs"].statement,
        found["alarms"].statement,
    ]


@pytest.mark.parametrize("name", users())
def test_a_statement_allows_all_requests_of_its_user_and_of_nobody_else(name):
    document = {"Statement": users()[name].statement}
    allowed = {
        user.name
        for user in users().values()
        if all(verdict(document, request).result == "allowed" for request in user.requests)
    }
    assert allowed == {name}


def test_a_new_key_lets_the_iam_policies_of_the_account_decide():
    (request, _) = users()["IAM policies"].requests
    assert verdict({"Statement": DEFAULT}, request).result == "allowed"


def test_alarms_do_not_use_the_key_if_the_topic_is_given():
    assert list(users(creates_topic=False)) == ["CloudWatch Logs", "IAM policies"]
