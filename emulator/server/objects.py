"""Personalize's import data, read from S3 as the import role and let in by the bucket.

The role must trust `personalize.amazonaws.com` and allow `s3:ListBucket` and `s3:GetObject`
(MiniStack checks that, for each object), and the bucket's own policy must allow both to the service
(https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-s3-access.html).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from botocore.exceptions import ClientError

from emulator.personalize.errors import AccessDenied, NoSuchKey, ObjectError
from emulator.server import authorization, ministack_seams

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from emulator.clients import Clients

SERVICE = "personalize.amazonaws.com"
MISSING = {"NoSuchBucket", "NoSuchKey", "404"}
T = TypeVar("T")


class RoleObjects:
    """Reads objects of the account as a role of it, in one region."""

    def __init__(self, clients: Clients, region: str) -> None:
        self._clients = clients
        self._region = region

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        """List the key itself, or every key below a prefix that ends in "/"; may be empty.

        Raises AccessDenied, or NoSuchKey where there is no such bucket.
        """

        def read(s3: S3Client) -> list[str]:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [item["Key"] for page in pages for item in page.get("Contents", [])]

        found = self._as_role(role_arn, "s3:ListBucket", bucket, f"arn:aws:s3:::{bucket}", read)
        return [key for key in found if key == prefix or prefix.endswith("/")]

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        """Read an object. Raises AccessDenied or NoSuchKey (also for the bucket)."""
        return self._as_role(
            role_arn,
            "s3:GetObject",
            bucket,
            f"arn:aws:s3:::{bucket}/{key}",
            lambda s3: s3.get_object(Bucket=bucket, Key=key)["Body"].read(),
        )

    def _as_role(
        self,
        role_arn: str,
        action: str,
        bucket: str,
        resource: str,
        read: Callable[[S3Client], T],
    ) -> T:
        account = role_arn.split(":")[4]
        job = f"arn:aws:personalize:{self._region}:{account}:dataset-import-job/import"
        try:
            credentials = authorization.assume_role(
                role_arn, service=SERVICE, source_arn=job, session_name="Personalize"
            )
            answer = read(cast("S3Client", self._clients.get("s3", self._region, credentials)))
        except authorization.AccessDeniedError as error:
            raise AccessDenied(str(error)) from error
        except ClientError as error:
            raise _object_error(error, resource) from error
        policy = ministack_seams.bucket_policy(bucket, account)
        if not authorization.service_may(policy, SERVICE, action, resource, job):
            raise AccessDenied(
                f"the policy of bucket {bucket} does not allow {SERVICE} to perform: {action}"
                f" on resource: {resource}"
            )
        return answer


def _object_error(error: ClientError, resource: str) -> ObjectError:
    """Tell what was missing, a permission or the object itself."""
    kind = NoSuchKey if error.response["Error"]["Code"] in MISSING else AccessDenied
    return kind(f"{resource}: {error.response['Error']['Message']}")
