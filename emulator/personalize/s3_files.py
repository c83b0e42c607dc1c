"""The files in S3 that jobs read, and where they are."""

from codecs import BOM_UTF8
from typing import NamedTuple

from emulator.personalize.errors import JobFailed, invalid_input
from emulator.personalize.store import Objects


class Location(NamedTuple):
    """A location in S3. The key may also be a prefix of keys."""

    bucket: str
    key: str


def parse_location(url: str) -> Location:
    """Parse a location like `s3://bucket/key`."""
    scheme, _, path = url.partition("://")
    bucket, _, key = path.partition("/")
    if scheme != "s3" or not bucket:
        raise invalid_input("Invalid Data location.")

    return Location(bucket, key)


def read_csv_files(objects: Objects, location: Location, role_arn: str) -> dict[str, bytes]:
    """Read the CSV files of a job by their URLs, for example "s3://bucket/folder/users.csv".

    A byte-order mark is left out. The job fails if there is no file, or another file in a folder,
    or if a file cannot be read.
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


def _list_csv_keys(objects: Objects, location: Location, role_arn: str) -> list[str]:
    """List the key at a location, or the keys in a folder, all of which must end in ".csv"."""
    prefix = location.key
    all_keys = objects.keys(location.bucket, prefix, role_arn)
    if prefix and not prefix.endswith("/"):
        return [key for key in all_keys if key == prefix]

    # Only the files in the first level of a folder are imported (guide: "Importing bulk data").
    # The key of the folder itself doesn't count, because the S3 console creates it to show one.
    keys = [key for key in all_keys if key != prefix and "/" not in key.removeprefix(prefix)]
    for key in keys:
        if not key.endswith(".csv"):
            raise JobFailed(f"s3://{location.bucket}/{key} is not a CSV file")

    return keys
