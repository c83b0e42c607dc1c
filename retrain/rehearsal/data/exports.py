"""Puts CSV exports where a stack's settings say, and lets Personalize and the import role read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import boto3

from retrain.rehearsal.data.data_sets import TYPES, rows
from retrain.rehearsal.data.sample_data import to_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from components.args import RetrainingPipelineArgs
    from emulator.process import Emulator

DATE = "{date}"
"""In a location or a marker: the day of the run."""
PARTS = 3
"""Files below a location that is a prefix."""
PERSONALIZE = "personalize.amazonaws.com"
READ = ("s3:GetObject", "s3:ListBucket")
US_EAST_1 = "us-east-1"
"""The one region whose name CreateBucket does not take."""


class Export(NamedTuple):
    """Where one dataset's data lies."""

    dataset_type: str
    dataset_arn: str
    location: str
    import_mode: str
    ready_marker: str | None = None
    """An object that is written after the data; None: there is none."""

    def on(self, day: str) -> Export:
        """Give the export of a day (2026-11-29), which takes the place of `{date}`."""
        marker = self.ready_marker and self.ready_marker.replace(DATE, day)
        return self._replace(location=self.location.replace(DATE, day), ready_marker=marker)

    @property
    def bucket(self) -> str:
        """The location's bucket."""
        return split(self.location)[0]

    @property
    def key(self) -> str:
        """The object's key, or a prefix that ends in `/`."""
        return split(self.location)[1]


def split(location: str) -> tuple[str, str]:
    """Give bucket and key of `s3://bucket/key`."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key


def exports_of(args: RetrainingPipelineArgs) -> list[Export]:
    """Give the exports that the settings name.

    A group without interactions cannot be trained on; where the settings name none, there is one
    more export, at a location of the rehearsal's own.
    """
    found = [
        Export(
            TYPES[key],
            str(dataset.dataset_arn),
            str(dataset.data_location),
            dataset.import_mode,
            None if dataset.ready_marker is None else str(dataset.ready_marker),
        )
        for key, dataset in args.datasets.configured().items()
    ]
    if all(each.dataset_type != "INTERACTIONS" for each in found):
        arn = f"{found[0].dataset_arn.rpartition('/')[0]}/INTERACTIONS"
        location = "s3://rehearsal-interactions/interactions.csv"
        found.append(Export("INTERACTIONS", arn, location, "FULL"))
    return found


def put(emulator: Emulator, exports: Sequence[Export], content: Callable[[Export], bytes]) -> None:
    """Put each export's CSV file into S3, and then its marker; buckets that are missing are made.

    `{date}` has been filled in (`Export.on`).
    """
    s3 = boto3.client("s3", **emulator.connection)
    existing = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    markers = [split(each.ready_marker) for each in exports if each.ready_marker]
    needed = {each.bucket for each in exports} | {bucket for bucket, _ in markers}
    for bucket in sorted(needed - existing):
        _make_bucket(emulator, bucket)
    for export in exports:
        for key, body in _files(export.key, content(export)):
            s3.put_object(Bucket=export.bucket, Key=key, Body=body)
    for bucket, key in markers:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")


def make_import_role(
    emulator: Emulator, exports: Sequence[Export], args: RetrainingPipelineArgs
) -> str:
    """Make the role that imports: the one that the settings name, or one of the rehearsal's own."""
    iam = boto3.client("iam", **emulator.connection)
    path, name = _path_and_name(str(args.import_role_arn or "role/rehearsal-import"))
    trust = _statement(Principal={"Service": PERSONALIZE}, Action="sts:AssumeRole")
    role = iam.create_role(Path=path, RoleName=name, AssumeRolePolicyDocument=trust)
    buckets = sorted({each.bucket for each in exports})
    resources = [f"arn:aws:s3:::{bucket}{what}" for bucket in buckets for what in ("", "/*")]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="read-exports",
        PolicyDocument=_statement(Action=READ, Resource=resources),
    )
    return role["Role"]["Arn"]


def make_boundary(emulator: Emulator, args: RetrainingPipelineArgs) -> None:
    """Make the permissions boundary that the settings name; it allows everything.

    Policies that AWS manages are there already.
    """
    arn = str(args.permissions_boundary_arn or "")
    if arn.startswith(f"arn:aws:iam::{emulator.account}:"):
        path, name = _path_and_name(arn)
        boto3.client("iam", **emulator.connection).create_policy(
            Path=path, PolicyName=name, PolicyDocument=_statement(Action="*", Resource="*")
        )


def _path_and_name(arn: str) -> tuple[str, str]:
    """Give `/team/` and `import` of `arn:aws:iam::123456789012:role/team/import`."""
    path, _, name = arn[arn.index("/") :].rpartition("/")
    return f"{path}/", name


def _files(key: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    if not key.endswith("/"):
        yield key, content
        return
    header, *lines = rows(content)
    for part in range(PARTS):
        yield f"{key}part-{part}.csv", to_csv(header, lines[part::PARTS])


def _make_bucket(emulator: Emulator, bucket: str) -> None:
    """Make a bucket whose policy lets Personalize read, as the README's does."""
    s3 = boto3.client("s3", **emulator.connection)
    if emulator.region == US_EAST_1:
        s3.create_bucket(Bucket=bucket)
    else:
        s3.create_bucket(
            Bucket=bucket,
            CreateBucketConfiguration={"LocationConstraint": emulator.region},  # type: ignore[typeddict-item]  # the stubs list the regions
        )
    policy = _statement(
        Principal={"Service": PERSONALIZE},
        Action=READ,
        Resource=[f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        Condition={"StringEquals": {"aws:SourceAccount": emulator.account}},
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)


def _statement(**fields: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **fields}]})
