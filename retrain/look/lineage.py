"""Traces the lineage of a solution version: its run, its data, and the campaigns that deployed it.

Everything is read from Personalize, so a version can be traced even after its stack was destroyed.
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from functions.common.formatting import (
    format_duration,
    format_metric_name,
    format_number,
    format_size,
    format_time,
)
from functions.personalize.approvals import parse_approval
from functions.personalize.campaigns import read_campaign_state
from functions.personalize.imports import ImportReader
from functions.personalize.lists import PAGE_SIZE, read_list
from functions.personalize.statuses import is_active
from functions.personalize.tags import RUN_TAG, read_tags
from functions.personalize.trainings import describe_version, read_metrics
from functions.rules.imports import list_effective_imports
from retrain.account.access import read_if_exists
from retrain.account.errors import OperatorError
from retrain.look.lines import STYLES, Line
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import SolutionVersionTypeDef

    from functions.contract import Tags
    from functions.rules.imports import Import
    from retrain.account.access import Access

Document: TypeAlias = dict[str, Any]
VERSION_ARN = re.compile(
    r"arn:[^:]+:personalize:(?P<region>[a-z0-9-]+):\d{12}:solution/[^/]+/[^/$]+"
)
MAX_IMPORTS = 5
"""How many import jobs of each dataset are shown. Each takes two requests, and if a dataset is
imported with INCREMENTAL, a version may have been trained on hundreds of imports."""
RELATIONS = {
    "serves": "serves it",
    "onTrial": "has it on trial",
    "good": "rolls back to it",
    "previous": "had it before",
    "bad": "was rolled back from it",
}
"""Key in the JSON document -> how a campaign is related to the version, in words."""


def read_lineage(access: Access, version_arn: str) -> Document:
    """Read a version's lineage as a JSON document.

    Raises OperatorError if the ARN isn't that of a solution version, or if it no longer exists.
    """
    match = VERSION_ARN.fullmatch(version_arn)
    if match is None:
        raise OperatorError(
            f"--version {version_arn!r} is not the ARN of a solution version; `retrain history` "
            "shows the versions of the last runs"
        )

    client = access.in_region(match["region"], "the version").personalize
    version = read_if_exists(describe_version, client=client, arn=version_arn)
    if version is None:
        raise OperatorError(
            f"--version {version_arn} does not exist; it was deleted with its solution, or the "
            "credentials are of another account"
        )
    return _build_lineage(client, version)


def _build_lineage(client: PersonalizeClient, version: SolutionVersionTypeDef) -> Document:
    version_arn = version["solutionVersionArn"]
    solution_arn = version["solutionArn"]
    tags = read_tags(client, version_arn)

    metrics: Mapping[str, float] = {}
    if is_active(version["status"]):
        metrics = read_metrics(client, version_arn)

    return {
        "solutionVersionArn": version_arn,
        "solutionArn": solution_arn,
        "status": version["status"],
        "failure": version.get("failureReason"),
        "recipeArn": version.get("recipeArn"),
        "trainingMode": version.get("trainingMode", "FULL"),
        "trainingHours": version.get("trainingHours"),
        "createdAt": version["creationDateTime"],
        "endedAt": version["lastUpdatedDateTime"],
        # Without this tag, a person or Personalize itself trained the version.
        "runId": tags.get(RUN_TAG),
        "approval": _build_approval(tags),
        "datasets": [*_read_datasets(client, version)],
        "metrics": metrics,
        "campaigns": [*_read_campaigns(client, version_arn, solution_arn)],
    }


def _build_approval(tags: Tags) -> Document | None:
    approval = parse_approval(tags)
    if approval is None:
        return None

    return {
        "answer": approval.status,
        "at": approval.changed_at,
        "by": approval.answered_by or None,
    }


def _read_datasets(
    client: PersonalizeClient, version: SolutionVersionTypeDef
) -> Iterator[Document]:
    """Yield each dataset, with the import jobs that the version was trained on, newest first."""
    reader = ImportReader(client, ())
    imports = reader.list_group_imports(version["datasetGroupArn"])
    training_imports = _list_training_imports(imports, version["creationDateTime"])

    for dataset_arn in sorted({job.dataset_arn for job in imports}):
        dataset_imports = [job for job in training_imports if job.dataset_arn == dataset_arn]
        shown_imports = map(reader.add_tags, dataset_imports[:MAX_IMPORTS])
        yield {
            "type": dataset_arn.rpartition("/")[2],
            "datasetArn": dataset_arn,
            "imports": [_describe_import(client, job) for job in shown_imports],
            "olderImports": len(dataset_imports[MAX_IMPORTS:]),
        }


def _list_training_imports(imports: Sequence[Import], training_began_at: datetime) -> list[Import]:
    """List the imports whose rows were in the datasets when the training began, newest first."""
    earlier_imports = [job for job in imports if job.ended_at <= training_began_at]
    return list_effective_imports(earlier_imports)[::-1]


def _describe_import(client: PersonalizeClient, job: Import) -> Document:
    """Describe an import job. Only DescribeDatasetImportJob returns its data location."""
    response = client.describe_dataset_import_job(datasetImportJobArn=job.arn)

    return {
        "datasetImportJobArn": job.arn,
        "importMode": "FULL" if job.is_full else "INCREMENTAL",
        "createdAt": job.created_at,
        "endedAt": job.ended_at,
        "dataLocation": response["datasetImportJob"]["dataSource"].get("dataLocation"),
        "bytes": job.export_bytes,
        "runId": job.run_id,
    }


def _read_campaigns(
    client: PersonalizeClient, version_arn: str, solution_arn: str
) -> Iterator[Document]:
    """Yield the campaigns of the solution, each with a flag for each of the RELATIONS."""
    pages = client.get_paginator("list_campaigns").paginate(
        solutionArn=solution_arn, PaginationConfig=PAGE_SIZE
    )
    for summary in read_list(pages, itemgetter("campaigns")):
        campaign_arn = summary["campaignArn"]
        campaign = read_campaign_state(client, campaign_arn, solution_arn)
        record = campaign.record

        yield {
            "campaignArn": campaign_arn,
            "serves": campaign.served_version_arn == version_arn,
            "onTrial": record.trial is not None and record.trial.version_arn == version_arn,
            "good": record.good_version_arn == version_arn,
            "previous": record.previous_good_version_arn == version_arn,
            "bad": record.blocked_version_arn == version_arn,
            "pin": campaign.pin,
        }


# The screen


def build_lineage_lines(lineage: Document) -> Iterator[Line]:
    """Yield the lines of the screen that shows a version's lineage."""
    yield from _version_lines(lineage)
    for dataset in lineage["datasets"]:
        yield from _dataset_lines(dataset)
    yield from _metric_lines(lineage["metrics"])
    yield from _campaign_lines(lineage["campaigns"])


