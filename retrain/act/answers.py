"""The command `approve`: the answer of a person about a version that waits for it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from functions import clock
from functions.executions import short_hash
from functions.personalize.campaigns import (
    Versions,
    approval_tags,
    current_answer,
    describe_campaign,
    live_version,
    metrics_of,
    read_approval,
    read_notes,
    seen_campaign,
    wanted_deployment,
)
from functions.personalize.statuses import is_active
from functions.personalize.tags import APPROVAL, RUN, tags_of, write_tags
from functions.personalize.trainings import describe_version, list_versions
from functions.rules.deployments import Memory, decide
from functions.words import list_text, metric_name, metric_text
from retrain.account.errors import FailedError, OperatorError
from retrain.account.output import confirm, print_json, print_message, print_result
from retrain.account.target import Target
from retrain.look.versions import answer_error, find_version
from retrain.names import short_name
from retrain.options import JsonOption, YesOption, command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize.type_defs import CampaignTypeDef

    from functions.contract import ApprovalSettings, MetricValues, Tags

NOT_ALLOWED_IN_TAGS = re.compile(r"[^\w\s.:/=+\-@]")
"""The characters that the value of a tag in Personalize may not have. The name of a session may
contain a comma."""


@dataclass(frozen=True)
class WaitingVersion:
    """A version that waits for the answer of a person."""

    arn: str
    solution_arn: str
    created_at: datetime
    tags: Tags
    is_approved: bool
    """True if it was approved already, and only the execution that deploys it is missing."""


@command
def approve(
    target: Target,
    *,
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]",
            help="The version: movies/1a2b3c4d, 1a2b3c4d or its ARN. Not needed if only one "
            "version waits for an answer.",
        ),
    ] = None,
    reject: Annotated[
        bool, typer.Option("--reject", help="Refuse the version instead. No run deploys it.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> int:
    """Approve a version that waits for an approval, and start its deployment.

    For example: retrain approve movies/1a2b3c4d --stack prod

    An execution checks the quality gate again, and probes the campaigns like any run. If it could
    not be started, approve the version again.

    Exit code 0: the execution was started, or with --reject the version is refused.
    Exit code 1: the version does not wait for an answer, or you answered no.
    Exit code 2: the pipeline or the version was not found.
    """
    waiting = _waiting_version(target, version, reject=reject)
    return (_reject if reject else _approve)(target, waiting, yes=yes, as_json=as_json)


def _approve(target: Target, version: WaitingVersion, *, yes: bool, as_json: bool) -> int:
    """Approve a version, and start an execution that deploys it. Return the exit code.

    An earlier call may have approved the version, but have started no execution.

    Raises FailedError if no run would deploy the version to any campaign, for example because
    somebody has moved them all.
    """
    campaigns = _campaigns_of(target, version)
    _print_unchanged_campaigns(target, version, campaigns)
    _print_metrics(target, version, campaigns)
    if not confirm(f"Deploy {version.arn}?", yes=yes):
        raise FailedError("nothing was changed")
    tags = version.tags
    if not version.is_approved:
        tags = approval_tags("APPROVED", clock.now(), _caller(target))
        write_tags(target.access.personalize, version.arn, tags)
    execution_arn = _start_deployment(target, version.arn, tags)
    if as_json:
        print_json({"versionArn": version.arn, "answer": "APPROVED", "executionArn": execution_arn})
    else:
        print_result(f"approved; {execution_arn} deploys it")
        print_message(f"follow it with `{target.command('watch')}`")
    return 0


def _reject(target: Target, version: WaitingVersion, *, yes: bool, as_json: bool) -> int:
    """Refuse a version, so that no run deploys it. Return the exit code."""
    _print_metrics(target, version, _campaigns_of(target, version))
    if not confirm(f"Never deploy {version.arn}?", yes=yes):
        raise FailedError("nothing was changed")
    refusal = approval_tags("REFUSED", clock.now(), _caller(target))
    write_tags(target.access.personalize, version.arn, refusal)
    if as_json:
        print_json({"versionArn": version.arn, "answer": "REFUSED"})
    else:
        print_result("refused; the campaigns keep the version that they serve")
        print_message(
            "the next new export brings another version; to train again on the same data, use "
            f"`{target.command('start', '--force')}`"
        )
    return 0


def _waiting_version(target: Target, name: str | None, *, reject: bool) -> WaitingVersion:
    """Return the version, if it waits for an answer.

    Raises OperatorError for a name of no version of the pipeline, and FailedError if there was an
    answer, if it would be too late, or if there is a newer version.
    """
    client = target.access.personalize
    solution_arns = [row["solutionArn"] for row in target.settings["solutions"]]
    if name is None:
        version_arn = _only_waiting_version(target, reject=reject)
    else:
        version_arn = find_version(client, solution_arns, name)
    solution_arn = version_arn.rpartition("/")[0]
    approval = _approval(target, solution_arn)
    version = describe_version(client, version_arn)
    if not is_active(version["status"]):
        raise FailedError(f"{version_arn} is {version['status']}, so it cannot be deployed")
    tags = tags_of(client, version_arn)
    if reason := _why_no_answer(target, version_arn, tags, approval, reject=reject):
        raise FailedError(f"{version_arn} takes no answer: {reason}")
    is_approved = current_answer(tags, approval, clock.now()) == "APPROVED"
    if is_approved:
        print_message(f"{version_arn} was approved already, but no execution deploys it")
    newest = _newest_version_of_runs(target, solution_arn)
    if newest and newest.created_at > version["creationDateTime"]:
        raise FailedError(
            f"{version_arn} is older than {newest.arn}; only the newest version takes an answer"
        )
    return WaitingVersion(version_arn, solution_arn, version["creationDateTime"], tags, is_approved)


def _only_waiting_version(target: Target, *, reject: bool) -> str:
    """Return the ARN of the only version that waits for an answer.

    Raises FailedError if none waits, and OperatorError if several wait.
    """
    waiting, reasons = [], []
    for solution in target.settings["solutions"]:
        approval = solution.get("approval")
        newest = _newest_version_of_runs(target, solution["solutionArn"]) if approval else None
        if approval and newest:
            reason = _why_no_answer(target, newest.arn, newest.tags, approval, reject=reject)
            if reason is None:
                waiting.append(newest.arn)
            else:
                reasons.append(f"{short_name(newest.arn)}: {reason}")
    if len(waiting) == 1:
        return waiting[0]
    if waiting:
        words = ["approve", *(["--reject"] if reject else [])]
        commands = [f"`{target.command(*words, short_name(arn))}`" for arn in waiting]
        raise OperatorError(
            f"{len(waiting)} versions wait for an answer; choose one: {', '.join(commands)}"
        )
    details = "".join(f"; {reason}" for reason in reasons)
    raise FailedError(
        f"no version waits for an answer, `{target.command('history')}` lists the versions{details}"
    )


def _why_no_answer(
    target: Target, version_arn: str, tags: Tags, approval: ApprovalSettings, *, reject: bool
) -> str | None:
    """Return why nobody can answer about a version now, or None if it waits for an answer.

    An approval whose execution was not started can be given again.
    """
    is_approved = current_answer(tags, approval, clock.now()) == "APPROVED"
    if not reject and is_approved and not _is_started(target, version_arn, tags):
        return None
    return answer_error(tags, approval, clock.now())


class _VersionOfRun(NamedTuple):
    """An ACTIVE version that a run has created."""

    arn: str
    created_at: datetime
    tags: Tags


def _newest_version_of_runs(target: Target, solution_arn: str) -> _VersionOfRun | None:
    """Return the newest ACTIVE version of a solution that a run has created, or None."""
    client = target.access.personalize
    for summary in list_versions(client, solution_arn):
        if is_active(summary["status"]):
            arn = summary["solutionVersionArn"]
            tags = tags_of(client, arn)
            if RUN in tags:
                return _VersionOfRun(arn, summary["creationDateTime"], tags)
    return None


def _approval(target: Target, solution_arn: str) -> ApprovalSettings:
    """Return the settings of the approval of a solution. Raise OperatorError if it needs none."""
    solutions = {row["solutionArn"]: row for row in target.settings["solutions"]}
    approval = solutions[solution_arn].get("approval")
    if approval is None:
        raise OperatorError(
            f"{solution_arn} needs no approval; its versions are deployed when they have passed "
            "the gate"
        )
    return approval


def _start_deployment(target: Target, version_arn: str, tags: Tags) -> str:
    """Start the execution that deploys an approved version, and return its ARN."""
    client = target.access.step_functions
    arn = _execution_arn(target, version_arn, tags)
    with suppress(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(
            stateMachineArn=target.state_machine_arn,
            name=arn.rpartition(":")[2],
            input=json.dumps({"only": "deployments"}),
        )
    return arn


def _is_started(target: Target, version_arn: str, tags: Tags) -> bool:
    """Return True if the execution that deploys an approved version was started."""
    client = target.access.step_functions
    try:
        client.describe_execution(executionArn=_execution_arn(target, version_arn, tags))
    except client.exceptions.ExecutionDoesNotExist:
        return False
    return True


def _execution_arn(target: Target, version_arn: str, tags: Tags) -> str:
    """Return the ARN of the execution that deploys an approved version.

    The name comes from the version and the answer, so a second call starts no second execution.
    """
    name = f"approval-{short_hash(f'{version_arn} {tags[APPROVAL]}', 16)}"
    return f"{target.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def _caller(target: Target) -> str:
    """Return the ARN of the caller as the value of a tag."""
    return NOT_ALLOWED_IN_TAGS.sub("-", target.access.caller())


def _campaigns_of(target: Target, version: WaitingVersion) -> list[CampaignTypeDef]:
    """Return the configured campaigns of a version's solution as Personalize describes them."""
    solutions = {row["solutionArn"]: row for row in target.settings["solutions"]}
    return [
        describe_campaign(target.access.personalize, row["campaignArn"])
        for row in solutions[version.solution_arn]["campaigns"]
    ]


