"""Reads and writes the tags with which the pipeline remembers facts about jobs and campaigns.

Each tag holds one fact. Describe does not return tags, so they are read by ARN. The value of a tag
may contain letters, digits, white space and `_.:/=+-@` only, so it cannot be JSON.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .. import clock

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import TagTypeDef

    from ..contract import Tags

RUN = "retraining-run"
"""Import jobs, batch jobs and versions: the id of the run that created the job."""
BYTES = "retraining-bytes"
"""Import jobs: the size of the export in bytes when the import job was created."""
CONTENT = "retraining-content"
"""Import jobs: what the rows of the export contain (`planning/export_content.py`)."""
FINGERPRINT = "retraining-fingerprint"
"""Import jobs: the fingerprint of the export when the import job was created (`exports.py`)."""
CONFIRMED = "retraining-confirmed"
"""Import jobs: the same fingerprint, once the export was found unchanged after the import, or
`spoiled`, once a run has found other files there meanwhile (`rules/imports.py`)."""
SPOILED = "spoiled"
"""The value of `CONFIRMED` that nobody replaces."""
BROKEN = "retraining-broken"
"""Datasets: the name and the end of the last INCREMENTAL import that only a later FULL import
repairs."""
DIGEST = "retraining-digest"
"""Versions: the digest of the data and configuration, when the training was created
(`rules/trainings.py`)."""
APPROVAL = "retraining-approval"
"""Versions: that a run has asked for an approval, or the answer of a person (`campaigns.py`)."""
BATCH = "retraining-batch"
"""Batch jobs: a hash of everything on which the results depend (`rules/batch_jobs.py`), and the day
that has replaced `{date}` in the output."""
TRIAL = "retraining-trial"
"""Campaigns: the version on trial and the time just before its update (`campaigns.py`)."""
BAKE = "retraining-bake"
"""Campaigns: the end of the bake of the version on trial, once a run has seen that it is served."""
GOOD = "retraining-good"
"""Campaigns: the version to which the campaign is rolled back if the version on trial is bad."""
PREVIOUS = "retraining-previous"
"""Campaigns: the version that was good before the version of the tag `retraining-good`."""
BAD = "retraining-bad"
"""Campaigns: the newest version that was rolled back here, by a run or by a person."""
REPORTED = "retraining-seen"
"""Campaigns: the last verdict about a candidate that a report has told, without a deployment."""
PINNED = "retraining-pinned"
"""Campaigns: any value but `-` pins the campaign. Our commands write `since <time> by <person>`."""
CHECKED = "retraining-checked"
"""Campaigns, datasets, and solutions without campaigns: when a run last found that the campaign
serves a version trained on the newest data, or that the dataset holds its present export."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far another clock may be ahead."""


def tags_of(client: PersonalizeClient, arn: str) -> Tags:
    """Return the tags of a resource as a mapping."""
    tags = client.list_tags_for_resource(resourceArn=arn)["tags"]
    return {tag["tagKey"]: tag["tagValue"] for tag in tags}


def write_tags(client: PersonalizeClient, arn: str, tags: Tags) -> None:
    """Write tags on a resource in one request. They replace the tags with these keys."""
    client.tag_resource(resourceArn=arn, tags=api_tags(tags))


def api_tags(tags: Tags) -> list[TagTypeDef]:
    """Return tags in the form that the API of Personalize expects."""
    return [{"tagKey": key, "tagValue": value} for key, value in tags.items()]


def past_time(text: str, ahead: timedelta = timedelta()) -> datetime | None:
    """Return the time in a tag, or None if it has no zone or is too far in the future."""
    try:
        time = datetime.fromisoformat(text)
        return time if time <= clock.now() + ahead + CLOCK_TOLERANCE else None
    except (ValueError, TypeError):
        return None
