"""Reads the inputs of batch jobs in S3: lists their files, and reads the first line of some."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ..exports import Export, list_objects, read_beginning, split_location

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

READ_FILES = 3
"""The most files of an input whose first lines are read. All its files should be alike."""
READ_BYTES = 64 * 1024
"""The most bytes that are read of a file. A list of 500 items to rank has fewer."""


@dataclass(frozen=True, kw_only=True)
class BatchInput:
    """The objects that a batch job reads, with the first lines of some of them."""

    export: Export
    first_lines: Mapping[str, str] = field(default_factory=dict)
    """Key of an object -> its first line."""

    @property
    def fingerprint(self) -> str | None:
        """A hash of the list of objects, or None if there are none."""
        return self.export.fingerprint if self.export.objects else None


def read_input(client: S3Client, location: str) -> BatchInput:
    """Return the input at a location. If it cannot be read, it has only a `read_error`."""
    try:
        objects = list_objects(client, location, by_prefix=True)
        bucket = split_location(location).bucket
        contents = {
            file.key: read_beginning(client, bucket, file.key, READ_BYTES)
            for file in [file for file in objects if file.size][:READ_FILES]
        }
    except ClientError as error:
        details = error.response["Error"]
        message = f"{location} cannot be read: {details.get('Code')}: {details.get('Message')}"
        return BatchInput(export=Export(location=location, read_error=message))
    return BatchInput(
        export=Export(location=location, objects=objects),
        first_lines={
            key: content.decode(errors="replace").partition("\n")[0]
            for key, content in contents.items()
        },
    )
