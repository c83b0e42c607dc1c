"""Finds solution versions, traces them to their data, and says what has happened to them since.

Everything is read from Personalize, so a version can be traced after its stack was destroyed.
"""

from __future__ import annotations

import re
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from functions.common import clock
from functions.common.formatting import (
    format_duration,
    format_hours,
    format_list,
    format_metric_name,
    format_number,
    format_size,
    format_time,
)
from functions.personalize.approvals import find_approval_status, parse_approval
from functions.personalize.campaigns import read_campaign_state
from functions.personalize.imports import ImportReader
from functions.personalize.lists import PAGE_SIZE, list_deletions
from functions.personalize.statuses import is_active
from functions.personalize.tags import BLOCKED_VERSION_TAG, EXPORT_BYTES_TAG, RUN_TAG, read_tags
from functions.personalize.trainings import (
    SolutionReader,
    describe_version,
    list_versions,
    read_metrics,
)
from functions.rules.imports import list_effective_imports
from functions.rules.trainings import find_later_deletion
from retrain.account.errors import AWS_ERRORS, OperatorError, aws_error
from retrain.look.lines import STYLES, Line
from retrain.names import is_named, short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import SolutionVersionTypeDef

    from functions.contract import ApprovalSettings, Tags
    from functions.report.model import Report
    from functions.rules.imports import Import
    from retrain.account.access import Access
    from retrain.account.target import Target

Document: TypeAlias = dict[str, Any]
VERSION_ARN = re.compile(
    r"arn:[^:]+:personalize:(?P<region>[a-z0-9-]+):\d{12}:solution/[^/]+/[^/$]+"
)
MAX_IMPORTS = 5
"""The number of import jobs of a dataset that are read and shown, newest first. A version of an
INCREMENTAL dataset may have learned hundreds."""
VERDICTS = {
    "serves": "serves it",
    "onTrial": "has it on trial",
    "good": "rolls back to it",
    "previous": "had it before",
    "bad": "was rolled back from it",
}
"""What a campaign has to do with a version, by the key in the JSON document."""
SHOWN_VERSIONS = 5
"""The number of versions that an error message lists."""


def find_version(target: Target, name: str) -> str:
    """Find the ARN of the version with this short name or id, or raise OperatorError."""
    client = target.access.personalize
    arns = [solution["solutionArn"] for solution in target.settings["solutions"]]
    summaries = [summary for arn in arns for summary in list_versions(client, arn)]
    summaries.sort(key=itemgetter("creationDateTime"), reverse=True)
    newest_first = [summary["solutionVersionArn"] for summary in summaries]

    for arn in newest_first:
        if is_named(arn, name):
            return arn

    names = ", ".join(short_name(arn) for arn in newest_first[:SHOWN_VERSIONS]) or "none"
    solutions = format_list([short_name(arn) for arn in arns]) or "this pipeline"
    raise OperatorError(f"{name!r} is not a version of {solutions}; the newest versions: {names}")


def build_deletion_warning(client: PersonalizeClient, version_arn: str) -> str | None:
    """Warn if a version may still know users who were deleted after its training.

    A rollback is urgent, so it goes on if this cannot be read.
    """
    try:
        version = describe_version(client, version_arn)
        deletions = list_deletions(client, version["datasetGroupArn"])
        solution = client.describe_solution(solutionArn=version["solutionArn"])["solution"]
        # The reader also finds the FULL version whose knowledge an UPDATE keeps.
        state = SolutionReader(client).read_state(solution, (), deletions)
    except AWS_ERRORS as error:
        return f"it is not known whether users were deleted since its training: {aws_error(error)}"

    for training in state.versions:
        deletion = find_later_deletion(training, state)
        if training.arn == version_arn and deletion:
            job = short_name(deletion.arn)
            time = format_time(deletion.ended_at)
            return f"it may still know the users whom {job} deleted until {time} UTC"
    return None


def read_lineage(access: Access, version_arn: str) -> Document:
    """Trace a version to where it comes from, for JSON. Raise OperatorError if it is gone."""
    match = VERSION_ARN.fullmatch(version_arn)
    if match is None:
        raise OperatorError(
            f"--version {version_arn!r} is not the ARN of a solution version; `retrain history` "
            "shows the versions of the last runs"
        )
    client = access.in_region(match["region"], "the version").personalize
    try:
        version = describe_version(client, version_arn)
    except client.exceptions.ResourceNotFoundException as error:
        raise OperatorError(
            f"--version {version_arn} does not exist; it was deleted with its solution, or the "
            "credentials are of another account"
        ) from error
    tags = read_tags(client, version_arn)
    metrics = {}
    if is_active(version["status"]):
        metrics = read_metrics(client, version_arn)

    return {
        "solutionVersionArn": version_arn,
        "solutionArn": version["solutionArn"],
        "status": version["status"],
        "failure": version.get("failureReason"),
        "recipeArn": version.get("recipeArn"),
        "trainingMode": version.get("trainingMode", "FULL"),
        "trainingHours": version.get("trainingHours"),
        "createdAt": version["creationDateTime"],
        "endedAt": version["lastUpdatedDateTime"],
        "runId": tags.get(RUN_TAG),  # null if a person or Personalize itself has trained it
        "approval": _approval_document(tags),
        "datasets": [*_read_datasets(client, version)],
        "metrics": metrics,
        "campaigns": [*_read_verdicts(client, version_arn, version["solutionArn"])],
    }


