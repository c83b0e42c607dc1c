"""The S3 objects of Personalize's import jobs, read as the import role.

The role must trust `personalize.amazonaws.com` and allow `s3:ListBucket` and `s3:GetObject`.
MiniStack checks this for each object. The policy of the bucket must allow both actions to the
service (https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-s3-access.html).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar, cast

from botocore.exceptions import ClientError
from ministack.services import s3

from emulator.personalize.errors import AccessDenied, NoSuchKey
from emulator.server import iam
from emulator.server.personalize import SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from emulator.clients import Clients

MISSING = {"NoSuchBucket", "NoSuchKey", "404"}
T = TypeVar("T")


class RoleObjects:
    """The S3 objects as the import jobs of one region see them. Each read uses a role.

    The policy of a bucket sees the account and the import job for which Personalize calls S3.
    """

    def __init__(self, clients: Clients, region: str) -> None:
        self._clients, self._region = clients, region

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        """Return the keys below a prefix that ends in "/". Any other `prefix` is a whole key.

        The list is empty if there is no object with the key or below the prefix.

        Raises:
            ObjectError: AccessDenied, or NoSuchKey for a missing bucket.
        """

        def list_keys(client: S3Client) -> list[str]:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [item["Key"] for page in pages for item in page.get("Contents", [])]

        keys = self._call(role_arn, "s3:ListBucket", f"arn:aws:s3:::{bucket}", list_keys)
        return [key for key in keys if key == prefix or prefix.endswith("/")]

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        """Return the bytes of an object.

        Raises:
            ObjectError: AccessDenied, or NoSuchKey for a missing bucket or object.
        """

        def get_object(client: S3Client) -> bytes:
            return client.get_object(Bucket=bucket, Key=key)["Body"].read()

        return self._call(role_arn, "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", get_object)

    def _call(self, role_arn: str, action: str, resource: str, call: Callable[[S3Client], T]) -> T:
        """Return the result of `call`, which gets a client with the credentials of a role.

        The policies of the role and of the bucket must both allow the action on the resource.

        Raises:
            ObjectError: AccessDenied, or NoSuchKey.
        """
        account, bucket = role_arn.split(":")[4], resource.split(":")[5].partition("/")[0]
        job = f"arn:aws:personalize:{self._region}:{account}:dataset-import-job/import"
        try:
            credentials = iam.assume_role(
                role_arn, service=SERVICE, source_arn=job, session_name="Personalize"
            )
            result = call(cast("S3Client", self._clients.get("s3", self._region, credentials)))
        except iam.AccessDeniedError as error:
            raise AccessDenied(error.message) from error
        except ClientError as error:
            is_missing = error.response["Error"]["Code"] in MISSING
            message = f"{resource}: {error.response['Error']['Message']}"
            raise (NoSuchKey if is_missing else AccessDenied)(message) from error
        if not iam.service_may(_bucket_policy(bucket, account), SERVICE, action, resource, job):
            raise AccessDenied(
                f"the policy of bucket {bucket} does not allow {SERVICE} to perform: {action}"
                f" on resource: {resource}"
            )
        return result


def _bucket_policy(bucket: str, account: str) -> iam.Policy | None:
    """Return the policy of a bucket, or None if it has no policy."""
    text = s3._bucket_policies.get_scoped(account, None, bucket)  # noqa: SLF001  # GetBucketPolicy needs a caller
    return cast("iam.Policy", json.loads(text)) if text else None
