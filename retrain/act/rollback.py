"""The command `rollback`: moves a campaign back to an earlier version, and marks what it leaves."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from functions.common import clock
from functions.common.formatting import format_metric_name, format_time
from functions.contract import find_solution_of_campaign
from functions.personalize.campaigns import (
    LATEST_VERSION_SUFFIX,
    build_record_tags,
    build_update_request,
    describe_campaign,
    find_served_version_arn,
    parse_pin,
    parse_record,
)
from functions.personalize.statuses import is_active, is_running
from functions.personalize.tags import read_tags, write_tags
from functions.personalize.trainings import list_versions, read_metrics
from functions.rules.campaigns import DeploymentRecord
from retrain.account.errors import AWS_ERRORS, FailedError, OperatorError, aws_error
from retrain.account.output import confirm, print_command, print_json, print_message, print_result
from retrain.account.target import Target
from retrain.look.runs import run_id_of, running_executions
from retrain.look.versions import SHOWN_VERSIONS, deletion_warning
from retrain.names import is_named, short_name
from retrain.options import CampaignOption, JsonOption, YesOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize.type_defs import (
        CampaignTypeDef,
        SolutionVersionSummaryTypeDef,
    )

    from functions.contract import SolutionSettings

POLL_SECONDS = 10
USUAL_METRIC = "normalized_discounted_cumulative_gain_at_10"
"""The metric that is shown of a version if its solution has no quality gate."""


class Move(NamedTuple):
    """A campaign, the version that it serves, and the version to which it moves."""

    campaign: CampaignTypeDef
    record: DeploymentRecord
    bad: str
    good: str
    blocked: str
    """The newest version that no run may deploy there afterwards."""
    pin: str | None


@command
def rollback(
    target: Target,
    *,
    campaign: CampaignOption = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="The version to move to: movies/1a2b3c4d, 1a2b3c4d or its ARN. Without it, the "
            "version that was good before.",
        ),
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> int:
    """Move a campaign back to an earlier version, and mark the version that it leaves.

    For example: retrain rollback --stack prod --campaign home-page

    No run deploys the marked version again. The campaign answers all the time, and Ctrl-C ends only
    the waiting. A rollback restores the model, not the data.

    Exit code 0: the campaign serves the earlier version.
    Exit code 1: the campaign cannot be moved, the update failed, or you answered no.
    Exit code 2: the pipeline, the campaign or the version was not found.
    """
    move = planned_move(target, campaign_arn_of(target, campaign), to)
    arn, good = move.campaign["campaignArn"], move.good
    moves = f"{short_name(arn)} serves {short_name(move.bad)} and moves to {short_name(good)}"
    print_message(moves)
    if move.record.blocked_version_arn == good:
        print_message(f"warning: it was rolled back from {short_name(good)} before")
    if warning := deletion_warning(target.access.personalize, good):
        print_message(f"warning: {warning}")
    if move.pin:
        print_message(f"{short_name(arn)} is {move.pin}, and stays pinned")
    for execution in running_executions(target):
        run = run_id_of(target, execution)
        print_command(
            f"{run} is under way and may deploy a new version; to prevent this, stop it",
            target.command("stop", "--run", run),
        )
    confirm("Move the campaign?", "nothing was changed", yes=yes)
    target.access.personalize.update_campaign(**build_update_request(move.campaign, good))
    _mark(target, move)
    _wait(target, move)
    if as_json:
        print_json({"campaignArn": arn, "left": move.bad, "serves": good})
        return 0
    print_result(f"{short_name(arn)} serves {short_name(good)}")
    print_message("The data is not rolled back. Replace a bad export before the next run.")
    return 0


def planned_move(target: Target, arn: str, to: str | None = None) -> Move:
    """Return how a campaign would move back: to a version, or to the last good one in its tags.

    Raises OperatorError if there is no such version, and FailedError if the campaign cannot move.
    """
    client, name = target.access.personalize, short_name(arn)
    campaign = describe_campaign(client, arn)
    if is_running(campaign.get("latestCampaignUpdate", campaign)["status"]):
        raise FailedError(f"{name} is being updated; try again when this has ended, in minutes")
    bad = find_served_version_arn(campaign)
    if bad is None or bad.endswith(LATEST_VERSION_SUFFIX):
        command = f"aws personalize update-campaign --campaign-arn {arn} --solution-version-arn"
        way_out = f"move it with `{command} VERSION`" if bad else "create it again"
        status = bad or f"nothing, because it is {campaign['status']}"
        raise FailedError(f"{name} serves {status}, so there is no version to leave; {way_out}")
    solution = find_solution_of_campaign(target.settings, arn)
    solution_arn = solution["solutionArn"]
    tags = read_tags(client, arn)
    record = parse_record(tags, solution_arn)
    versions = list_versions(client, solution_arn)
    active = [version["solutionVersionArn"] for version in versions if is_active(version["status"])]
    good = record.find_rollback_target_arn(bad)
    if to is not None:
        good = next((version for version in active if is_named(version, to)), None)
    if good in active and good != bad:
        created = {item["solutionVersionArn"]: item["creationDateTime"] for item in versions}
        blocked = _blocked_version(record, bad, good, created)
        return Move(campaign, record, bad, good, blocked, parse_pin(tags))
    if good == bad:
        problem = f"{name} serves {short_name(bad)} already"
    elif to is not None:
        problem = f"{to!r} is not an ACTIVE version of {short_name(solution_arn)}"
    elif good:
        problem = f"{short_name(good)}, which {name} served before, is no ACTIVE version any more"
    else:
        problem = f"no run has noted what {name} served before {short_name(bad)}"
    train = target.command("start", "--skip-import", "--force")
    way_out = f"no other version is ACTIVE, so train one: `{train}`"
    if others := [item for item in versions if item["solutionVersionArn"] in {*active} - {bad}]:
        choices = _choices(target, solution, others[:SHOWN_VERSIONS], record)
        way_out = "\n  ".join(["choose a version with --to:", *choices])
    error_class = FailedError if to is None or good else OperatorError
    raise error_class(f"{problem}; {way_out}")


def _choices(
    target: Target,
    solution: SolutionSettings,
    versions: Sequence[SolutionVersionSummaryTypeDef],
    record: DeploymentRecord,
) -> Iterator[str]:
    """Yield each version to which a campaign can move, with what helps to choose one."""
    names = [rule["metric"] for rule in solution["qualityGate"]] or [USUAL_METRIC]
    for version in versions:
        arn = version["solutionVersionArn"]
        facts = [f"trained {format_time(version['creationDateTime'])} UTC"]
        # A rollback is urgent, so a version without metrics is listed too.
        with suppress(*AWS_ERRORS):
            metrics = read_metrics(target.access.personalize, arn)
            facts += [
                f"{format_metric_name(name)} {metrics[name]:.4f}"
                for name in dict.fromkeys(names)
                if name in metrics
            ]
        if arn == record.blocked_version_arn:
            facts.append("rolled back before")
        yield f"{short_name(arn)}: {', '.join(facts)}"


def _blocked_version(
    record: DeploymentRecord, left: str, target: str, created: Mapping[str, datetime]
) -> str:
    """Return the newest version that no run may deploy after a campaign has left a version.

    What was blocked before stays blocked if it is newer. Otherwise a run would deploy it again. But
    a version that a person chooses is wanted, whatever has happened before.
    """
    blocked = record.blocked_version_arn
    if blocked is None or blocked not in created or created[blocked] <= created[target]:
        return left
    return max(left, blocked, key=lambda version: created[version])


def campaign_arn_of(target: Target, campaign: str | None) -> str:
    """Return the ARN of the campaign with this name or ARN, or of the only campaign."""
    arns = [
        configured["campaignArn"]
        for solution in target.settings["solutions"]
        for configured in solution["campaigns"]
    ]
    found = [arn for arn in arns if campaign in (None, arn, short_name(arn))]
    if len(found) == 1:
        return found[0]
    given = "--campaign is missing" if campaign is None else f"--campaign {campaign!r} is unknown"
    names = f"the campaigns of this pipeline are {', '.join(map(short_name, arns))}"
    raise OperatorError(f"{given}; {names if arns else 'this pipeline has no campaigns'}")


def _mark(target: Target, move: Move) -> None:
    """Write which version is good, and that no run may deploy the version that is left.

    Raises FailedError with the command that writes the tags, because the campaign moves already.
    """
    arn, good = move.campaign["campaignArn"], move.good
    previous = move.record.previous_good_version_arn
    record = DeploymentRecord(
        good_version_arn=good,
        previous_good_version_arn=None if previous == good else previous,
        blocked_version_arn=move.blocked,
    )
    tags = build_record_tags(record)
    try:
        write_tags(target.access.personalize, arn, tags)
    except AWS_ERRORS as error:
        words = " ".join(f"tagKey={key},tagValue='{value}'" for key, value in tags.items())
        raise FailedError(
            f"{short_name(arn)} moves, but a run may deploy {short_name(move.bad)} again, because "
            f"its tags cannot be written: {aws_error(error)}; write them with "
            f"`aws personalize tag-resource --resource-arn {arn} --tags {words}`"
        ) from error


def _wait(target: Target, move: Move) -> None:
    """Wait until the campaign serves the good version. Raise FailedError if it does not in time."""
    arn, good = move.campaign["campaignArn"], move.good
    name = short_name(arn)
    deadline = clock.now() + timedelta(hours=target.settings["limits"]["maxCampaignHours"])
    print_message("waiting for the update, which takes some minutes; Ctrl-C leaves it running")
    while clock.now() < deadline:
        try:
            campaign = describe_campaign(target.access.personalize, arn)
        except AWS_ERRORS as error:
            moves = f"{name} moves to {short_name(good)}, but is not watched any more"
            raise OperatorError(f"{moves}: {aws_error(error)}") from error
        if find_served_version_arn(campaign) == good:
            return
        update = campaign.get("latestCampaignUpdate")
        if update and not (is_running(update["status"]) or is_active(update["status"])):
            reason = update.get("failureReason", update["status"])
            raise FailedError(
                f"the update failed: {reason}; {name} still serves {short_name(move.bad)}"
            )
        clock.sleep(POLL_SECONDS)
    raise FailedError(f"{name} does not serve {short_name(good)} yet; check again later")
