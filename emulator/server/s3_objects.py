"""The S3 objects of Personalize's import jobs, read as the import role.

The role must trust `personalize.amazonaws.com` and allow `s3:ListBucket` and `s3:GetObject`.
MiniStack checks this for each object. The policy of the bucket must allow both actions to the
service (https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-s3-access.html).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from botocore.exceptions import ClientError

from emulator.personalize.errors import AccessDenied, NoSuchKey, ObjectError
from emulator.server import authorization, ministack_internals

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from emulator.clients import Clients

SERVICE = "personalize.amazonaws.com"
MISSING = {"NoSuchBucket", "NoSuchKey", "404"}
T = TypeVar("T")


class RoleObjects:
    """The S3 objects as the import jobs of one region see them. Each read uses a role.

    `calls_have_source` says whether the policy of a bucket sees the account and the import job for
    which Personalize calls S3.
    """

    def __init__(self, clients: Clients, region: str, *, calls_have_source: bool) -> None:
        self._clients = clients
        self._region = region
        self._calls_have_source = calls_have_source

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        """Return the keys below a prefix that ends in "/". Any other `prefix` is a whole key.

        The list is empty if there is no object with the key or below the prefix.

        Raises:
            ObjectError: AccessDenied, or NoSuchKey for a missing bucket.
        """

        def list_keys(s3: S3Client) -> list[str]:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [item["Key"] for page in pages for item in page.get("Contents", [])]

        arn = f"arn:aws:s3:::{bucket}"
        keys = self._call_as_role(role_arn, "s3:ListBucket", bucket, arn, list_keys)
        return [key for key in keys if key == prefix or prefix.endswith("/")]

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        """Return the bytes of an object.

        Raises:
            ObjectError: AccessDenied, or NoSuchKey for a missing bucket or object.
        """
        return self._call_as_role(
            role_arn,
            "s3:GetObject",
            bucket,
            f"arn:aws:s3:::{bucket}/{key}",
            lambda s3: s3.get_object(Bucket=bucket, Key=key)["Body"].read(),
        )

    def _call_as_role(
        self,
        role_arn: str,
        action: str,
        bucket: str,
        resource: str,
        call: Callable[[S3Client], T],
    ) -> T:
        """Return the result of `call`, which reads `resource` with the credentials of a role.

        The policies of the role and of the bucket must both allow the action.

        Raises:
            ObjectError: AccessDenied, or NoSuchKey.
        """
        account = role_arn.split(":")[4]
        job = f"arn:aws:personalize:{self._region}:{account}:dataset-import-job/import"
        try:
            credentials = authorization.assume_role(
                role_arn, service=SERVICE, source_arn=job, session_name="Personalize"
            )
            result = call(cast("S3Client", self._clients.get("s3", self._region, credentials)))
        except authorization.AccessDeniedError as error:
            raise AccessDenied(str(error)) from error
        except ClientError as error:
            raise _object_error(error, resource) from error
        policy = ministack_internals.bucket_policy(bucket, account)
        source = job if self._calls_have_source else None
        if not authorization.service_may(policy, SERVICE, action, resource, source):
            raise AccessDenied(
                f"the policy of bucket {bucket} does not allow {SERVICE} to perform: {action}"
                f" on resource: {resource}"
            )
        return result


def _object_error(error: ClientError, resource: str) -> ObjectError:
    """Return NoSuchKey if the object or bucket is missing, else AccessDenied."""
    error_class = NoSuchKey if error.response["Error"]["Code"] in MISSING else AccessDenied
    return error_class(f"{resource}: {error.response['Error']['Message']}")