def _print_unchanged_campaigns(
    target: Target, version: WaitingVersion, campaigns: Sequence[CampaignTypeDef]
) -> None:
    """Print a message for each campaign to which no run deploys the version, although approved.

    Raises FailedError if the approval would deploy the version nowhere.
    """
    client, messages = target.access.personalize, []
    solution = next(
        row for row in target.settings["solutions"] if row["solutionArn"] == version.solution_arn
    )
    for campaign in campaigns:
        arn = campaign["campaignArn"]
        notes = read_notes(tags_of(client, arn), version.solution_arn)
        seen = seen_campaign(campaign, notes, Versions(client, solution))
        wanted = wanted_deployment(target.settings, solution, arn, version.arn, waited=True)
        approved = replace(wanted, approval_hours=None)
        step = decide(seen, approved, Memory(clock.now()), clock.now())
        if step.outcome in ("SKIPPED", "REJECTED", "ROLLED_BACK"):
            messages.append(
                f"{arn}: {'; '.join(step.reasons)}, so no run deploys {version.arn} there; to "
                "deploy it on purpose, without gate and probe, use 'aws personalize "
                f"update-campaign --campaign-arn {arn} --solution-version-arn {version.arn}'"
            )
    if messages and len(messages) == len(campaigns):
        raise FailedError("\n".join(messages))
    for message in messages:
        print_message(message)


def _print_metrics(
    target: Target, version: WaitingVersion, campaigns: Sequence[CampaignTypeDef]
) -> None:
    """Print the offline metrics of a version beside those of each version in use."""
    asked = read_approval(version.tags)
    since = f" since {asked.at.isoformat()}" if asked else ""
    print_message(f"{version.arn} waits for an answer{since}")
    client = target.access.personalize
    new = metrics_of(client, version.arn)
    names: dict[str, list[str]] = {}
    for campaign in campaigns:
        served = live_version(campaign)
        if served:
            names.setdefault(served, []).append(short_name(campaign["campaignArn"]))
    for served, campaign_names in names.items():
        print_message(f"compared with {short_name(served)}, in use at {list_text(campaign_names)}")
        _print_change(new, live=metrics_of(client, served))
    if not names:
        print_message("no campaign serves a version to compare it with")
        _print_change(new, live={})


def _print_change(new: Mapping[str, float], live: Mapping[str, float]) -> None:
    """Print a line for each metric of the new version, with the value of the live version."""
    for name in sorted(new):
        values: MetricValues = {"new": new[name], "live": live.get(name)}
        print_message(f"  {metric_name(name)} {metric_text(values)}")
