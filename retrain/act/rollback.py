"""The command `rollback`: moves a campaign back to an earlier version, and marks what it leaves."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import ClientError

from functions import clock
from functions.contract import solution_of_campaign
from functions.personalize.campaigns import (
    LATEST,
    describe_campaign,
    live_version,
    notes_as_tags,
    read_notes,
    update_request,
)
from functions.personalize.statuses import is_active, is_running
from functions.personalize.tags import tags_of, write_tags
from functions.personalize.trainings import describe_version
from functions.rules.deployments import Notes
from retrain.account.errors import AWS_ERRORS, FailedError, OperatorError, aws_error, code_of
from retrain.account.output import confirm, print_json, print_message, print_result
from retrain.account.target import Target
from retrain.look.versions import find_version
from retrain.options import JsonOption, YesOption, command

if TYPE_CHECKING:
    from mypy_boto3_personalize.type_defs import CampaignTypeDef

POLL_SECONDS = 10


@dataclass(frozen=True)
class Rollback:
    """A campaign, the version that it serves, and the version to which it moves."""

    campaign: CampaignTypeDef
    notes: Notes
    bad: str
    good: str

    @property
    def arn(self) -> str:
        """The ARN of the campaign."""
        return self.campaign["campaignArn"]


@command
def rollback(
    target: Target,
    *,
    campaign: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The campaign, by name or ARN. Not needed if there is only one."
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="The version to move to: movies/1a2b3c4d, 1a2b3c4d or its ARN. Without it, the "
            "version that was good before.",
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until the campaign serves the version.")
    ] = True,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> int:
    """Move a campaign back to an earlier version, and mark the version that it leaves.

    For example: retrain rollback --stack prod --campaign home-page

    No run deploys the marked version again. The campaign answers all the time. A rollback restores
    the model, not the data.

    Exit code 0: the campaign serves the earlier version, or moves to it with --no-wait.
    Exit code 1: the campaign cannot be moved, the update failed, or you answered no.
    Exit code 2: the pipeline, the campaign or the version was not found.
    """
    planned = _planned_rollback(target, campaign, to)
    print_message(f"{planned.arn}\n  serves   {planned.bad}\n  moves to {planned.good}")
    if planned.notes.bad == planned.good:
        print_message(
            f"warning: the campaign was moved back from {planned.good} before, so it may answer "
            "badly again"
        )
    print_message("a rollback restores the model, not the data: bad data have to be imported again")
    if runs := _running_executions(target):
        print_message(
            f"{', '.join(runs)} is under way and may still deploy a new version; to prevent this, "
            f"stop it with `{target.command('stop')}`"
        )
    if not confirm("Move the campaign?", yes=yes):
        raise FailedError("nothing was changed")
    target.access.personalize.update_campaign(**update_request(planned.campaign, planned.good))
    warnings = _write_marks(target, planned)
    served = _served_after(target, planned) if wait else planned.bad
    for warning in warnings:
        print_message(warning)
    if as_json:
        print_json(
            {
                "campaignArn": planned.arn,
                "left": planned.bad,
                "movesTo": planned.good,
                "serves": served,
                "warnings": warnings,
            }
        )
    elif wait:
        print_result(f"{planned.arn} serves {served}")
    else:
        print_result(f"{planned.arn} moves to {planned.good}, which takes some minutes")
    return 0


def _planned_rollback(target: Target, campaign: str | None, version: str | None) -> Rollback:
    """Return what to move where. Raise OperatorError or FailedError as `rollback` does."""
    arn = _campaign_arn(target, campaign)
    client = target.access.personalize
    try:
        described = describe_campaign(client, arn)
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        raise OperatorError(f"{arn} does not exist; correct the stack's config") from error
    if _is_busy(described):
        raise FailedError(
            f"{arn} is being updated; wait some minutes until this has ended, and try again"
        )
    bad = live_version(described)
    if bad is None or bad.endswith(LATEST):
        raise FailedError(
            f"{arn} serves {bad or 'nothing'}, so there is no version to leave; move it with "
            f"`aws personalize update-campaign --campaign-arn {arn} --solution-version-arn VERSION`"
        )
    solution_arn = solution_of_campaign(target.settings, arn)["solutionArn"]
    notes = read_notes(tags_of(client, arn), solution_arn)
    if version is None:
        good = _version_before(target, arn, notes, bad)
    else:
        good = find_version(client, [solution_arn], version)
    if good == bad:
        raise FailedError(f"{arn} serves {good} already")
    status = describe_version(client, good)["status"]
    if not is_active(status):
        raise FailedError(f"{good} is {status}, so no campaign can serve it; choose another one")
    return Rollback(described, notes, bad, good)


def _is_busy(campaign: CampaignTypeDef) -> bool:
    """Return True if a campaign is being created or updated."""
    update = campaign.get("latestCampaignUpdate")
    return is_running(campaign["status"]) or (update is not None and is_running(update["status"]))


def _campaign_arn(target: Target, campaign: str | None) -> str:
    """Return the ARN of the campaign with this name or ARN, or of the only campaign."""
    arns = [
        row["campaignArn"]
        for solution in target.settings["solutions"]
        for row in solution["campaigns"]
    ]
    if campaign is None and len(arns) == 1:
        return arns[0]
    names = [arn.rpartition("/")[2] for arn in arns]
    if campaign is None:
        raise OperatorError(
            f"the pipeline has {len(arns)} campaigns; name one with --campaign: {', '.join(names)}"
        )
    for arn, name in zip(arns, names, strict=True):
        if campaign in (arn, name):
            return arn
    raise OperatorError(
        f"{campaign!r} is not a campaign of this pipeline; its campaigns are {', '.join(names)}"
    )


def _version_before(target: Target, arn: str, notes: Notes, bad: str) -> str:
    """Return the version to which a campaign moves back, according to its tags."""
    if version := notes.good_before(bad):
        return version
    raise FailedError(
        f"no run has noted what {arn} served before {bad}; choose a version with --to, "
        f"`{target.command('history')}` lists them"
    )


def _running_executions(target: Target) -> list[str]:
    """Return the names of the executions that are running."""
    response = target.access.step_functions.list_executions(
        stateMachineArn=target.state_machine_arn, statusFilter="RUNNING"
    )
    return [execution["name"] for execution in response["executions"]]


def _write_marks(target: Target, planned: Rollback) -> list[str]:
    """Write which version is good, and that no run may deploy the version that is left.

    The campaign moves already. Tags that cannot be written are a warning with the command for them.
    """
    previous = None if planned.notes.previous == planned.good else planned.notes.previous
    tags = notes_as_tags(Notes(None, planned.good, previous, planned.bad))
    try:
        write_tags(target.access.personalize, planned.arn, tags)
    except AWS_ERRORS as error:
        words = " ".join(f"tagKey={key},tagValue='{value}'" for key, value in tags.items())
        command = f"aws personalize tag-resource --resource-arn {planned.arn} --tags {words}"
        warning = f"warning: {aws_error(error)}; the campaign moves, but write the tags yourself"
        return [f"{warning}: {command}"]
    return []


def _served_after(target: Target, planned: Rollback) -> str:
    """Wait until no update of the campaign is running. Return the version that it serves.

    Raises FailedError if it does not serve the good version, and after the stack's deadline.
    """
    deadline = time.monotonic() + target.settings["limits"]["maxCampaignHours"] * 3600
    print_message("waiting for the update, which takes some minutes; Ctrl-C leaves it running")
    while time.monotonic() < deadline:
        campaign = describe_campaign(target.access.personalize, planned.arn)
        served, update = live_version(campaign), campaign.get("latestCampaignUpdate")
        if served == planned.good:
            return served
        if not _is_busy(campaign) and update and not is_active(update["status"]):
            raise FailedError(
                f"the update failed: {update.get('failureReason', update['status'])}; "
                f"{planned.arn} still serves {served}"
            )
        clock.sleep(POLL_SECONDS)
    raise FailedError(f"{planned.arn} does not serve {planned.good} yet; check again later")