def _version_lines(lineage: Document) -> Iterator[Line]:
    status = lineage["status"]
    version_name = short_name(lineage["solutionVersionArn"])
    yield Line(0, "version", f"{version_name}  {status}", STYLES.get(status, ""))
    if lineage["failure"]:
        yield Line(0, "failure", lineage["failure"], "red")

    yield Line(0, "trained", ", ".join(_describe_training(lineage)))
    yield Line(0, "by", _describe_trainer(lineage["runId"]))
    if lineage["approval"]:
        yield Line(0, "approval", _describe_approval(lineage["approval"]))


def _describe_training(lineage: Document) -> Iterator[str]:
    created_at = lineage["createdAt"]
    seconds = (lineage["endedAt"] - created_at).total_seconds()
    yield f"{format_time(created_at)} UTC in {format_duration(seconds)}"
    yield lineage["trainingMode"]

    if lineage["trainingHours"] is not None:
        yield f"{format_number(lineage['trainingHours'])} training hours"
    if lineage["recipeArn"]:
        yield short_name(lineage["recipeArn"])


def _describe_trainer(run_id: str | None) -> str:
    if run_id is None:
        return "no run of a pipeline: Personalize itself or a person has trained it"
    return f"run {run_id}"


def _describe_approval(approval: Document) -> str:
    # A run requests the approval, so only an answer is by a person.
    person = approval["by"] or "the run"
    return f"{approval['answer'].lower()} by {person} at {format_time(approval['at'])} UTC"


def _dataset_lines(dataset: Document) -> Iterator[Line]:
    """Yield the import jobs of a dataset. Only the first line is labelled with its type."""
    label = dataset["type"].lower()
    if not dataset["imports"]:
        yield Line(0, label, "no import before the training")

    for job in dataset["imports"]:
        yield Line(0, label, _format_import(job))
        label = ""
    if dataset["olderImports"]:
        yield Line(0, "", f"and {dataset['olderImports']} earlier imports")


def _format_import(job: Document) -> str:
    text = f"{job['importMode']}, ended {format_time(job['endedAt'])} UTC"
    if job["bytes"] is not None:
        text += f", {format_size(job['bytes'])}"

    text += f", run {job['runId']}" if job["runId"] else ", foreign"
    if job["dataLocation"]:
        text += f"\n{job['dataLocation']}"
    return text


def _metric_lines(metrics: Mapping[str, float]) -> Iterator[Line]:
    texts = [f"{format_metric_name(name)} {value:.4f}" for name, value in metrics.items()]
    if texts:
        yield Line(0, "metrics", "\n".join(sorted(texts)))


def _campaign_lines(campaigns: Sequence[Document]) -> Iterator[Line]:
    """Yield how each campaign is related to the version."""
    label = "campaigns"
    for campaign in campaigns:
        relations = ", ".join(_list_relations(campaign)) or "does not serve it"
        yield Line(0, label, f"{short_name(campaign['campaignArn'])} {relations}")
        label = ""


def _list_relations(campaign: Document) -> Iterator[str]:
    """Yield the relations of a campaign to the version, as verbs that follow its name."""
    for key, text in RELATIONS.items():
        # After its trial, the served version is also the good one, but a campaign can't roll back
        # to the version that it already serves.
        is_served_good = key == "good" and campaign["serves"]
        if campaign[key] and not is_served_good:
            yield text

    if campaign["serves"] and campaign["pin"]:
        yield f"is {campaign['pin']}"
