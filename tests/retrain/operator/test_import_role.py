"""Proves what is found about an import role if IAM's simulation cannot decide."""

import json
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from components.rules.arns import Home
from retrain.check import import_role
from retrain.check.buckets import Reads
from tests.program.sample_stack import REGION

ROLE = "arn:aws:iam::123456789012:role/service-role/import"
POLICY_COMMAND = "retrain doctor --policy"
OBJECT, BUCKET = "arn:aws:s3:::exports/folder/export.csv", "arn:aws:s3:::exports"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["personalize.amazonaws.com"]},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": "123456789012"},
                "ArnLike": {"aws:SourceArn": f"arn:aws:personalize:{REGION}:123456789012:*"},
            },
        }
    ],
}
"""https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html."""
TRUSTED = ("ok", "Personalize may assume import", None)


def result(action, decision, *, missing=(), missing_of_resource=()):
    """Return a result of the simulation, with the condition keys that it lacks."""
    of_resource = {
        "EvalResourceName": OBJECT,
        "EvalResourceDecision": decision,
        "MissingContextValues": list(missing_of_resource),
    }
    return {
        "EvalActionName": action,
        "EvalDecision": decision,
        "MissingContextValues": list(missing),
        "ResourceSpecificResults": [of_resource],
    }


@pytest.fixture
def findings(monkeypatch):
    """Return a function that checks the role with responses, or an error, of the simulation."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    client = boto3.client("iam", region_name=REGION, **keys)
    reads = [Reads("exports", ["folder/export.csv"])]
    monkeypatch.setattr(import_role, "reads_of", lambda _: reads)

    def find(*results, error=None):
        with Stubber(client) as stubber:
            role = {
                "Path": "/service-role/",
                "RoleName": "import",
                "RoleId": "AROA1234567890123456",
                "Arn": ROLE,
                "CreateDate": 0,
                "AssumeRolePolicyDocument": json.dumps(TRUST),
            }
            stubber.add_response("get_role", {"Role": role}, {"RoleName": "import"})
            if error:
                stubber.add_client_error("simulate_principal_policy", error)
            for row, resource in zip(results, (OBJECT, BUCKET), strict=False):
                request = {
                    "PolicySourceArn": ROLE,
                    "ActionNames": [row["EvalActionName"]],
                    "ResourceArns": [resource],
                }
                stubber.add_response(
                    "simulate_principal_policy", {"EvaluationResults": [row]}, request
                )
            pipeline = SimpleNamespace(
                settings={"importRoleArn": ROLE},
                home=Home("aws", REGION, "123456789012"),
                args=None,
                command=lambda *_: POLICY_COMMAND,
            )
            access = SimpleNamespace(
                session=SimpleNamespace(client=lambda *_, **__: client), client_options={}
            )
            account = SimpleNamespace(access=access, pipeline=pipeline)
            return [tuple(row) for row in import_role.check_import_role(account)]

    return find


def test_a_denied_simulation_names_the_permission_that_is_missing(findings):
    text = "the policies of import are not checked without iam:SimulatePrincipalPolicy"
    assert findings(error="AccessDenied") == [TRUSTED, ("warn", text, POLICY_COMMAND)]
    with pytest.raises(ClientError):
        findings(error="ServiceFailure")


@pytest.mark.parametrize("place", ["missing", "missing_of_resource"])
def test_a_condition_that_the_simulation_cannot_know_is_a_warning(findings, place):
    listing = result("s3:ListBucket", "implicitDeny", **{place: ["s3:prefix"]})
    assert findings(result("s3:GetObject", "allowed"), listing) == [
        TRUSTED,
        (
            "warn",
            "s3:prefix in the policies of import cannot be judged from here",
            import_role.TRY_IMPORT,
        ),
    ]


def test_the_policy_to_add_has_all_permissions(findings):
    _, (level, text, fix) = findings(
        result("s3:GetObject", "allowed"), result("s3:ListBucket", "implicitDeny")
    )
    assert (level, text) == ("missing", "import lacks s3:ListBucket")
    document = json.loads(fix.partition("--policy-document ")[2].strip("'"))
    assert document["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": ["arn:aws:s3:::exports/folder/*"],
        },
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": [BUCKET]},
    ], "the command replaces a policy of the same name"
