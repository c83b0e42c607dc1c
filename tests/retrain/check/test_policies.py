"""Proves what a policy says about Personalize."""

import pytest

from components.rules.arns import Home
from retrain.check.policies import (
    PERSONALIZE,
    Request,
    Verdict,
    service_context,
    verdict,
    with_statements,
)

HOME = Home("aws", "eu-west-1", "123456789012")
CONTEXT = service_context(HOME, "personalize")
BUCKET = "arn:aws:s3:::exports"
FILE = f"{BUCKET}/interactions/part-0.csv"
SERVICE = {"Service": "personalize.amazonaws.com"}
ALLOW = {"Effect": "Allow", "Principal": SERVICE, "Action": "s3:GetObject", "Resource": FILE}
UNCLEAR = {
    "StringNotEquals": {"aws:SourceVpce": "vpce-1"},
    "Bool": {"aws:PrincipalIsAWSService": "false"},
}


def judged(*statements, action="s3:GetObject", resource=FILE):
    """Return what a policy with these statements says about a request of Personalize."""
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return verdict(document, Request(PERSONALIZE, action, resource, CONTEXT)).result


@pytest.mark.parametrize(
    ("change", "result"),
    [
        ({}, "allowed"),
        ({"Action": ["s3:ListBucket", "s3:Get*"]}, "allowed"),
        ({"Action": "S3:getobject"}, "allowed"),
        ({"Resource": f"{BUCKET}/*"}, "allowed"),
        ({"Resource": f"{BUCKET}/interactions/part-?.csv"}, "allowed"),
        ({"Principal": "*"}, "allowed"),
        ({"Principal": {"AWS": "*"}}, "allowed"),
        ({"Principal": {"Service": ["a.amazonaws.com", SERVICE["Service"]]}}, "allowed"),
        ({"Action": None, "NotAction": "s3:Put*"}, "allowed"),
        ({"Action": None, "NotAction": ["s3:Put*", "s3:Get*"]}, "not allowed"),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, "not allowed"),
        ({"Principal": {"Service": "ec2.amazonaws.com"}}, "not allowed"),
        ({"Action": "s3:PutObject"}, "not allowed"),
        ({"Resource": f"{BUCKET}/items/*"}, "not allowed"),
        ({"Resource": BUCKET}, "not allowed"),
        ({"Effect": "Deny"}, "denied"),
    ],
)
def test_a_statement_allows_personalize_or_not(change, result):
    statement = {key: value for key, value in {**ALLOW, **change}.items() if value is not None}
    assert judged(statement) == result


SOURCE = "arn:aws:personalize:eu-west-1:123456789012"
AWS_EXAMPLE = {
    "StringEquals": {"aws:SourceAccount": "123456789012"},
    "ArnLike": {"aws:SourceArn": f"{SOURCE}:*"},
}
"""https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html."""


