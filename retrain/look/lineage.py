"""Traces the lineage of a solution version: its run, its data, and the campaigns that deployed it.

Everything is read from Personalize, so a version can be traced even after its stack was destroyed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from functions.common.formatting import (
    format_duration,
    format_metric_name,
    format_number,
    format_size,
    format_time,
    resource_name,
)
from functions.personalize.approvals import parse_approval
from functions.personalize.campaigns import read_campaign_state
from functions.personalize.imports import ImportReader
from functions.personalize.lists import read_list
from functions.personalize.statuses import is_active
from functions.personalize.tags import RUN_TAG, read_tags
from functions.personalize.trainings import describe_version, read_metrics
from functions.rules.imports import list_effective_imports
from retrain.account.access import read_if_exists
from retrain.account.errors import OperatorError
from retrain.look.lines import STYLES, Line
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import SolutionVersionTypeDef

    from functions.contract import Tags
    from functions.rules.campaigns import CampaignState
    from functions.rules.imports import Import
    from retrain.account.access import Access

Document: TypeAlias = dict[str, Any]
VERSION_ARN = re.compile(
    r"arn:[^:]+:personalize:(?P<region>[a-z0-9-]+):\d{12}:solution/[^/]+/[^/$]+"
)
MAX_IMPORTS = 5
"""How many import jobs of each dataset are shown. Each takes two requests, and if a dataset is
imported with INCREMENTAL, a version may have been trained on hundreds of imports."""


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
    """Add to AWS's description of a version what its tags, imports and campaigns tell about it."""
    version_arn = version["solutionVersionArn"]
    tags = read_tags(client, version_arn)
    metrics: Mapping[str, float] = {}
    if is_active(version["status"]):
        metrics = read_metrics(client, version_arn)

    return {
        **version,
        # Without this tag, a person or Personalize itself trained the version.
        "runId": tags.get(RUN_TAG),
        "approval": _describe_approval(tags),
        "datasets": [*_read_datasets(client, version)],
        "metrics": metrics,
        "campaigns": [*_read_campaigns(client, version_arn, version["solutionArn"])],
    }


def _describe_approval(tags: Tags) -> str | None:
    approval = parse_approval(tags)
    if approval is None:
        return None

    # A run requests the approval, so only an answer is by a person.
    person = approval.answered_by or "the run"
    return f"{approval.status.lower()} by {person} at {format_time(approval.changed_at)} UTC"


def _read_datasets(
    client: PersonalizeClient, version: SolutionVersionTypeDef
) -> Iterator[Document]:
    """Yield each dataset, with the import jobs that the version was trained on, newest first."""
    reader = ImportReader(client, ())

    for dataset_arn, jobs in sorted(_group_imports(reader, version).items()):
        shown_imports = map(reader.add_tags, jobs[:MAX_IMPORTS])
        yield {
            "datasetArn": dataset_arn,
            "imports": [_describe_import(client, job) for job in shown_imports],
            "olderImports": len(jobs[MAX_IMPORTS:]),
        }


def _group_imports(
    reader: ImportReader, version: SolutionVersionTypeDef
) -> dict[str, list[Import]]:
    """Group the imports that a version was trained on by their dataset, newest first."""
    group_imports = reader.list_group_imports(version["datasetGroupArn"])
    earlier_imports = [job for job in group_imports if job.ended_at <= version["creationDateTime"]]

    imports_by_dataset: dict[str, list[Import]] = {}
    for job in reversed(list_effective_imports(earlier_imports)):
        imports_by_dataset.setdefault(job.dataset_arn, []).append(job)
    return imports_by_dataset


def _describe_import(client: PersonalizeClient, job: Import) -> Document:
    """Add to AWS's description of an import job what its tags tell about it."""
    response = client.describe_dataset_import_job(datasetImportJobArn=job.arn)
    # Personalize leaves the mode of a FULL import out.
    description = {"importMode": "FULL", **response["datasetImportJob"]}
    return {**description, "bytes": job.export_bytes, "runId": job.run_id}


