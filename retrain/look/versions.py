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
    from collections.abc import Iterator
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient

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
    """Return the ARN of the version with this short name or id. Raise OperatorError without one."""
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


def deletion_warning(client: PersonalizeClient, version_arn: str) -> str | None:
    """Return a warning if a version may still know users who were deleted since then, or None.

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
    """Return where a version comes from, for JSON. Raise OperatorError if it does not exist."""
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
    imports = ImportReader(client, ()).list_group_imports(version["datasetGroupArn"])
    began_at = version["creationDateTime"]
    learned = list_effective_imports(job for job in imports if job.ended_at <= began_at)[::-1]
    approval = parse_approval(tags)
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
        "approval": approval
        and {
            "answer": approval.status,
            "at": approval.changed_at,
            "by": approval.answered_by or None,
        },
        "datasets": [
            {
                "type": arn.rpartition("/")[2],
                "datasetArn": arn,
                "imports": [_learned_import(client, job) for job in newest_first[:MAX_IMPORTS]],
                "olderImports": len(newest_first[MAX_IMPORTS:]),
            }
            for arn in sorted({job.dataset_arn for job in imports})
            for newest_first in [[job for job in learned if job.dataset_arn == arn]]
        ],
        "metrics": read_metrics(client, version_arn) if is_active(version["status"]) else {},
        "campaigns": list(_campaign_verdicts(client, version_arn, version["solutionArn"])),
    }


def _learned_import(client: PersonalizeClient, job: Import) -> Document:
    """Return an import job with its location and what its tags say. A foreign one has no tags."""
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


def _campaign_verdicts(
    client: PersonalizeClient, version_arn: str, solution_arn: str
) -> Iterator[Document]:
    """Yield for each campaign of the solution which of the VERDICTS are true of the version."""
    pages = client.get_paginator("list_campaigns").paginate(
        solutionArn=solution_arn, PaginationConfig=PAGE_SIZE
    )
    for arn in [item["campaignArn"] for page in pages for item in page["campaigns"]]:
        campaign = read_campaign_state(client, arn, solution_arn)
        record = campaign.record
        versions = {
            "serves": campaign.served_version_arn,
            "onTrial": record.trial and record.trial.version_arn,
            "good": record.good_version_arn,
            "previous": record.previous_good_version_arn,
            "bad": record.blocked_version_arn,
        }
        verdicts = {key: version == version_arn for key, version in versions.items()}
        yield {"campaignArn": arn, **verdicts, "pin": campaign.pin}


def lineage_lines(lineage: Document) -> Iterator[Line]:
    """Yield a line for each thing that is known about a version."""
    status, run, approval = lineage["status"], lineage["runId"], lineage["approval"]
    name = short_name(lineage["solutionVersionArn"])
    foreign = "no run of a pipeline: Personalize itself or a person has trained it"
    yield Line(0, "version", f"{name}  {status}", STYLES.get(status, ""))
    if lineage["failure"]:
        yield Line(0, "failure", lineage["failure"], "red")
    hours, recipe, began_at = lineage["trainingHours"], lineage["recipeArn"], lineage["createdAt"]
    took = format_duration((lineage["endedAt"] - began_at).total_seconds())
    facts = [f"{format_time(began_at)} UTC in {took}", lineage["trainingMode"]]
    facts += [] if hours is None else [f"{format_number(hours)} training hours"]
    facts += [short_name(recipe)] if recipe else []
    yield Line(0, "trained", ", ".join(facts))
    yield Line(0, "by", f"run {run}" if run else foreign)
    if approval:
        by = f"by {approval['by'] or 'the run'} at {format_time(approval['at'])} UTC"
        yield Line(0, "approval", f"{approval['answer'].lower()} {by}")
    for dataset in lineage["datasets"]:
        yield from _dataset_lines(dataset)
    metrics = [
        f"{format_metric_name(name)} {value:.4f}" for name, value in lineage["metrics"].items()
    ]
    if metrics:
        yield Line(0, "metrics", "\n".join(sorted(metrics)))
    for number, campaign in enumerate(lineage["campaigns"]):
        words = [text for key, text in VERDICTS.items() if campaign[key]]
        if campaign["serves"] and campaign["good"]:
            words.remove(VERDICTS["good"])
        if campaign["serves"] and campaign["pin"]:
            words.append(f"is {campaign['pin']}")
        text = f"{short_name(campaign['campaignArn'])} {', '.join(words) or 'does not serve it'}"
        yield Line(0, "" if number else "campaigns", text)


def _dataset_lines(dataset: Document) -> Iterator[Line]:
    """Yield the import jobs of a dataset that a version was trained on."""
    label = dataset["type"].lower()
    for job in dataset["imports"]:
        size = "" if job["bytes"] is None else f", {format_size(job['bytes'])}"
        run = f"run {job['runId']}" if job["runId"] else "foreign"
        text = f"{job['importMode']}, ended {format_time(job['endedAt'])} UTC{size}, {run}"
        yield Line(0, label, "\n".join(filter(None, [text, job["dataLocation"]])))
        label = ""
    if label:
        yield Line(0, label, "no import before the training")
    if dataset["olderImports"]:
        yield Line(0, "", f"and {dataset['olderImports']} earlier imports")


class VersionNotes:
    """What has happened to the versions of several runs since their reports.

    The reports have to be given newest first, because only the newest version of a solution takes
    an answer.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._newest: dict[str, str] = {}
        self._tags_of = cache(self._read_tags)

    def about(self, report: Report) -> dict[str, str]:
        """Return campaign ARN -> what has happened there to the version of the run, if anything."""
        notes: dict[str, str] = {}
        for solution in report["solutions"]:
            version = solution["solutionVersionArn"]
            if version is None or solution["reasons"]:
                continue
            newest = self._newest.setdefault(solution["solutionArn"], version)
            for campaign in solution["campaigns"]:
                arn, outcome = campaign["campaignArn"], campaign["outcome"]
                if outcome == "DEPLOYED" and self._tags_of(arn).get(BLOCKED_VERSION_TAG) == version:
                    notes[arn] = "rolled back since, so no run deploys it again"
                if outcome == "AWAITING_APPROVAL":
                    notes[arn] = self._answer(solution["solutionArn"], version, newest)
        return notes

    def _answer(self, solution_arn: str, version: str, newest: str) -> str:
        """Return who has answered about a version, or what a person can do now."""
        solutions = self._target.settings["solutions"]
        approvals = (item["approval"] for item in solutions if item["solutionArn"] == solution_arn)
        settings = next(approvals, None)
        if settings is None:
            return "the solution needs no approval any more"
        tags = self._tags_of(version)
        asked = parse_approval(tags)
        if (reason := answer_error(tags, settings, clock.now())) or asked is None:
            return reason or "nobody has asked"
        if version != newest:
            return "nobody has answered, and there is a newer version"
        return f"is {describe_waiting(self._target, version, asked.expires_at(settings))}"

    def _read_tags(self, arn: str) -> Tags:
        """Return the tags of a version or a campaign. One that was deleted has none."""
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


def answer_error(tags: Tags, settings: ApprovalSettings, now: datetime) -> str | None:
    """Return why nobody can answer about a version now, or None if it waits for an answer."""
    approval, answer = parse_approval(tags), find_approval_status(tags, settings, now)
    if approval is None or answer is None:
        return (
            "a run asks about it when it has passed the gate, and an answer is then possible for "
            f"{format_hours(settings['timeoutHours'])}"
        )
    if answer == "REQUESTED":
        return None
    ending = "; a run asks again after the next training" if answer == "REFUSED" else ""
    answered_at = f"{format_time(approval.changed_at)} UTC"
    return f"it was {answer.lower()} by {approval.answered_by} at {answered_at}{ending}"