@pytest.mark.parametrize(
    ("operator", "key", "value", "result"),
    [
        ("StringEquals", "aws:SourceAccount", "123456789012", "allowed"),
        ("StringEquals", "aws:sourceaccount", ["1", "123456789012"], "allowed"),
        ("StringEquals", "aws:SourceAccount", "999999999999", "not allowed"),
        ("StringNotEquals", "aws:SourceAccount", "999999999999", "allowed"),
        ("StringNotEquals", "aws:SourceAccount", "123456789012", "not allowed"),
        ("ArnLike", "aws:SourceArn", f"{SOURCE}:*", "allowed"),
        ("ArnEquals", "aws:SourceArn", f"{SOURCE}:*", "allowed"),
        ("ArnLike", "aws:SourceArn", "arn:aws:personalize:*:123456789012:*", "allowed"),
        ("ArnLike", "aws:SourceArn", f"{SOURCE}:dataset-group/*", "uncertain"),
        ("ArnLike", "aws:SourceArn", f"{SOURCE.replace('west', 'north')}:*", "not allowed"),
        ("StringEquals", "aws:SourceArn", f"{SOURCE}:*", "not allowed"),
        ("StringEquals", "aws:SourceArn", f"{SOURCE}:dataset-group/movies", "uncertain"),
        ("StringEquals", "aws:SourceAccount", "${aws:PrincipalAccount}", "uncertain"),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", "uncertain"),
        ("StringEquals", "aws:PrincipalOrgID", "o-1", "uncertain"),
        ("ForAnyValue:StringEquals", "aws:SourceAccount", "123456789012", "uncertain"),
        ("StringEquals", "aws:SourceVpce", "vpce-1", "not allowed"),
        ("StringEqualsIfExists", "aws:SourceVpce", "vpce-1", "allowed"),
        ("Null", "aws:SourceVpce", "true", "allowed"),
        ("Null", "aws:SourceVpce", False, "not allowed"),
        ("Bool", "aws:SecureTransport", "true", "allowed"),
    ],
)
def test_a_condition_holds_or_not(operator, key, value, result):
    assert judged({**ALLOW, "Condition": {operator: {key: value}}}) == result


def test_all_conditions_of_a_statement_have_to_hold():
    assert judged({**ALLOW, "Condition": AWS_EXAMPLE}) == "allowed"
    account, organization = {"aws:SourceAccount": "9*"}, {"aws:PrincipalOrgID": "o-*"}
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
    assert verdict({"Statement": unknown}, request) == Verdict("uncertain", ("aws:SourceIp",))
    assert judged(ALLOW, unknown) == "allowed", "the first statement is enough"
    assert judged({**unknown, "Effect": "Deny"}) == "not allowed", "nothing allows it"


@pytest.mark.parametrize(
    ("denial", "result"),
    [
        ({}, "denied"),
        ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, "allowed"),
        ({"Condition": {"Bool": {"aws:SecureTransport": True}}}, "denied"),
        ({"Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}}, "denied"),
        ({"Condition": {"StringNotEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}}, "denied"),
        (
            {"Condition": UNCLEAR},
            "uncertain",
        ),
        ({"Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/a"}}}, "uncertain"),
        ({"NotPrincipal": SERVICE, "Principal": None}, "allowed"),
        ({"NotPrincipal": {"AWS": "arn"}}, "denied"),
        ({"NotResource": [FILE]}, "allowed"),
        ({"NotResource": ["arn:aws:s3:::other/*"]}, "denied"),
        ({"NotAction": "s3:Get*"}, "allowed"),
        ({"NotAction": "s3:Put*"}, "denied"),
    ],
)
def test_a_denial_counts_more_than_everything_else(denial, result):
    statement = {"Effect": "Deny", "Principal": "*", **denial}
    for key in ("Resource", "Action"):
        statement |= {} if f"Not{key}" in denial else {key: "*"}
    assert judged(ALLOW, statement) == result


def test_a_trust_policy_has_no_resources_and_a_root_has_two_names():
    trust = {"Effect": "Allow", "Principal": SERVICE, "Action": "sts:AssumeRole"}
    request = Request(PERSONALIZE, "sts:AssumeRole", "role", CONTEXT)
    assert verdict({"Statement": trust}, request).result == "allowed"
    root = Request("arn:aws:iam::123456789012:root", "s3:GetObject", FILE, {})
    for name in (root.principal, "123456789012", "*"):
        named = {**ALLOW, "Principal": {"AWS": [name]}}
        assert verdict({"Statement": named}, root).result == "allowed", name


def test_statements_are_added_to_the_existing_statements():
    assert with_statements(None, ALLOW) == {"Version": "2012-10-17", "Statement": [ALLOW]}
    deny = {**ALLOW, "Effect": "Deny"}
    mended = with_statements({"Id": "a", "Statement": deny}, ALLOW, ALLOW)
    assert mended == {"Id": "a", "Statement": [deny, ALLOW, ALLOW]}
