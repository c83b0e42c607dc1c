"""The S3 objects of Personalize's jobs, read and written as the role of the job.

The role must trust `personalize.amazonaws.com` and allow `s3:ListBucket` and `s3:GetObject`, and
`s3:PutObject` for the output of a batch job. MiniStack checks this for each object. The policy of
the bucket must allow the same actions to the service
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
from emulator.server.personalize import SERVICE, build_job_arn

DENIED = "Insufficient privileges for accessing data in S3"
MISSING = {"NoSuchBucket", "NoSuchKey", "404"}


class RoleObjects:
    """The S3 objects as the jobs of one region see them. Each call uses a role."""

    def __init__(self, region: str) -> None:
        self._region = region

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        """List the keys that begin with a prefix.

        Raise JobFailed if a policy does not allow it, or there is no such bucket.
        """
        with self._client(role_arn, "s3:ListBucket", bucket) as s3_client:
            paginator = s3_client.get_paginator("list_objects_v2")
            pages = paginator.paginate(Bucket=bucket, Prefix=prefix)
            return [listed["Key"] for page in pages for listed in page.get("Contents", [])]

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        """Read an object. Raise JobFailed if it does not exist or a policy does not allow it."""
        with self._client(role_arn, "s3:GetObject", bucket, f"/{key}") as s3_client:
            content: bytes = s3_client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def write(self, bucket: str, key: str, content: bytes, role_arn: str) -> None:
        """Write an object. Raise JobFailed if a policy does not allow it."""
        with self._client(role_arn, "s3:PutObject", bucket, f"/{key}") as s3_client:
            s3_client.put_object(Bucket=bucket, Key=key, Body=content)

    @contextmanager
    def _client(self, role_arn: str, action: str, bucket: str, path: str = "") -> Iterator[Any]:
        """Yield a client for one action, which the bucket's policy and the role must allow.

        Raise JobFailed if one of them does not, and for an error of the client.
        """
        account = role_arn.split(":")[4]
        resource = f"arn:aws:s3:::{bucket}{path}"
        job_arn = build_job_arn(self._region, account)
        _check_bucket_policy(account, bucket, action, resource, job_arn)

        try:
            credentials = iam.assume_role(
                role_arn, service=SERVICE, source_arn=job_arn, session_name="Personalize"
            )
            yield get_client("s3", self._region, credentials)
        except ClientError as error:
            details = error.response["Error"]
            reason = DENIED
            if details["Code"] in MISSING:
                reason = "Invalid Data location"
            raise JobFailed(f"{reason}: {resource}: {details['Message']}") from error


def _check_bucket_policy(
    account: str, bucket: str, action: str, resource: str, job_arn: str
) -> None:
    """Raise JobFailed if the policy of a bucket does not allow an action to Personalize."""
    document = s3._bucket_policies.get_scoped(account, None, bucket)  # noqa: SLF001  # GetBucketPolicy needs a caller
    policy = json.loads(document or "null")
    if not iam.is_service_allowed(policy, SERVICE, action, resource, job_arn):
        raise JobFailed(
            f"{DENIED}: the policy of bucket {bucket} does not allow {SERVICE} to perform:"
            f" {action} on resource: {resource}"
        )
