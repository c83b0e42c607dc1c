"""Reads and writes the tags that store what Personalize itself doesn't.

Each tag holds one fact about its job or resource. The Describe operations don't return tags, so
reading them takes another request for each resource. A value can't be JSON, because
AWS accepts only letters, digits, white space and `_.:/=+-@`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..common import clock

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import TagTypeDef

    from ..contract import Tags

RUN_TAG = "retraining-run"
"""Import jobs, batch jobs and solution versions: the ID of the run that created them."""
EXPORT_BYTES_TAG = "retraining-bytes"
"""Import jobs: the size of the export in bytes when the import job was created."""
CONTENT_TAG = "retraining-content"
"""Import jobs: the newest event and the commonest event types (`planning/export_content.py`)."""
FINGERPRINT_TAG = "retraining-fingerprint"
"""Import jobs: the fingerprint of the export when the import job was created (`s3/exports.py`)."""
CONFIRMED_TAG = "retraining-confirmed"
"""Import jobs: the same fingerprint if the export was unchanged after the import, or `tainted` if a
run found other files there in the meantime (`rules/imports.py`)."""
TAINTED_VALUE = "tainted"
"""The value of `CONFIRMED_TAG` for a tainted import. No run replaces it."""
TAINTED_BY_TAG = "retraining-tainted-by"
"""Datasets: the name and end time of the last INCREMENTAL import that is tainted, or that no run
confirmed in time. Only a later FULL import replaces its rows."""
DIGEST_TAG = "retraining-digest"
"""Solution versions: a hash of the data and the configuration when the training was created
(`rules/trainings.py`)."""
APPROVAL_TAG = "retraining-approval"
"""Solution versions: the request for an approval, or the answer to it (`approvals.py`)."""
BATCH_TAG = "retraining-batch"
"""Batch jobs: a hash of everything that affects the results (`rules/batch_jobs.py`), and the day in
place of `{date}` in the output."""
TRIAL_TAG = "retraining-trial"
"""Campaigns: the version on trial, and when the trial began (`campaigns.py`)."""
BAKE_TAG = "retraining-bake"
"""Campaigns: when the bake of the version on trial ends, set once a run has seen it served."""
GOOD_VERSION_TAG = "retraining-good"
"""Campaigns: the version to roll back to if the version on trial is bad."""
PREVIOUS_GOOD_VERSION_TAG = "retraining-previous"
"""Campaigns: the good version before the one in `retraining-good`."""
BLOCKED_VERSION_TAG = "retraining-blocked"
"""Campaigns: the newest version that a run or a person rolled back here."""
REPORTED_VERDICT_TAG = "retraining-reported"
"""Campaigns: the last reported verdict on a candidate that wasn't deployed."""
PIN_TAG = "retraining-pinned"
"""Campaigns: any value but `-` pins the campaign. Our commands write `since <time> by <person>`."""
CHECKED_TAG = "retraining-checked"
"""Campaigns, datasets, and solutions without campaigns: when a run last found the model trained on
the newest data, or the dataset holding its current export."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far other clocks may be ahead of ours."""


def read_tags(client: PersonalizeClient, arn: str) -> Tags:
    """Read the tags of a resource."""
    tags = client.list_tags_for_resource(resourceArn=arn)["tags"]
    return {tag["tagKey"]: tag["tagValue"] for tag in tags}


def write_tags(client: PersonalizeClient, arn: str, tags: Tags) -> None:
    """Tag a resource in one request. Tags with other keys don't change."""
    client.tag_resource(resourceArn=arn, tags=build_api_tags(tags))


def build_api_tags(tags: Tags) -> list[TagTypeDef]:
    """Convert tags to the list that the Personalize API expects."""
    return [{"tagKey": key, "tagValue": value} for key, value in tags.items()]


def parse_past_time(text: str, max_ahead: timedelta = timedelta()) -> datetime | None:
    """Parse a time in a tag, or return None if it's invalid or has no time zone.

    People can edit tags, so a time that's more than `max_ahead` in the future is also invalid.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None

    if time.tzinfo is None or time > clock.now() + max_ahead + CLOCK_TOLERANCE:
        return None
    return time
