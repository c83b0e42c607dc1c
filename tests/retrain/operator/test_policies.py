"""Proves what a policy says about Personalize."""

import pytest

from retrain.operator.checks.policies import verdict, with_statement

BUCKET = "arn:aws:s3:::exports"
FILE = f"{BUCKET}/interactions/part-0.csv"
SERVICE = {"Service": "personalize.amazonaws.com"}
ALLOW = {"Effect": "Allow", "Principal": SERVICE, "Action": "s3:GetObject", "Resource": FILE}
TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": [BUCKET, f"{BUCKET}/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def judged(*statements, action="s3:GetObject", resource=FILE):
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return verdict(document, account="123456789012", action=action, resource=resource)


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
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}, "allowed"),
        (
            {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:personalize:*:123456789012:*"}}},
            "allowed",
        ),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}}, "not allowed"),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, "uncertain"),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, "not allowed"),
        ({"Principal": {"Service": "ec2.amazonaws.com"}}, "not allowed"),
        ({"Action": "s3:PutObject"}, "not allowed"),
        ({"Resource": f"{BUCKET}/items/*"}, "not allowed"),
        ({"Resource": BUCKET}, "not allowed"),
        ({"Effect": "Deny"}, "denied"),
    ],
)
def test_a_statement_allows_personalize_or_not(change, result):
    assert judged({**ALLOW, **change}) == result


def test_tls_alone_denies_nothing():
    assert judged(ALLOW, TLS_ONLY) == "allowed"
    only_plain = {**TLS_ONLY, "Condition": {"Bool": {"aws:SecureTransport": True}}}
    assert judged(ALLOW, only_plain) == "denied"


@pytest.mark.parametrize(
    ("denial", "result"),
    [
        ({}, "denied"),
        ({"Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}}, "uncertain"),
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
    if "NotResource" not in denial:
        statement["Resource"] = "*"
    if "NotAction" not in denial:
        statement["Action"] = "*"
    assert judged(ALLOW, statement) == result


def test_a_trust_policy_has_no_resources():
    trust = {"Effect": "Allow", "Principal": SERVICE, "Action": "sts:AssumeRole"}
    document = {"Statement": trust}
    assert verdict(document, account="1", action="sts:AssumeRole", resource="role") == "allowed"


def test_a_statement_is_added_to_the_existing_statements():
    assert with_statement(None, ALLOW) == {"Version": "2012-10-17", "Statement": [ALLOW]}
    assert with_statement({"Id": "a", "Statement": TLS_ONLY}, ALLOW) == {
        "Id": "a",
        "Statement": [TLS_ONLY, ALLOW],
    }
