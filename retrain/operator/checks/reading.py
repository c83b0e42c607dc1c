"""Checks that Personalize may read the exports: bucket policies, KMS key and import role."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, NamedTuple, cast

from botocore.exceptions import ClientError

from functions.exports import split_location
from functions.planning.situation import datasets_to_import
from retrain.operator.checks.findings import Finding
from retrain.operator.checks.policies import PERSONALIZE, verdict, with_statement
from retrain.operator.errors import code_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_iam import IAMClient

    from retrain.operator.checks.findings import Account
    from retrain.operator.checks.policies import Verdict

READ, LIST, DECRYPT = "s3:GetObject", "s3:ListBucket", "kms:Decrypt"
ASSUME = "sts:AssumeRole"
KEY_ACTIONS = [
    *("kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey", "kms:CreateGrant", "kms:ListGrants"),
]
"""The actions on a key that AWS documents for Personalize:
https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html."""
NO_POLICY = "NoSuchBucketPolicy"
NO_ENTITY = "NoSuchEntity"
KMS_ALGORITHMS = ("aws:kms", "aws:kms:dsse")


class Reads(NamedTuple):
    """What has to be readable in a bucket: objects by a part of their keys."""

    bucket: str
    keys: list[str]

    def object_arns(self, partition: str) -> list[str]:
        """Return the ARN of one object for each location."""
        return [f"arn:{partition}:s3:::{self.bucket}/{key}" for key in self.keys]

    def bucket_arn(self, partition: str) -> str:
        """Return the ARN of the bucket."""
        return f"arn:{partition}:s3:::{self.bucket}"


def reads_of(account: Account) -> list[Reads]:
    """Return the buckets of the exports, with a key for each location."""
    situation = account.situation
    keys: dict[str, list[str]] = {}
    for dataset in datasets_to_import(situation.settings, situation.run):
        location = split_location(dataset["dataLocation"])
        key = f"{location.key}export.csv" if location.key.endswith("/") else location.key
        keys.setdefault(location.bucket, []).append(key)
    return [Reads(bucket, keys_of_bucket) for bucket, keys_of_bucket in sorted(keys.items())]


def check_bucket_policies(account: Account) -> Iterator[Finding]:
    """Find out whether the policy of each bucket lets Personalize read the exports."""
    home = account.pipeline.home
    client = account.access.session.client("s3", **account.access.client_options)
    for reads in reads_of(account):
        document: dict[str, object] | None = None
        try:
            policy = client.get_bucket_policy(Bucket=reads.bucket)["Policy"]
            document = cast("dict[str, object]", json.loads(policy))
        except ClientError as error:
            if code_of(error) != NO_POLICY:
                raise
        verdicts = [
            verdict(document or {}, account=home.account, action=action, resource=resource)
            for action, resource in (
                *((READ, arn) for arn in reads.object_arns(home.partition)),
                (LIST, reads.bucket_arn(home.partition)),
            )
        ]
        yield _bucket_finding(reads.bucket, home.partition, document, verdicts)


def _bucket_finding(
    bucket: str, partition: str, document: Mapping[str, object] | None, verdicts: list[Verdict]
) -> Finding:
    """Return the finding about the policy of a bucket."""
    if all(row == "allowed" for row in verdicts):
        return Finding("ok", f"the policy of {bucket} lets Personalize read the exports")
    if "denied" in verdicts:
        return Finding(
            "missing",
            f"a statement of the policy of {bucket} denies Personalize to read the exports",
            f"aws s3api get-bucket-policy --bucket {bucket}, and correct the statement with Deny",
        )
    if "not allowed" not in verdicts:
        return Finding(
            "warn",
            f"the policy of {bucket} has conditions that cannot be judged from here",
            "start one import, which shows whether Personalize may read",
        )
    arn = f"arn:{partition}:s3:::{bucket}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": PERSONALIZE},
        "Action": [READ, LIST],
        "Resource": [arn, f"{arn}/*"],
    }
    policy = json.dumps(with_statement(document, statement))
    return Finding(
        "missing",
        f"the policy of {bucket} does not let Personalize read the exports",
        f"aws s3api put-bucket-policy --bucket {bucket} --policy {shlex.quote(policy)}",
    )


def check_keys(account: Account) -> Iterator[Finding]:
    """Find out whether Personalize may use the KMS key of the exports."""
    args, project = account.pipeline.args, "personalize-retraining"
    configured = str(args.data_kms_key_arn) if args and args.data_kms_key_arn else None
    used = _keys_of_exports(account)
    # The settings of a state machine do not name the key.
    for key in sorted(used - {configured}) if args else ():
        yield Finding(
            "missing",
            f"the exports are encrypted with {key}, which dataKmsKeyArn does not name",
            f"pulumi config set {project}:dataKmsKeyArn {key} --stack {account.pipeline.stack}",
        )
    key_arn = configured or next(iter(sorted(used)), None)
    if key_arn is None:
        yield Finding("ok", "no KMS key of yours encrypts the exports")
        return
    client = account.access.session.client("kms", **account.access.client_options)
    document = json.loads(client.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"])
    home = account.pipeline.home
    result = verdict(document, account=home.account, action=DECRYPT, resource=key_arn)
    if result == "allowed":
        yield Finding("ok", f"the policy of {key_arn} lets Personalize decrypt")
    elif result == "uncertain":
        yield Finding(
            "warn",
            f"the policy of {key_arn} has conditions that cannot be judged from here",
            "start one import, which shows whether Personalize may decrypt",
        )
    else:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": PERSONALIZE},
            "Action": KEY_ACTIONS,
            "Resource": "*",
        }
        policy = shlex.quote(json.dumps(with_statement(document, statement)))
        yield Finding(
            "missing",
            f"the policy of {key_arn} does not let Personalize decrypt",
            f"aws kms put-key-policy --key-id {key_arn} --policy-name default --policy {policy}",
        )


def _keys_of_exports(account: Account) -> set[str]:
    """Return the KMS keys that encrypt the newest file of each export."""
    client = account.access.session.client("s3", **account.access.client_options)
    keys = set()
    for export in account.situation.world.exports.values():
        newest = max(export.objects, key=lambda file: file.modified_at, default=None)
        if newest is not None:
            bucket = split_location(export.location).bucket
            head = client.head_object(Bucket=bucket, Key=newest.key)
            if head.get("ServerSideEncryption") in KMS_ALGORITHMS and "SSEKMSKeyId" in head:
                keys.add(head["SSEKMSKeyId"])
    return keys


def check_import_role(account: Account) -> Iterator[Finding]:
    """Find out whether Personalize may assume the import role, and whether it reads the exports."""
    role_arn = account.pipeline.settings["importRoleArn"]
    if not role_arn:
        yield Finding("ok", "`pulumi up` creates the import role")
        return
    client = account.access.session.client("iam", **account.access.client_options)
    name = role_arn.rpartition("/")[2]
    try:
        role = client.get_role(RoleName=name)["Role"]
    except ClientError as error:
        if code_of(error) != NO_ENTITY:
            raise
        yield Finding(
            "missing",
            f"{role_arn} does not exist",
            "remove importRoleArn from the stack's file, and the pipeline creates a role",
        )
        return
    trust = cast("dict[str, object]", role["AssumeRolePolicyDocument"])
    home = account.pipeline.home
    result = verdict(trust, account=home.account, action=ASSUME, resource=role_arn)
    yield _trust_finding(name, result, with_statement(trust, TRUST))
    yield from _role_policy_findings(account, client, role_arn)


TRUST = {"Effect": "Allow", "Principal": {"Service": PERSONALIZE}, "Action": ASSUME}
"""The statement that lets Personalize assume a role."""


def _trust_finding(name: str, result: Verdict, mended: Mapping[str, object]) -> Finding:
    """Return the finding about the trust policy of the import role."""
    if result == "allowed":
        return Finding("ok", f"Personalize may assume {name}")
    if result == "uncertain":
        return Finding(
            "warn",
            f"the trust policy of {name} has conditions that cannot be judged from here",
            "start one import, which shows whether Personalize may assume the role",
        )
    policy = shlex.quote(json.dumps(mended))
    return Finding(
        "missing",
        f"the trust policy of {name} does not let Personalize assume it",
        f"aws iam update-assume-role-policy --role-name {name} --policy-document {policy}",
    )


def _role_policy_findings(account: Account, client: IAMClient, role_arn: str) -> Iterator[Finding]:
    """Yield whether the policies of the import role allow to read the exports."""
    name, partition = role_arn.rpartition("/")[2], account.pipeline.home.partition
    all_reads = reads_of(account)
    questions = [
        *((READ, arn) for reads in all_reads for arn in reads.object_arns(partition)),
        *((LIST, reads.bucket_arn(partition)) for reads in all_reads),
    ]
    args = account.pipeline.args
    if args and args.data_kms_key_arn:
        questions.append((DECRYPT, str(args.data_kms_key_arn)))
    missing = [row for row in questions if not _is_allowed(client, role_arn, *row)]
    if not missing:
        yield Finding("ok", f"the policies of {name} allow it to read the exports")
        return
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": action, "Resource": _widened(resource)}
            for action, resource in missing
        ],
    }
    actions = ", ".join(f"{action} on {resource}" for action, resource in missing)
    yield Finding(
        "missing",
        f"the policies of {name} do not allow {actions}",
        f"aws iam put-role-policy --role-name {name} --policy-name read-exports --policy-document "
        f"{shlex.quote(json.dumps(policy))}",
    )


def _widened(resource: str) -> str:
    """Return the ARN of all objects of a folder for the ARN of the example file in it."""
    return (
        resource.removesuffix("export.csv") + "*" if resource.endswith("/export.csv") else resource
    )


def _is_allowed(client: IAMClient, role_arn: str, action: str, resource: str) -> bool:
    """Return True if the policies of a role allow an action, as IAM's own simulation says."""
    response = client.simulate_principal_policy(
        PolicySourceArn=role_arn, ActionNames=[action], ResourceArns=[resource]
    )
    return all(row["EvalDecision"] == "allowed" for row in response["EvaluationResults"])
