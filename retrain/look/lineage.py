"""Reads where a solution version comes from: its run, its data, its metrics and its campaigns.

Everything is read from Personalize, so a version can be traced after its stack was destroyed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypedDict

from botocore.exceptions import ClientError

from functions.personalize.campaigns import (
    describe_campaign,
    live_version,
    metrics_of,
    read_approval,
    read_notes,
)
from functions.personalize.imports import ImportReader
from functions.personalize.lists import PAGE_SIZE
from functions.personalize.statuses import is_active
from functions.personalize.tags import (
    BYTES,
    CONFIRMED,
    DIGEST,
    FINGERPRINT,
    RUN,
    tags_of,
)
from functions.personalize.trainings import describe_version
from functions.rules.imports import effective_imports
from functions.rules.trainings import SeenSolution, digest
from retrain.account.errors import OperatorError, code_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import SolutionVersionTypeDef

    from functions.contract import Tags
    from functions.rules.imports import Import
    from retrain.account.access import Access

VERSION_ARN = re.compile(
    r"arn:[^:]+:personalize:(?P<region>[a-z0-9-]+):\d{12}:solution/[^/]+/[^/$]+"
)
MAX_READ_IMPORTS = 60
"""The number of import jobs of a dataset whose location and tags are read, newest first. A version
of an INCREMENTAL dataset may have learned hundreds."""


class LearnedImport(TypedDict):
    """An import job whose data a version was trained on. Personalize does not count the rows."""

    datasetImportJobArn: str
    importMode: str
    createdAt: datetime
    endedAt: datetime
    dataLocation: str | None
    bytes: int | None
    """The size of the export when the import began, or null for a foreign import."""
    runId: str | None
    """The run that has created the job, or null for a foreign import."""
    held: bool
    """True if the export did not change during the import."""


class LearnedDataset(TypedDict):
    """The import jobs of one dataset that a version was trained on, newest first."""

    type: str
    datasetArn: str
    imports: list[LearnedImport]
    olderImports: int
    """The number of further import jobs, which were not read."""


class CampaignVerdict(TypedDict):
    """What a campaign has to do with a version."""

    campaignArn: str
    serves: bool
    onTrial: bool
    good: bool
    """True if the campaign is rolled back to this version when its next version is bad."""
    previous: bool
    bad: bool
    """True if the version was taken back here, so that no run deploys it here again."""


class ApprovalOfVersion(TypedDict):
    """The request for an approval of a version, or the answer of a person."""

    answer: str
    """ASKED, APPROVED or REFUSED."""
    at: datetime
    by: str | None
    """Who has answered, or null if nobody has."""


class Lineage(TypedDict):
    """A version, and where it comes from."""

    solutionVersionArn: str
    solutionArn: str
    name: str | None
    status: str
    failure: str | None
    recipeArn: str | None
    trainingMode: str
    trainingHours: float | None
    createdAt: datetime
    endedAt: datetime
    runId: str | None
    """The run that has trained the version, or null if a person or the service has."""
    approval: ApprovalOfVersion | None
    """Null if no run has asked for an approval."""
    datasets: list[LearnedDataset]
    metrics: dict[str, float]
    campaigns: list[CampaignVerdict]
    warnings: list[str]


def read_lineage(access: Access, version_arn: str) -> Lineage:
    """Return where a version comes from.

    Raises OperatorError if the ARN is not that of a version that exists.
    """
    match = VERSION_ARN.fullmatch(version_arn)
    if match is None:
        raise OperatorError(
            f"--version {version_arn!r} is not the ARN of a solution version, for example "
            "'arn:aws:personalize:eu-west-1:123456789012:solution/movies/1a2b3c4d'; "
            "`retrain history` shows the versions of the last runs"
        )
    if access.region not in (None, match["region"]):
        raise OperatorError(
            f"--region is {access.region}, but the version {version_arn} is in {match['region']}; "
            "leave --region out"
        )
    client = access.in_region(match["region"]).personalize
    try:
        version = describe_version(client, version_arn)
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        raise OperatorError(
            f"--version {version_arn} does not exist; it was deleted with its solution, or the "
            "credentials are of another account"
        ) from error
    return _lineage(client, version_arn, version)


def _lineage(
    client: PersonalizeClient, version_arn: str, version: SolutionVersionTypeDef
) -> Lineage:
    """Return where a version that exists comes from."""
    tags = tags_of(client, version_arn)
    imports = ImportReader(client).of_group(version["datasetGroupArn"], ())
    return {
        "solutionVersionArn": version_arn,
        "solutionArn": version["solutionArn"],
        "name": version.get("name"),
        "status": version["status"],
        "failure": version.get("failureReason"),
        "recipeArn": version.get("recipeArn"),
        "trainingMode": version.get("trainingMode", "FULL"),
        "trainingHours": version.get("trainingHours"),
        "createdAt": version["creationDateTime"],
        "endedAt": version["lastUpdatedDateTime"],
        "runId": tags.get(RUN),
        "approval": _approval(tags),
        "datasets": [
            _learned_dataset(client, arn, _learned(arn, version, imports))
            for arn in sorted({job.dataset for job in imports})
        ],
        "metrics": _metrics(client, version_arn, version["status"]),
        "campaigns": list(_campaigns(client, version_arn, version["solutionArn"])),
        "warnings": list(_warnings(version, tags, imports)),
    }


def _learned(
    dataset_arn: str, version: SolutionVersionTypeDef, imports: Sequence[Import]
) -> list[Import]:
    """Return the imports of a dataset that a version was trained on, oldest first."""
    of_dataset = [job for job in imports if job.dataset == dataset_arn]
    return effective_imports(of_dataset, version["creationDateTime"])


def _learned_dataset(
    client: PersonalizeClient, dataset_arn: str, jobs: Sequence[Import]
) -> LearnedDataset:
    """Return the dataset's import jobs that a version was trained on. `jobs` are oldest first."""
    newest_first = jobs[::-1]
    return {
        "type": dataset_arn.rpartition("/")[2],
        "datasetArn": dataset_arn,
        "imports": [_learned_import(client, job) for job in newest_first[:MAX_READ_IMPORTS]],
        "olderImports": len(newest_first[MAX_READ_IMPORTS:]),
    }


