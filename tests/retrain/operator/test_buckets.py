"""Proves what is found about the bucket of the exports, with S3's documented responses."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from components.rules.arns import Home
from retrain.check.buckets import TRY_IMPORT, Reads, bucket_findings
from tests.program.sample_stack import REGION

ACCOUNT = "123456789012"
ARN = "arn:aws:s3:::exports"
ALL_READS = Reads("exports", ["items.csv", "interactions/export.csv"])
OK = ("ok", "the policy of exports lets Personalize read the exports")
ALLOW = {
    "Sid": "PersonalizeS3BucketAccessPolicy",
    "Effect": "Allow",
    "Principal": {"Service": "personalize.amazonaws.com"},
    "Action": ["s3:GetObject", "s3:ListBucket"],
    "Resource": [ARN, f"{ARN}/*"],
}
"""https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-s3-access.html."""
CONDITIONS = {
    "StringEquals": {"aws:SourceAccount": ACCOUNT},
    "ArnLike": {"aws:SourceArn": f"arn:aws:personalize:{REGION}:{ACCOUNT}:*"},
}
DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [ARN, f"{ARN}/*"]}


@pytest.fixture
def s3():
    """Return a client of S3 and its Stubber. All responses have to be used."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    client = boto3.client("s3", region_name=REGION, **keys)
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def findings(s3):
    """Return a function that checks the bucket `exports` with these statements in its policy."""
    client, stubber = s3

    def find(*statements, payer="BucketOwner", reads=ALL_READS):
        if statements:
            policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
            stubber.add_response("get_bucket_policy", {"Policy": policy}, {"Bucket": "exports"})
            stubber.add_response(
                "get_bucket_request_payment", {"Payer": payer}, {"Bucket": "exports"}
            )
        home = Home("aws", REGION, ACCOUNT)
        return [(row.level, row.text, row.fix) for row in bucket_findings(client, home, reads)]

    return find


def but_for(vpc_endpoint):
    """Return a condition that holds for everybody who does not use a VPC endpoint."""
    return {"StringNotEquals": {"aws:SourceVpce": vpc_endpoint}}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([ALLOW], OK),
        ([{**ALLOW, "Condition": CONDITIONS}], OK),
        (
            [{**ALLOW, "Principal": {"Service": ["a.amazonaws.com", "personalize.amazonaws.com"]}}],
            OK,
        ),
        ([{**ALLOW, "Action": "s3:*", "Resource": "*"}], OK),
        (
            [
                {**ALLOW, "Action": "s3:ListBucket", "Resource": ARN},
                {**ALLOW, "Action": "s3:GetObject*", "Resource": f"{ARN}/*"},
            ],
            OK,
        ),
        ([ALLOW, {**DENY, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}], OK),
        ([ALLOW, {**DENY, "Action": "s3:Put*"}], OK),
        (
            [ALLOW, {**DENY, "Condition": but_for("vpce-1")}],
            ("missing", "exports denies Personalize to read, by aws:SourceVpce"),
        ),
        (
            [ALLOW, DENY],
            ("missing", "exports denies Personalize to read"),
        ),
        (
            [{**ALLOW, "Resource": f"{ARN}/*"}],
            ("missing", "the policy of exports does not let Personalize list the bucket"),
        ),
        (
            [{**ALLOW, "Resource": ARN}],
            ("missing", "the policy of exports does not let Personalize read the objects"),
        ),
        (
            [{**ALLOW, "Resource": [ARN, f"{ARN}/interactions/*"]}],
            ("missing", "the policy of exports does not let Personalize read items.csv"),
        ),
        (
            [{**ALLOW, "Resource": f"{ARN}/items.csv"}],
            (
                "missing",
                (
                    "the policy of exports does not let Personalize list the bucket and read "
                    "interactions/export.csv"
                ),
            ),
        ),
        (
            [{**ALLOW, "Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}}],
            ("missing", "the policy of exports does not let Personalize read the exports"),
        ),
        (
            [{**ALLOW, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}],
            ("warn", "aws:PrincipalOrgID in the policy of exports cannot be judged from here"),
        ),
        (
            [ALLOW, {**DENY, "Condition": {"StringLike": {"s3:prefix": "other/*"}}}],
            ("warn", "s3:prefix in the policy of exports cannot be judged from here"),
        ),
    ],
)
def test_a_bucket_policy_is_judged_in_one_line(findings, statements, expected):
    ((level, text, fix),) = findings(*statements)
    assert (level, text) == expected
    assert (fix is None) == (level == "ok"), "every line that is not ok has a way out"


def test_a_bucket_of_which_the_requester_pays_is_a_warning(findings):
    (_, (level, text, fix)) = findings(ALLOW, payer="Requester")
    assert (level, text) == (
        "warn",
        "exports is a Requester Pays bucket, and S3 may refuse Personalize",
    )
    assert fix == (
        "aws s3api put-bucket-request-payment --bucket exports "
        "--request-payment-configuration Payer=BucketOwner"
    )


@pytest.mark.parametrize(
    ("bucket", "noun"),
    [
        ("films-abc123-s3alias", "an access point"),
        ("films-abc123--ol-s3", "an Object Lambda access point"),
    ],
)
def test_an_alias_is_no_bucket(findings, bucket, noun):
    text = f"{bucket} is the alias of {noun}, whose policies are not checked"
    fix = f"name the bucket in dataLocation, or {TRY_IMPORT}"
    assert findings(reads=Reads(bucket, ["items.csv"])) == [("warn", text, fix)]


def add_refusals(stubber, code, *owner_answers):
    """Let S3 refuse to return the policy, and answer who has the bucket: None or an error code."""
    request = {"Bucket": "exports"}
    stubber.add_client_error("get_bucket_policy", code, expected_params=request)
    for answer, expected in zip(
        owner_answers, (request, {**request, "ExpectedBucketOwner": ACCOUNT}), strict=False
    ):
        if answer is None:
            stubber.add_response("head_bucket", {}, expected)
        else:
            stubber.add_client_error("head_bucket", answer, expected_params=expected)


@pytest.mark.parametrize(
    ("code", "answers"), [("MethodNotAllowed", ()), ("AccessDenied", (None, "403"))]
)
def test_a_bucket_of_another_account_has_a_statement_for_its_owner(findings, s3, code, answers):
    add_refusals(s3[1], code, *answers)
    ((level, text, fix),) = findings()
    assert (level, text) == (
        "warn",
        "exports belongs to another account, so its policy cannot be read",
    )
    statement = json.loads(fix.removeprefix("let the owner add "))
    assert statement["Principal"] == {
        "AWS": f"arn:aws:iam::{ACCOUNT}:root",
        "Service": "personalize.amazonaws.com",
    }
    assert statement["Resource"] == [ARN, f"{ARN}/*"]


@pytest.mark.parametrize(
    ("code", "answers"),
    [("AccessDenied", (None, None)), ("AccessDenied", ("403",)), ("SlowDown", ())],
)
def test_a_policy_that_cannot_be_read_for_another_reason_is_an_error(findings, s3, code, answers):
    add_refusals(s3[1], code, *answers)
    with pytest.raises(ClientError):
        findings()
