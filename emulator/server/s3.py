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
from emulator.server.clients import client
from emulator.server.personalize import SERVICE

DENIED = "Insufficient privileges for accessing data in S3"
MISSING = {"NoSuchBucket", "NoSuchKey", "404"}


class RoleObjects:
    """The S3 objects as the jobs of one region see them. Each call uses a role.

    The policy of a bucket sees the account and an import job for which Personalize calls S3. For a
    batch job it sees an import job too.
    """

    def __init__(self, region: str) -> None:
        self._region = region

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        """Return the keys that begin with a prefix.

        Raise JobFailed if a policy does not allow it, or there is no such bucket.
        """
        with self._client(role_arn, "s3:ListBucket", bucket) as service:
            pages = service.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        """Return the bytes of an object. Raise JobFailed if they cannot be read."""
        with self._client(role_arn, "s3:GetObject", bucket, f"/{key}") as service:
            content: bytes = service.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def write(self, bucket: str, key: str, content: bytes, role_arn: str) -> None:
        """Write an object. Raise JobFailed if a policy does not allow it."""
        with self._client(role_arn, "s3:PutObject", bucket, f"/{key}") as service:
            service.put_object(Bucket=bucket, Key=key, Body=content)

    @contextmanager
    def _client(self, role_arn: str, action: str, bucket: str, path: str = "") -> Iterator[Any]:
        """Yield a client with the credentials of a role, for one action on a resource.

        Raise JobFailed for an error of the client, and if the bucket's policy does not allow the
        action to Personalize.
        """
        account = role_arn.split(":")[4]
        resource = f"arn:aws:s3:::{bucket}{path}"
        job = f"arn:aws:personalize:{self._region}:{account}:dataset-import-job/import"
        text = s3._bucket_policies.get_scoped(account, None, bucket)  # noqa: SLF001  # GetBucketPolicy needs a caller
        if not iam.service_may(json.loads(text or "null"), SERVICE, action, resource, job):
            raise JobFailed(
                f"{DENIED}: the policy of bucket {bucket} does not allow {SERVICE} to perform:"
                f" {action} on resource: {resource}"
            )

        try:
            credentials = iam.assume_role(
                role_arn, service=SERVICE, source_arn=job, session_name="Personalize"
            )
            yield client("s3", self._region, credentials)
        except ClientError as error:
            details = error.response["Error"]
            reason = DENIED
            if details["Code"] in MISSING:
                reason = "Invalid Data location"
            raise JobFailed(f"{reason}: {resource}: {details['Message']}") from error
