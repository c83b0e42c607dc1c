"""What a stack has deployed: one object per resource in a bucket of the emulated account.

It lives and dies with the emulator, like Pulumi's state in a self-managed backend.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from emulator.deployer.aws import Aws

BUCKET = "pulumi-state"


@dataclass(frozen=True)
class Record:
    """A resource that was created: what the program declared and what came of it."""

    urn: str
    inputs: Mapping[str, object]
    id: str
    outputs: Mapping[str, object]


class State:
    """The records of one stack, read once and written one by one as resources come to exist."""

    def __init__(self, aws: Aws, project: str, stack: str) -> None:
        self._aws = aws
        self._prefix = f"{project}/{stack}/"
        self._deployed = {record.urn: record for record in self._read()}

    def _read(self) -> Iterable[Record]:
        buckets = self._aws.call("s3", "ListBuckets", {})["Buckets"]
        if BUCKET not in {bucket["Name"] for bucket in buckets}:
            self._aws.call("s3", "CreateBucket", {"Bucket": BUCKET, **self._location()})
        token: dict[str, object] = {}
        while True:
            page = self._aws.call(
                "s3", "ListObjectsV2", {"Bucket": BUCKET, "Prefix": self._prefix, **token}
            )
            for item in page.get("Contents", ()):
                found = self._aws.call("s3", "GetObject", {"Bucket": BUCKET, "Key": item["Key"]})
                yield Record(**json.load(found["Body"]))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _location(self) -> Mapping[str, object]:
        if self._aws.region == "us-east-1":  # S3 takes this constraint for no region but this one
            return {}
        return {"CreateBucketConfiguration": {"LocationConstraint": self._aws.region}}

    def find(self, urn: str, where: str, inputs: Mapping[str, object]) -> Record | None:
        """Return what was deployed under `urn`, or None.

        Raises DeploymentError, beginning with `where`, if its inputs were others.
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
                f"{where}: {', '.join(changed)} differs from what is deployed; "
                "the emulator's deployer does not update"
            )
        return record

    def add(self, record: Record) -> None:
        """Remember a resource that was just created."""
        key = f"{self._prefix}{hashlib.sha256(record.urn.encode()).hexdigest()}.json"
        body = json.dumps(asdict(record)).encode()
        self._aws.call("s3", "PutObject", {"Bucket": BUCKET, "Key": key, "Body": body})

    def require_all_in(self, declared: Iterable[str]) -> None:
        """Raise DeploymentError if something deployed before is not declared any more."""
        if gone := sorted(set(self._deployed) - set(declared)):
            raise DeploymentError(
                "deployed before and no longer declared; the emulator's deployer does not delete: "
                + ", ".join(gone)
            )