def _learned_import(client: PersonalizeClient, job: Import) -> LearnedImport:
    """Return an import job with its location and what its tags say."""
    arn = job.arn
    described = client.describe_dataset_import_job(datasetImportJobArn=arn)["datasetImportJob"]
    tags = tags_of(client, arn)
    size = tags.get(BYTES, "")
    return {
        "datasetImportJobArn": arn,
        "importMode": "FULL" if job.is_full else "INCREMENTAL",
        "createdAt": job.created_at,
        "endedAt": job.ended_at,
        "dataLocation": described["dataSource"].get("dataLocation"),
        "bytes": int(size) if size.isdecimal() else None,
        "runId": tags.get(RUN),
        "held": CONFIRMED in tags and tags[CONFIRMED] == tags.get(FINGERPRINT),
    }


def _approval(tags: Tags) -> ApprovalOfVersion | None:
    """Return the request for an approval, or the answer, according to the tags of a version."""
    approval = read_approval(tags)
    if approval is None:
        return None
    return {"answer": approval.answer, "at": approval.at, "by": approval.by or None}


def _metrics(client: PersonalizeClient, version_arn: str, status: str) -> dict[str, float]:
    """Return the offline metrics of a version. Only an ACTIVE version has any."""
    return metrics_of(client, version_arn) if is_active(status) else {}


def _campaigns(
    client: PersonalizeClient, version_arn: str, solution_arn: str
) -> Iterator[CampaignVerdict]:
    """Yield what each campaign of the solution has to do with the version."""
    pages = client.get_paginator("list_campaigns").paginate(
        solutionArn=solution_arn, PaginationConfig=PAGE_SIZE
    )
    for arn in [item["campaignArn"] for page in pages for item in page["campaigns"]]:
        notes = read_notes(tags_of(client, arn), solution_arn)
        yield {
            "campaignArn": arn,
            "serves": live_version(describe_campaign(client, arn)) == version_arn,
            "onTrial": notes.trial is not None and notes.trial.version == version_arn,
            "good": notes.good == version_arn,
            "previous": notes.previous == version_arn,
            "bad": notes.bad == version_arn,
        }


def _warnings(
    version: SolutionVersionTypeDef, tags: Tags, imports: Sequence[Import]
) -> Iterator[str]:
    """Yield what makes the lineage uncertain."""
    seen = SeenSolution(config="", imports=imports, trainings=())
    listed = digest(seen, version["creationDateTime"])
    if RUN in tags and not tags.get(DIGEST, "").startswith(listed):
        yield (
            "the tag of the version names other import jobs than the lists show now; import jobs "
            "or datasets may have been deleted, or the tag was edited"
        )
