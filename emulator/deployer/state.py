"""Keeps the deployed resources of a stack as objects in an S3 bucket of the emulated account.

A stack therefore exists as long as the emulator.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from emulator.deployer.aws import Aws

BUCKET = "pulumi-state"


@dataclass(frozen=True)
class Record:
    """A resource that was created."""

    urn: str
    inputs: Mapping[str, object]
    """The declared inputs and the physical name."""
    id: str
    """Pulumi's id of the resource."""
    outputs: Mapping[str, object]


class State:
    """The records of one stack. They are read at the start, and each new record is written."""

    def __init__(self, aws: Aws, project: str, stack: str) -> None:
        self._aws = aws
        self._prefix = f"{project}/{stack}/"
        self._create_bucket()
        self._deployed = {record.urn: record for record in self._read()}

    def find(self, urn: str, label: str, inputs: Mapping[str, object]) -> Record | None:
        """Return the record that a resource had at the start, or None if it is new.

        Raises DeploymentError if its inputs have changed. The message begins with the label.
        """
        record = self._deployed.get(urn)
        if record is None:
            return None
        changed = sorted(
            name
            for name in {*record.inputs, *inputs}
            if record.inputs.get(name) != inputs.get(name)
        )
        if changed:
            raise DeploymentError(
                f"{label}: {', '.join(changed)} differs from what is deployed; "
                "the emulator's deployer does not update"
            )
        return record

    def add(self, record: Record) -> None:
        """Write the record of a resource that was just created."""
        key = f"{self._prefix}{hashlib.sha256(record.urn.encode()).hexdigest()}.json"
        body = json.dumps(asdict(record)).encode()
        self._aws.call("s3", "PutObject", {"Bucket": BUCKET, "Key": key, "Body": body})

    def check_all_declared(self, declared: Iterable[str]) -> None:
        """Raise DeploymentError unless the program declares every resource that was deployed.

        `declared` has the URNs of the program.
        """
        if removed := sorted(set(self._deployed) - set(declared)):
            raise DeploymentError(
                "deployed before and no longer declared; the emulator's deployer does not delete: "
                + ", ".join(removed)
            )

    def _create_bucket(self) -> None:
        """Create the bucket if it does not exist."""
        buckets = self._aws.call("s3", "ListBuckets", {})["Buckets"]
        if BUCKET in {bucket["Name"] for bucket in buckets}:
            return
        request: dict[str, object] = {"Bucket": BUCKET}
        if self._aws.region != "us-east-1":  # S3 refuses the constraint for this region.
            request["CreateBucketConfiguration"] = {"LocationConstraint": self._aws.region}
        self._aws.call("s3", "CreateBucket", request)

    def _read(self) -> Iterator[Record]:
        """Yield the records in the bucket."""
        location = {"Bucket": BUCKET, "Prefix": self._prefix}
        for summary in self._aws.list_items("s3", "ListObjectsV2", location):
            request = {"Bucket": BUCKET, "Key": summary["Key"]}
            yield Record(**json.load(self._aws.call("s3", "GetObject", request)["Body"]))
