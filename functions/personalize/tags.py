"""What the pipeline remembers, as tags on the jobs themselves: one fact per tag.

Describe does not return tags, so they are asked for by ARN. A tag's value may hold letters, digits,
white space and `_.:/=+-@` only: no quotes, commas or JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import Tags

RUN = "retraining-run"
"""On import jobs and versions: the run that created the job. Every pipeline knows a job with this
tag, because a stack that was recreated or moved to another backend has a new job prefix."""
BYTES = "retraining-bytes"
OBJECTS = "retraining-objects"
FINGERPRINT = "retraining-fingerprint"
"""On import jobs: what lay at the location when the import was planned; on versions: all of it."""
ADOPTED = "retraining-adopted-as"
"""On versions of somebody else's that a run took for its own: the name that its own would have."""
VERDICT = "retraining-verdict"
"""On versions that must not be deployed again: a `Verdict`."""
PREVIOUS = "retraining-previous-version"
"""On campaigns: the version served before the last update."""

Verdict = Literal["REJECTED", "ROLLED_BACK"]


def recall(client: PersonalizeClient, arn: str) -> Tags:
    """Give a resource's tags."""
    return {
        tag["tagKey"]: tag["tagValue"]
        for tag in client.list_tags_for_resource(resourceArn=arn)["tags"]
    }


def remember(client: PersonalizeClient, arn: str, key: str, value: str) -> None:
    """Put one fact on a resource, in place of what it said before."""
    client.tag_resource(resourceArn=arn, tags=[{"tagKey": key, "tagValue": value}])