def _approval_document(tags: Tags) -> Document | None:
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
    """Yield each dataset, with the import jobs that the version has learned, newest first."""
    imports = ImportReader(client, ()).list_group_imports(version["datasetGroupArn"])
    began_at = version["creationDateTime"]
    learned = list_effective_imports(job for job in imports if job.ended_at <= began_at)

    for arn in sorted({job.dataset_arn for job in imports}):
        newest_first = [job for job in reversed(learned) if job.dataset_arn == arn]
        yield {
            "type": arn.rpartition("/")[2],
            "datasetArn": arn,
            "imports": [_learned_import(client, job) for job in newest_first[:MAX_IMPORTS]],
            "olderImports": len(newest_first[MAX_IMPORTS:]),
        }


def _learned_import(client: PersonalizeClient, job: Import) -> Document:
    """Describe an import job with its location and what its tags say, if it isn't foreign."""
    described = client.describe_dataset_import_job(datasetImportJobArn=job.arn)["datasetImportJob"]
    tags = read_tags(client, job.arn)
    size = tags.get(EXPORT_BYTES_TAG, "")
    return {
        "datasetImportJobArn": job.arn,
        "importMode": "FULL" if job.is_full else "INCREMENTAL",
        "createdAt": job.created_at,
        "endedAt": job.ended_at,
        "dataLocation": described["dataSource"].get("dataLocation"),
        "bytes": int(size) if size.isdecimal() else None,
        "runId": tags.get(RUN_TAG),
    }


def _read_verdicts(
    client: PersonalizeClient, version_arn: str, solution_arn: str
) -> Iterator[Document]:
    """Yield for each campaign of the solution which of the VERDICTS are true of the version."""
    pages = client.get_paginator("list_campaigns").paginate(
        solutionArn=solution_arn, PaginationConfig=PAGE_SIZE
    )

    for summary in [item for page in pages for item in page["campaigns"]]:
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


def build_lineage_lines(lineage: Document) -> Iterator[Line]:
    """Yield a line for each thing that is known about a version."""
    status = lineage["status"]
    text = f"{short_name(lineage['solutionVersionArn'])}  {status}"
    yield Line(0, "version", text, STYLES.get(status, ""))
    if lineage["failure"]:
        yield Line(0, "failure", lineage["failure"], "red")

    yield Line(0, "trained", ", ".join(_training_facts(lineage)))
    yield Line(0, "by", _describe_trainer(lineage["runId"]))
    if lineage["approval"]:
        yield _approval_line(lineage["approval"])

    for dataset in lineage["datasets"]:
        yield from _dataset_lines(dataset)
    yield from _metric_lines(lineage["metrics"])
    yield from _campaign_lines(lineage["campaigns"])


def _training_facts(lineage: Document) -> Iterator[str]:
    began_at = lineage["createdAt"]
    took = format_duration((lineage["endedAt"] - began_at).total_seconds())
    yield f"{format_time(began_at)} UTC in {took}"
    yield lineage["trainingMode"]

    if lineage["trainingHours"] is not None:
        yield f"{format_number(lineage['trainingHours'])} training hours"
    if lineage["recipeArn"]:
        yield short_name(lineage["recipeArn"])


def _describe_trainer(run_id: str | None) -> str:
    if run_id:
        return f"run {run_id}"
    return "no run of a pipeline: Personalize itself or a person has trained it"


def _approval_line(approval: Document) -> Line:
    who = approval["by"] or "the run"
    text = f"{approval['answer'].lower()} by {who} at {format_time(approval['at'])} UTC"
    return Line(0, "approval", text)


def _dataset_lines(dataset: Document) -> Iterator[Line]:
    """Yield the import jobs of a dataset that a version was trained on."""
    label = dataset["type"].lower()
    if not dataset["imports"]:
        yield Line(0, label, "no import before the training")

    for job in dataset["imports"]:
        text = f"{job['importMode']}, ended {format_time(job['endedAt'])} UTC"
        if job["bytes"] is not None:
            text += f", {format_size(job['bytes'])}"
        text += f", run {job['runId']}" if job["runId"] else ", foreign"
        if job["dataLocation"]:
            text += f"\n{job['dataLocation']}"
        yield Line(0, label, text)
        label = ""

    if dataset["olderImports"]:
        yield Line(0, "", f"and {dataset['olderImports']} earlier imports")


