"""Proves what a policy says about Personalize."""

import json

import pytest

from components.rules.arns import Environment
from retrain.check.policy_evaluation import (
    Request,
    build_service_context,
    evaluate_policy,
    find_denying_statements,
    list_unknown_keys,
)

HOME = Environment("aws", "eu-west-1", "123456789012")
CONTEXT = build_service_context(HOME, "personalize")
BUCKET = "arn:aws:s3:::exports"
FILE = f"{BUCKET}/interactions/part-0.csv"
ARNS = {"FILE": FILE, "SOURCE": "arn:aws:personalize:eu-west-1:123456789012", "BUCKET": BUCKET}
PERSONALIZE = "personalize.amazonaws.com"
REQUEST = Request(PERSONALIZE, "s3:GetObject", FILE, CONTEXT)
ALLOW = {
    "Effect": "Allow",
    "Principal": {"Service": PERSONALIZE},
    "Action": "s3:GetObject",
    "Resource": FILE,
}
DENY = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}


def evaluate(*statements):
    """Return what a policy with these statements says about a request of Personalize."""
    return evaluate_policy({"Statement": list(statements)}, REQUEST)


def change_statement(statement, change):
    """Change keys of a statement as in the golden file, in which `null` leaves a key out."""
    for name, arn in ARNS.items():
        change = change.replace(f'"{name}', f'"{arn}')
    changed = {**statement, **json.loads(change)}
    return {key: value for key, value in changed.items() if value is not None}


def test_each_statement_of_the_golden_file_allows_or_denies(golden):
    def answer(line):
        effect, _, change = line.partition(" ")
        if effect == "#":
            return []
        if effect == "Allow":
            return evaluate(change_statement(ALLOW, change))
        # Without a statement that allows the request, nothing could deny it.
        return evaluate(ALLOW, change_statement(DENY, change))

    golden.answers("policies.txt", answer)


def test_what_cannot_be_judged_is_named_unless_another_statement_is_enough():
    unknown = {**ALLOW, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}
    assert evaluate(unknown) == "uncertain"
    assert list_unknown_keys({"Statement": [ALLOW, unknown]}, [REQUEST]) == ["aws:SourceIp"]
    assert evaluate(ALLOW, unknown) == "allowed", "the first statement is enough"

    denial = {**unknown, "Effect": "Deny"}
    assert evaluate(denial) == "not allowed", "nothing allows it"
    assert find_denying_statements({"Statement": denial}, [REQUEST]) == {}, "perhaps it is not met"


@pytest.mark.parametrize("name", ["arn:aws:iam::123456789012:root", "123456789012", "*"])
def test_a_root_has_two_names(name):
    request = REQUEST._replace(principal="arn:aws:iam::123456789012:root")
    statement = {**ALLOW, "Principal": {"AWS": [name]}}
    assert evaluate_policy({"Statement": statement}, request) == "allowed"
