"""Checks that the buckets of the exports let Personalize read."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, NamedTuple, cast

from botocore.exceptions import ClientError

from functions.exports import split_location
from functions.words import list_text
from retrain.account.errors import DENIED_CODES, code_of
from retrain.check.findings import Finding
from retrain.check.policies import (
    PERSONALIZE,
    Request,
    keys_of,
    root_arn,
    service_context,
    verdict,
    with_statements,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_s3 import S3Client

    from components.rules.arns import Home
    from retrain.check.findings import Account
    from retrain.check.policies import Verdict

READ, LIST = "s3:GetObject", "s3:ListBucket"
NO_POLICY = "NoSuchBucketPolicy"
OF_ANOTHER_ACCOUNT = "MethodNotAllowed"
"""The code for callers of another account who may read the policy of the bucket:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html."""
ALIASES = {"--ol-s3": "an Object Lambda access point", "-s3alias": "an access point"}
"""End of an alias that stands in place of the name of a bucket -> what the alias names:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html."""
TRY_IMPORT = "start one import, which shows whether Personalize may read"


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

    def permissions(self, partition: str) -> list[tuple[str, str]]:
        """Return the actions that an import needs, each with its resource."""
        return [
            *((READ, arn) for arn in self.object_arns(partition)),
            (LIST, self.bucket_arn(partition)),
        ]


def reads_of(account: Account) -> list[Reads]:
    """Return the buckets of the exports, with a key for each location."""
    keys: dict[str, list[str]] = {}
    for dataset in account.view.datasets:
        location = split_location(dataset.dataset["dataLocation"])
        key = f"{location.key}export.csv" if location.key.endswith("/") else location.key
        keys.setdefault(location.bucket, []).append(key)
    return [Reads(bucket, keys_of_bucket) for bucket, keys_of_bucket in sorted(keys.items())]


def check_bucket_policies(account: Account) -> Iterator[Finding]:
    """Find out whether the policy of each bucket lets Personalize read the exports."""
    client = account.access.session.client("s3", **account.access.client_options)
    for reads in reads_of(account):
        yield from bucket_findings(client, account.pipeline.home, reads)


def bucket_findings(client: S3Client, home: Home, reads: Reads) -> Iterator[Finding]:
    """Yield what is found about a bucket."""
    bucket = reads.bucket
    for suffix, noun in ALIASES.items():
        if bucket.endswith(suffix):
            text = f"{bucket} is the alias of {noun}, whose policies are not checked"
            yield Finding("warn", text, f"name the bucket in dataLocation, or {TRY_IMPORT}")
            return
    try:
        document = _policy_of(client, bucket)
    except ClientError as error:
        if not _is_of_another_account(client, error, bucket, home.account):
            raise
        # The account's IAM policies decide about the import role and the roles of the functions.
        statement = _statement(reads, home, {"AWS": root_arn(home), "Service": PERSONALIZE})
        text = f"{bucket} belongs to another account, so its policy cannot be read"
        yield Finding("warn", text, f"let the owner add {json.dumps(statement)}")
        return
    yield _policy_finding(reads, home, document)
    if client.get_bucket_request_payment(Bucket=bucket).get("Payer") == "Requester":
        yield Finding(
            "warn",
            f"{bucket} is a Requester Pays bucket, and S3 may refuse Personalize",
            f"aws s3api put-bucket-request-payment --bucket {bucket} "
            "--request-payment-configuration Payer=BucketOwner",
        )


def _policy_of(client: S3Client, bucket: str) -> dict[str, object] | None:
    """Return the policy of a bucket, or None if the bucket has none."""
    try:
        policy = client.get_bucket_policy(Bucket=bucket)["Policy"]
    except ClientError as error:
        if code_of(error) != NO_POLICY:
            raise
        return None
    return cast("dict[str, object]", json.loads(policy))


def _is_of_another_account(client: S3Client, error: ClientError, bucket: str, account: str) -> bool:
    """Return True if the policy of a bucket was refused because another account has the bucket."""
    if code_of(error) not in DENIED_CODES:
        return code_of(error) == OF_ANOTHER_ACCOUNT
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError:
        return False
    try:
        client.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except ClientError:
        return True
    return False


def _statement(reads: Reads, home: Home, principal: Mapping[str, str]) -> dict[str, object]:
    """Return the statement that lets a principal read a bucket."""
    arn = reads.bucket_arn(home.partition)
    return {
        "Effect": "Allow",
        "Principal": principal,
        "Action": [READ, LIST],
        "Resource": [arn, f"{arn}/*"],
    }


def _policy_finding(reads: Reads, home: Home, document: Mapping[str, object] | None) -> Finding:
    """Return the finding about the policy of a bucket."""
    bucket, context = reads.bucket, service_context(home, "personalize")
    verdicts = {
        (action, resource): verdict(document or {}, Request(PERSONALIZE, action, resource, context))
        for action, resource in reads.permissions(home.partition)
    }
    results = {row.result for row in verdicts.values()}
    if results == {"allowed"}:
        return Finding("ok", f"the policy of {bucket} lets Personalize read the exports")
    if "denied" in results:
        keys = keys_of(verdicts.values(), "denied")
        return Finding(
            "missing",
            f"{bucket} denies Personalize to read{f', by {keys}' if keys else ''}",
            "except Personalize and the import role from the statement with Deny, which "
            f"`aws s3api get-bucket-policy --bucket {bucket}` shows",
        )
    if "not allowed" not in results:
        keys = keys_of(verdicts.values(), "uncertain")
        text = f"{keys} in the policy of {bucket} cannot be judged from here"
        return Finding("warn", text, TRY_IMPORT)
    policy = json.dumps(
        with_statements(document, _statement(reads, home, {"Service": PERSONALIZE}))
    )
    return Finding(
        "missing",
        f"the policy of {bucket} does not let Personalize {_what_is_missing(reads, verdicts)}",
        f"aws s3api put-bucket-policy --bucket {bucket} --policy {shlex.quote(policy)}",
    )


def _what_is_missing(reads: Reads, verdicts: Mapping[tuple[str, str], Verdict]) -> str:
    """Return what a policy does not allow, for a message."""
    missing = [question for question, row in verdicts.items() if row.result == "not allowed"]
    if len(missing) == len(verdicts):
        return "read the exports"
    objects = [arn.partition("/")[2] for action, arn in missing if action == READ]
    verbs = ["list the bucket"] if len(objects) < len(missing) else []
    if len(objects) == len(reads.keys):
        verbs.append("read the objects")
    elif objects:
        verbs.append(f"read {list_text(objects)}")
    return list_text(verbs)
