"""Proves what a policy says about Personalize."""

import json

from components.rules.arns import Environment
from retrain.check.policy_evaluation import (
    Request,
    Verdict,
    build_service_context,
    evaluate_policy,
)

HOME = Environment("aws", "eu-west-1", "123456789012")
CONTEXT = build_service_context(HOME, "personalize")
BUCKET = "arn:aws:s3:::exports"
FILE = f"{BUCKET}/interactions/part-0.csv"
PERSONALIZE = "personalize.amazonaws.com"
SERVICE = {"Service": PERSONALIZE}
ALLOW = {"Effect": "Allow", "Principal": SERVICE, "Action": "s3:GetObject", "Resource": FILE}


def judged(*statements, action="s3:GetObject", resource=FILE):
    """Return what a policy with these statements says about a request of Personalize."""
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return evaluate_policy(document, Request(PERSONALIZE, action, resource, CONTEXT)).result


def test_each_statement_of_the_golden_file_allows_or_denies(golden):
    """A denial stands beside a statement that allows, and `null` leaves a key out."""

    def answer(line):
        effect, _, text = line.partition(" ")
        if effect == "#":
            return []
        for short, long in {"FILE": FILE, "SOURCE": SOURCE, "BUCKET": BUCKET}.items():
            text = text.replace(f'"{short}', f'"{long}')
        change = json.loads(text)
        if effect == "Allow":
            change = {**ALLOW, **change}
            return judged({key: value for key, value in change.items() if value is not None})
        denial = {"Effect": "Deny", "Principal": "*", **change}
        for key in ("Resource", "Action"):
            denial |= {} if f"Not{key}" in change else {key: "*"}

        return judged(ALLOW, denial)

    golden.answers("policies.txt", answer)


SOURCE = "arn:aws:personalize:eu-west-1:123456789012"
AWS_EXAMPLE = {
    "StringEquals": {"aws:SourceAccount": "123456789012"},
    "ArnLike": {"aws:SourceArn": f"{SOURCE}:*"},
}
"""https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html."""


def test_all_conditions_of_a_statement_have_to_hold():
    assert judged({**ALLOW, "Condition": AWS_EXAMPLE}) == "allowed"
    account = {"aws:SourceAccount": "9*"}
    organization = {"aws:PrincipalOrgID": "o-*"}
    for likes, result in (
        (account, "not allowed"),
        (organization, "uncertain"),
        ({**account, **organization}, "not allowed"),
    ):
        for conditions in (
            {**AWS_EXAMPLE, "StringLike": likes},
            {"StringLike": likes, **AWS_EXAMPLE},
        ):
            assert judged({**ALLOW, "Condition": conditions}) == result, conditions


def test_what_cannot_be_judged_is_named_unless_another_statement_is_enough():
    unknown = {**ALLOW, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}
    request = Request(PERSONALIZE, "s3:GetObject", FILE, CONTEXT)
    assert evaluate_policy({"Statement": unknown}, request) == Verdict(
        "uncertain", ["aws:SourceIp"]
    )
    assert judged(ALLOW, unknown) == "allowed", "the first statement is enough"
    assert judged({**unknown, "Effect": "Deny"}) == "not allowed", "nothing allows it"


def test_a_trust_policy_has_no_resources_and_a_root_has_two_names():
    trust = {"Effect": "Allow", "Principal": SERVICE, "Action": "sts:AssumeRole"}
    request = Request(PERSONALIZE, "sts:AssumeRole", "role", CONTEXT)
    assert evaluate_policy({"Statement": trust}, request).result == "allowed"

    root = Request("arn:aws:iam::123456789012:root", "s3:GetObject", FILE, {})
    for name in (root.principal, "123456789012", "*"):
        named = {**ALLOW, "Principal": {"AWS": [name]}}
        assert evaluate_policy({"Statement": named}, root).result == "allowed", name
