"""The S3 objects of jobs, their locations in requests, and the CSV files that jobs read."""

from codecs import BOM_UTF8
from typing import NamedTuple, Protocol

from emulator.personalize.errors import JobFailed, invalid_input


class S3Objects(Protocol):
    """The S3 objects that jobs read and write, always with the permissions of the job's role."""

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        """List all keys that begin with the prefix.

        Raises JobFailed if the bucket doesn't exist, or the role isn't allowed to list it.
        """

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        """Read an object. Raises JobFailed if it doesn't exist or the role isn't allowed to."""

    def write(self, bucket: str, key: str, content: bytes, role_arn: str) -> None:
        """Write an object. Raises JobFailed if the role isn't allowed to."""


class Location(NamedTuple):
    """A bucket, and either the key of a file or a prefix, such as that of a folder."""

    bucket: str
    key: str


def parse_location(url: str) -> Location:
    """Parse a URL like s3://bucket/key, and reject anything else."""
    scheme, _, path = url.partition("://")
    bucket, _, key = path.partition("/")
    if scheme != "s3" or not bucket:
        raise invalid_input("Invalid Data location.")

    return Location(bucket, key)


def read_csv_files(objects: S3Objects, location: Location, role_arn: str) -> dict[str, bytes]:
    """Read a CSV file, or all CSV files in a folder, and return their contents by URL.

    The job fails if there is no file, a file can't be read, or a folder contains other files. A
    byte-order mark is removed.
    """
    bucket = location.bucket
    keys = _list_csv_keys(objects, location, role_arn)
    if not keys:
        raise JobFailed(
            f"Invalid Data location. There is no CSV file at s3://{bucket}/{location.key}"
        )

    files = {}
    for key in keys:
        content = objects.read(bucket, key, role_arn)
        files[f"s3://{bucket}/{key}"] = content.removeprefix(BOM_UTF8)

    return files


def _list_csv_keys(objects: S3Objects, location: Location, role_arn: str) -> list[str]:
    """List the key of a single file, or the keys in a folder, which must all end with ".csv"."""
    prefix = location.key
    all_keys = objects.keys(location.bucket, prefix, role_arn)
    if prefix and not prefix.endswith("/"):
        return [key for key in all_keys if key == prefix]

    # Subfolders aren't imported (guide, "Importing bulk data"). The key of the folder itself
    # doesn't count either. It exists because the S3 console creates it to show the folder.
    keys = [key for key in all_keys if key != prefix and "/" not in key.removeprefix(prefix)]
    for key in keys:
        if not key.endswith(".csv"):
            raise JobFailed(f"s3://{location.bucket}/{key} is not a CSV file")

    return keys
