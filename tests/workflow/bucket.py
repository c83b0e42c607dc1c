"""Provide the S3 bucket of the exports to the functions and to the Personalize emulator."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from types import SimpleNamespace

from botocore.exceptions import ClientError
from botocore.hooks import HierarchicalEmitter
from botocore.response import StreamingBody

from emulator.personalize import JobFailed

FIRST_MODIFIED = datetime(2026, 11, 1, tzinfo=UTC)
PAGE_SIZE = 1000


@dataclass
class Bucket:
    """The bucket `exports`, which every role may read. It is also a boto3 client of S3.

    `clock` returns the time at which an object is written.
    """

    objects: dict[str, bytes]
    clock: Callable[[], datetime]
    modified: dict[str, datetime] = field(default_factory=dict)
    """The times of the objects that were written later than `FIRST_MODIFIED`."""
    meta: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(events=HierarchicalEmitter())
    )
    """A boto3 client has its events here. This client never emits an event."""

    def put(self, key: str, content: bytes) -> None:
        """Write an object now."""
        self.objects[key] = content
        # S3 has whole seconds.
        self.modified[key] = self.clock().replace(microsecond=0)

    # The client of S3

    def get_paginator(self, operation: str):
        """Return the paginator of ListObjectsV2."""
        assert operation == "list_objects_v2"
        return SimpleNamespace(paginate=self._pages)

    def get_object(self, *, Bucket: str, Key: str, Range: str):  # noqa: N803 - S3's words
        """Return the first bytes of an object, as S3 does."""
        assert (Bucket, Range.partition("=")[0]) == ("exports", "bytes")
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        content = self.objects[Key][first : last + 1]

        return {"Body": StreamingBody(BytesIO(content), len(content))}

    def _pages(self, *, Bucket: str, Prefix: str):  # noqa: N803 - (as above)
        if Bucket != "exports":
            response = {"Error": {"Code": "NoSuchBucket", "Message": "it does not exist"}}
            raise ClientError(response, "ListObjectsV2")
        keys = sorted(key for key in self.objects if key.startswith(Prefix))
        for start in range(0, max(len(keys), 1), PAGE_SIZE):
            yield {"Contents": [self._summary(key) for key in keys[start : start + PAGE_SIZE]]}

    def _summary(self, key: str) -> dict[str, object]:
        content = self.objects[key]
        return {
            "Key": key,
            "Size": len(content),
            "ETag": f'"{hashlib.md5(content).hexdigest()}"',  # noqa: S324 - as in S3
            "LastModified": self.modified.get(key, FIRST_MODIFIED),
        }

    # The objects of the Personalize emulator (`emulator.personalize.s3_files.S3Objects`)

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        """Return the keys that begin with the prefix."""
        del bucket, role_arn
        return sorted(key for key in self.objects if key.startswith(prefix))

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        """Return the content of an object, or raise JobFailed."""
        del role_arn
        if key not in self.objects:
            raise JobFailed(f"s3://{bucket}/{key} does not exist")

        return self.objects[key]

    def write(self, bucket: str, key: str, content: bytes, role_arn: str) -> None:
        """Write an object."""
        del bucket, role_arn
        self.put(key, content)
