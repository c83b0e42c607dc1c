"""Reads and writes S3 objects for Personalize's jobs, with the permissions of each job's role.

The role must trust `personalize.amazonaws.com` and allow `s3:ListBucket`, `s3:GetObject` and, for
the output of a batch job, `s3:PutObject`. MiniStack checks these permissions for each object. The
bucket policy must allow Personalize the same actions
(https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-s3-access.html).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError
from ministack.services import s3

from emulator.personalize.errors import JobFailed
from emulator.server import iam
from emulator.server.clients import get_client
from emulator.server.personalize import SERVICE_PRINCIPAL, build_job_arn

DENIED_REASON = "Insufficient privileges for accessing data in S3"
MISSING_CODES = {"NoSuchBucket", "NoSuchKey", "404"}


class JobObjects:
    """S3 access for the jobs of one region. Each method takes the role of the job that needs it."""

    def __init__(self, region: str) -> None:
        self._region = region

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        """List the keys in a bucket that begin with a prefix.

        Raises:
            JobFailed: the bucket doesn't exist, or a policy doesn't allow listing it.
        """
        with self._open_client(role_arn, "s3:ListBucket", bucket) as s3_client:
            paginator = s3_client.get_paginator("list_objects_v2")
            pages = paginator.paginate(Bucket=bucket, Prefix=prefix)
            return [listed["Key"] for page in pages for listed in page.get("Contents", [])]

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        """Read an object. Raise JobFailed if it doesn't exist or a policy doesn't allow that."""
        with self._open_client(role_arn, "s3:GetObject", bucket, f"/{key}") as s3_client:
            content: bytes = s3_client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def write(self, bucket: str, key: str, content: bytes, role_arn: str) -> None:
        """Write an object. Raise JobFailed if a policy doesn't allow that."""
        with self._open_client(role_arn, "s3:PutObject", bucket, f"/{key}") as s3_client:
            s3_client.put_object(Bucket=bucket, Key=key, Body=content)

    @contextmanager
    def _open_client(
        self, role_arn: str, action: str, bucket: str, path: str = ""
    ) -> Iterator[Any]:
        """Provide an S3 client with the job's role, after checking the bucket policy for an action.

        Raises:
            JobFailed: the bucket policy doesn't allow the action, or a call in the `with` block
                fails.
        """
        account = role_arn.split(":")[4]
        resource_arn = f"arn:aws:s3:::{bucket}{path}"
        job_arn = build_job_arn(self._region, account)
        _check_bucket_policy(account, bucket, action, resource_arn, job_arn)

        try:
            credentials = iam.assume_role(
                role_arn, service=SERVICE_PRINCIPAL, source_arn=job_arn, session_name="Personalize"
            )
            yield get_client("s3", self._region, credentials)
        except ClientError as error:
            details = error.response["Error"]

            reason = DENIED_REASON
            if details["Code"] in MISSING_CODES:
                reason = "Invalid Data location"

            raise JobFailed(f"{reason}: {resource_arn}: {details['Message']}") from error


def _check_bucket_policy(
    account: str, bucket: str, action: str, resource_arn: str, job_arn: str
) -> None:
    """Raise JobFailed unless the bucket policy lets Personalize perform an action."""
    document = s3._bucket_policies.get_scoped(account, None, bucket)  # noqa: SLF001  # GetBucketPolicy would need a caller
    policy = json.loads(document or "null")
    if not iam.is_service_allowed(policy, SERVICE_PRINCIPAL, action, resource_arn, job_arn):
        raise JobFailed(
            f"{DENIED_REASON}: the policy of bucket {bucket} does not allow"
            f" {SERVICE_PRINCIPAL} to perform: {action} on resource: {resource_arn}"
        )