def _read_campaigns(
    client: PersonalizeClient, version_arn: str, solution_arn: str
) -> Iterator[Document]:
    """Yield the campaigns of the solution, and how each is related to the version."""
    for summary in read_list(client, "list_campaigns", "campaigns", solutionArn=solution_arn):
        campaign_arn = summary["campaignArn"]
        campaign = read_campaign_state(client, campaign_arn, solution_arn)
        relations = [*_describe_relations(campaign, version_arn)]
        yield {"campaignArn": campaign_arn, "relations": relations or ["does not serve it"]}


def _describe_relations(campaign: CampaignState, version_arn: str) -> Iterator[str]:
    """Yield what a campaign has to do with a version, in words that follow the campaign's name."""
    record = campaign.record
    if record.trial is not None and record.trial.version_arn == version_arn:
        yield "has it on trial"
    if campaign.served_version_arn == version_arn:
        yield "serves it"
        if campaign.pin is not None:
            yield f"is {campaign.pin}"  # for example "pinned since ..."
    # After its trial, the served version is also the good one, but a campaign can't roll back to
    # the version that it already serves.
    elif record.good_version_arn == version_arn:
        yield "rolls back to it"

    if record.previous_good_version_arn == version_arn:
        yield "had it before"
    if record.blocked_version_arn == version_arn:
        yield "was rolled back from it"


# The screen


def build_lineage_lines(lineage: Document) -> Iterator[Line]:
    """Yield the lines of the screen that shows a version's lineage."""
    yield from _version_lines(lineage)

    for dataset in lineage["datasets"]:
        dataset_type = resource_name(dataset["datasetArn"]).lower()
        yield Line(0, dataset_type, "\n".join(_describe_imports(dataset)))
    if lineage["metrics"]:
        yield Line(0, "metrics", "\n".join(sorted(_describe_metrics(lineage["metrics"]))))
    if lineage["campaigns"]:
        yield Line(0, "campaigns", "\n".join(map(_describe_campaign, lineage["campaigns"])))


def _version_lines(lineage: Document) -> Iterator[Line]:
    status = lineage["status"]
    version_name = short_name(lineage["solutionVersionArn"])
    yield Line(0, "version", f"{version_name}  {status}", STYLES.get(status, ""))
    if "failureReason" in lineage:
        yield Line(0, "failure", lineage["failureReason"], "red")

    yield Line(0, "trained", ", ".join(_describe_training(lineage)))
    yield Line(0, "by", _describe_trainer(lineage))
    if lineage["approval"]:
        yield Line(0, "approval", lineage["approval"])


def _describe_training(lineage: Document) -> Iterator[str]:
    created_at = lineage["creationDateTime"]
    seconds = (lineage["lastUpdatedDateTime"] - created_at).total_seconds()
    yield f"{format_time(created_at)} UTC in {format_duration(seconds)}"
    yield lineage.get("trainingMode", "FULL")

    if "trainingHours" in lineage:
        yield f"{format_number(lineage['trainingHours'])} training hours"
    if "recipeArn" in lineage:
        yield short_name(lineage["recipeArn"])


def _describe_trainer(lineage: Document) -> str:
    if lineage["runId"] is not None:
        return f"run {lineage['runId']}"
    if lineage.get("trainingType") == "AUTOMATIC":
        return "Personalize, by automatic training"
    return "a person or another program, and no run of a pipeline"


def _describe_metrics(metrics: Mapping[str, float]) -> Iterator[str]:
    for name, value in metrics.items():
        yield f"{format_metric_name(name)} {value:.4f}"


def _describe_campaign(campaign: Document) -> str:
    return f"{short_name(campaign['campaignArn'])} {', '.join(campaign['relations'])}"


def _describe_imports(dataset: Document) -> Iterator[str]:
    """Yield the import jobs of a dataset, each with the location of its export on a second line."""
    for job in dataset["imports"]:
        yield ", ".join(_list_import_facts(job))
        yield job["dataSource"]["dataLocation"]
    if dataset["olderImports"]:
        yield f"and {dataset['olderImports']} earlier imports"


def _list_import_facts(job: Document) -> Iterator[str]:
    yield job["importMode"]
    yield f"ended {format_time(job['lastUpdatedDateTime'])} UTC"
    if job["bytes"] is not None:
        yield format_size(job["bytes"])
    yield f"run {job['runId']}" if job["runId"] else "foreign"