def _metric_lines(metrics: Mapping[str, float]) -> Iterator[Line]:
    texts = [f"{format_metric_name(name)} {value:.4f}" for name, value in metrics.items()]
    if texts:
        yield Line(0, "metrics", "\n".join(sorted(texts)))


def _campaign_lines(campaigns: Sequence[Document]) -> Iterator[Line]:
    """Yield what each campaign has to do with a version."""
    label = "campaigns"
    for campaign in campaigns:
        words = [text for key, text in VERDICTS.items() if campaign[key]]
        if campaign["serves"] and campaign["good"]:
            words.remove(VERDICTS["good"])
        if campaign["serves"] and campaign["pin"]:
            words.append(f"is {campaign['pin']}")

        verdicts = ", ".join(words) or "does not serve it"
        yield Line(0, label, f"{short_name(campaign['campaignArn'])} {verdicts}")
        label = ""


class VersionNotes:
    """What has happened to the versions of several runs since their reports.

    The reports have to be given newest first, because only the newest version of a solution takes
    an answer.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._newest: dict[str, str] = {}
        self._tags_of = cache(self._read_tags)

    def about(self, report: Report | None) -> dict[str, str]:
        """Map each campaign to what has happened there to the run's version since, if anything."""
        notes: dict[str, str] = {}
        if report is None:
            return notes

        for solution in report["solutions"]:
            solution_arn = solution["solutionArn"]
            version_arn = solution["solutionVersionArn"]
            if version_arn is None or solution["reasons"]:
                continue

            newest_arn = self._newest.setdefault(solution_arn, version_arn)
            for campaign in solution["campaigns"]:
                campaign_arn = campaign["campaignArn"]
                if campaign["outcome"] == "AWAITING_APPROVAL":
                    notes[campaign_arn] = self._answer(solution_arn, version_arn, newest_arn)
                elif campaign["outcome"] == "DEPLOYED" and self._blocks(campaign_arn, version_arn):
                    notes[campaign_arn] = "rolled back since, so no run deploys it again"
        return notes

    def _blocks(self, campaign_arn: str, version_arn: str) -> bool:
        return self._tags_of(campaign_arn).get(BLOCKED_VERSION_TAG) == version_arn

    def _answer(self, solution_arn: str, version_arn: str, newest_arn: str) -> str:
        """Say who has answered about a version, or what a person can do now."""
        solutions = self._target.settings["solutions"]
        approvals = (item["approval"] for item in solutions if item["solutionArn"] == solution_arn)
        settings = next(approvals, None)
        if settings is None:
            return "the solution needs no approval any more"

        tags = self._tags_of(version_arn)
        reason = explain_no_answer(tags, settings, clock.now())
        if reason:
            return reason

        request = parse_approval(tags)
        if request is None:
            return "nobody has asked"
        if version_arn != newest_arn:
            return "nobody has answered, and there is a newer version"
        until = request.expires_at(settings)
        return f"is {describe_waiting(self._target, version_arn, until)}"

    def _read_tags(self, arn: str) -> Tags:
        """Read the tags of a version or a campaign. One that was deleted has none."""
        client = self._target.access.personalize
        try:
            return read_tags(client, arn)
        except client.exceptions.ResourceNotFoundException:
            return {}


def describe_waiting(target: Target, version_arn: str, until: datetime) -> str:
    """Say how long a version is waiting for approval, and with which commands a person answers."""
    name = short_name(version_arn)
    approve = target.command("approve", name)
    refuse = target.command("approve", "--refuse", name)
    return f"waiting for approval until {format_time(until)} UTC: `{approve}` or `{refuse}`"


def explain_no_answer(tags: Tags, settings: ApprovalSettings, now: datetime) -> str | None:
    """Explain why nobody can answer about a version now, unless it waits for an answer."""
    approval = parse_approval(tags)
    answer = find_approval_status(tags, settings, now)
    if approval is None or answer is None:
        return (
            "a run asks about it when it has passed the gate, and an answer is then possible for "
            f"{format_hours(settings['timeoutHours'])}"
        )
    if answer == "REQUESTED":
        return None

    answered_at = f"{format_time(approval.changed_at)} UTC"
    error = f"it was {answer.lower()} by {approval.answered_by} at {answered_at}"
    if answer == "REFUSED":
        error += "; a run asks again after the next training"
    return error
