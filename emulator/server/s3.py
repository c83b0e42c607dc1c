"""The S3 objects of Personalize's import jobs, read as the import role.

The role must trust `personalize.amazonaws.com` and allow `s3:ListBucket` and `s3:GetObject`.
MiniStack checks this for each object. The policy of the bucket must allow both actions to the
service (https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-s3-access.html).
"""

import json
from typing import Any

from botocore.exceptions import ClientError
from ministack.services import s3

from emulator.personalize.errors import JobFailed
from emulator.server import iam
from emulator.server.clients import Clients
from emulator.server.personalize import SERVICE

DENIED = "Insufficient privileges for accessing data in S3"
MISSING = {"NoSuchBucket", "NoSuchKey", "404"}


class RoleObjects:
    """The S3 objects as the import jobs of one region see them. Each read uses a role.

    The policy of a bucket sees the account and the import job for which Personalize calls S3.
    """

    def __init__(self, clients: Clients, region: str) -> None:
        self._clients, self._region = clients, region

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        """Return the keys below a prefix that ends in "/". Any other `prefix` is a whole key.

        Raise JobFailed if a policy does not allow it, or there is no such bucket.
        """
        try:
            client = self._client(role_arn)
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        except ClientError as error:
            raise _object_error(error, f"arn:aws:s3:::{bucket}") from error
        self._check_bucket_policy(role_arn, "s3:ListBucket", bucket)
        return [key for key in keys if key == prefix or prefix.endswith("/")]

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        """Return the bytes of an object. Raise JobFailed if they cannot be read."""
        try:
            response = self._client(role_arn).get_object(Bucket=bucket, Key=key)
            content: bytes = response["Body"].read()
        except ClientError as error:
            raise _object_error(error, f"arn:aws:s3:::{bucket}/{key}") from error
        self._check_bucket_policy(role_arn, "s3:GetObject", bucket, f"/{key}")
        return content

    def _client(self, role_arn: str) -> Any:  # noqa: ANN401  # as Clients.get
        """Return a client with the credentials of a role. Raise AccessDeniedError."""
        credentials = iam.assume_role(
            role_arn, service=SERVICE, source_arn=self._job(role_arn), session_name="Personalize"
        )
        return self._clients.get("s3", self._region, credentials)

    def _job(self, role_arn: str) -> str:
        account = role_arn.split(":")[4]
        return f"arn:aws:personalize:{self._region}:{account}:dataset-import-job/import"

    def _check_bucket_policy(self, role_arn: str, action: str, bucket: str, path: str = "") -> None:
        """Raise JobFailed unless the bucket's policy lets Personalize perform an action."""
        account, resource = role_arn.split(":")[4], f"arn:aws:s3:::{bucket}{path}"
        text = s3._bucket_policies.get_scoped(account, None, bucket)  # noqa: SLF001  # GetBucketPolicy needs a caller
        policy = json.loads(text) if text else None
        if not iam.service_may(policy, SERVICE, action, resource, self._job(role_arn)):
            raise JobFailed(
                f"{DENIED}: the policy of bucket {bucket} does not allow {SERVICE} to perform:"
                f" {action} on resource: {resource}"
            )


def _object_error(error: ClientError, resource: str) -> JobFailed:
    """Return the reason for which an object or a bucket cannot be read."""
    details = error.response["Error"]
    reason = "Invalid Data location" if details["Code"] in MISSING else DENIED
    return JobFailed(f"{reason}: {resource}: {details['Message']}")
