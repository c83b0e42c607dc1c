"""The command `rollback`: moves a campaign back to an earlier version, and marks what it leaves."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

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
from retrain.look.runs import find_run_id, list_running_executions
from retrain.look.versions import SHOWN_VERSIONS, build_deletion_warning
from retrain.names import is_named, short_name
from retrain.options import (
    CampaignOption,
    JsonOption,
    RollbackTargetOption,
    YesOption,
    command,
)

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

    @property
    def campaign_arn(self) -> str:
        """The ARN of the campaign."""
        return self.campaign["campaignArn"]

    @property
    def campaign_name(self) -> str:
        """The campaign in a message."""
        return short_name(self.campaign_arn)


@command
def rollback(
    target: Target,
    *,
    campaign: CampaignOption = None,
    to: RollbackTargetOption = None,
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
    move = plan_move(target, find_campaign_arn(target, campaign), to)
    _print_move(target, move)
    confirm("Move the campaign?", "nothing was changed", yes=yes)

    request = build_update_request(move.campaign, move.good)
    target.access.personalize.update_campaign(**request)
    _write_record(target, move)
    _wait_for_update(target, move)

    if as_json:
        print_json({"campaignArn": move.campaign_arn, "left": move.bad, "serves": move.good})
        return 0
    print_result(f"{move.campaign_name} serves {short_name(move.good)}")
    print_message("The data is not rolled back. Replace a bad export before the next run.")
    return 0


def _print_move(target: Target, move: Move) -> None:
    """Print what would be done, and whatever speaks against it."""
    good_name = short_name(move.good)
    print_message(f"{move.campaign_name} serves {short_name(move.bad)} and moves to {good_name}")

    if move.record.blocked_version_arn == move.good:
        print_message(f"warning: it was rolled back from {good_name} before")
    warning = build_deletion_warning(target.access.personalize, move.good)
    if warning:
        print_message(f"warning: {warning}")
    if move.pin:
        print_message(f"{move.campaign_name} is {move.pin}, and stays pinned")

    for execution in list_running_executions(target):
        run_id = find_run_id(target, execution)
        print_command(
            f"{run_id} is under way and may deploy a new version; to prevent this, stop it",
            target.command("stop", "--run", run_id),
        )


def plan_move(target: Target, campaign_arn: str, to: str | None = None) -> Move:
    """Plan how a campaign moves back: to a named version, or to the last good one in its tags.

    Raises OperatorError if there is no such version, and FailedError if the campaign cannot move.
    """
    client = target.access.personalize
    campaign = describe_campaign(client, campaign_arn)
    bad = _find_version_to_leave(campaign)

    solution = find_solution_of_campaign(target.settings, campaign_arn)
    tags = read_tags(client, campaign_arn)
    record = parse_record(tags, solution["solutionArn"])
    versions = list_versions(client, solution["solutionArn"])
    active_versions = [version for version in versions if is_active(version["status"])]
    active_arns = [version["solutionVersionArn"] for version in active_versions]

    good = record.find_rollback_target_arn(bad)
    if to is not None:
        good = next((arn for arn in active_arns if is_named(arn, to)), None)

    if good in active_arns and good != bad:
        created = {item["solutionVersionArn"]: item["creationDateTime"] for item in versions}
        blocked = _find_blocked_version(record, bad, good, created)
        return Move(campaign, record, bad, good, blocked, parse_pin(tags))

    problem = _explain_refusal(short_name(campaign_arn), solution["solutionArn"], bad, good, to)
    others = [item for item in active_versions if item["solutionVersionArn"] != bad]
    message = f"{problem}; {_find_way_out(target, solution, others, record)}"
    # A name that is no version is a mistake in the arguments.
    if to is not None and good is None:
        raise OperatorError(message)
    raise FailedError(message)


def _find_version_to_leave(campaign: CampaignTypeDef) -> str:
    """Find the version that a campaign serves. Raise FailedError if it cannot be left."""
    campaign_arn = campaign["campaignArn"]
    name = short_name(campaign_arn)
    # A campaign that was never updated has only its own status.
    if is_running(campaign.get("latestCampaignUpdate", campaign)["status"]):
        raise FailedError(f"{name} is being updated; try again when this has ended, in minutes")

    served_arn = find_served_version_arn(campaign)
    if served_arn is None:
        raise FailedError(
            f"{name} serves nothing, because it is {campaign['status']}, so there is no version to "
            "leave; create it again"
        )
    if served_arn.endswith(LATEST_VERSION_SUFFIX):
        raise FailedError(
            f"{name} serves {served_arn}, so there is no version to leave; move it with "
            f"`aws personalize update-campaign --campaign-arn {campaign_arn} "
            "--solution-version-arn VERSION`"
        )
    return served_arn


def _explain_refusal(
    campaign_name: str, solution_arn: str, bad: str, good: str | None, to: str | None
) -> str:
    """Explain why a campaign cannot move to the version that was named, or to the good one."""
    if good == bad:
        return f"{campaign_name} serves {short_name(bad)} already"
    if to is not None:
        return f"{to!r} is not an ACTIVE version of {short_name(solution_arn)}"

    if good is not None:
        return (
            f"{short_name(good)}, which {campaign_name} served before, is no ACTIVE version any "
            "more"
        )
    return f"no run has noted what {campaign_name} served before {short_name(bad)}"


def _find_way_out(
    target: Target,
    solution: SolutionSettings,
    others: Sequence[SolutionVersionSummaryTypeDef],
    record: DeploymentRecord,
) -> str:
    """List the other versions to choose from, or say how to train one."""
    if not others:
        train = target.command("start", "--skip-import", "--force")
        return f"no other version is ACTIVE, so train one: `{train}`"

    choices = _list_choices(target, solution, others[:SHOWN_VERSIONS], record)
    return "\n  ".join(["choose a version with --to:", *choices])


def _list_choices(
    target: Target,
    solution: SolutionSettings,
    versions: Sequence[SolutionVersionSummaryTypeDef],
    record: DeploymentRecord,
) -> Iterator[str]:
    """Yield each version to which a campaign can move, with what helps to choose one."""
    gate_metrics = [rule["metric"] for rule in solution["qualityGate"]]
    for version in versions:
        arn = version["solutionVersionArn"]
        facts = [f"trained {format_time(version['creationDateTime'])} UTC"]
        # A rollback is urgent, so a version without metrics is listed too.
        with suppress(*AWS_ERRORS):
            metrics = read_metrics(target.access.personalize, arn)
            facts += [
                f"{format_metric_name(name)} {metrics[name]:.4f}"
                for name in dict.fromkeys(gate_metrics or [USUAL_METRIC])
                if name in metrics
            ]

        if arn == record.blocked_version_arn:
            facts.append("rolled back before")
        yield f"{short_name(arn)}: {', '.join(facts)}"


def _find_blocked_version(
    record: DeploymentRecord, left: str, target: str, created: Mapping[str, datetime]
) -> str:
    """Find the newest version that no run may deploy after a campaign has left a version.

    What was blocked before stays blocked if it is newer. Otherwise a run would deploy it again. But
    a version that a person chooses is wanted, whatever has happened before.
    """
    blocked = record.blocked_version_arn
    if blocked is None or blocked not in created or created[blocked] <= created[target]:
        return left
    return max(left, blocked, key=lambda version: created[version])


def find_campaign_arn(target: Target, campaign: str | None) -> str:
    """Find the campaign with this name or ARN, or the only campaign."""
    arns = [
        configured["campaignArn"]
        for solution in target.settings["solutions"]
        for configured in solution["campaigns"]
    ]
    found = [arn for arn in arns if campaign in (None, arn, short_name(arn))]
    if len(found) == 1:
        return found[0]

    problem = f"--campaign {campaign!r} is unknown"
    if campaign is None:
        problem = "--campaign is missing"
    if not arns:
        raise OperatorError(f"{problem}; this pipeline has no campaigns")
    names = ", ".join(map(short_name, arns))
    raise OperatorError(f"{problem}; the campaigns of this pipeline are {names}")


def _write_record(target: Target, move: Move) -> None:
    """Write which version is good, and that no run may deploy the version that is left.

    Raises FailedError with the command that writes the tags, because the campaign moves already.
    """
    previous_arn = move.record.previous_good_version_arn
    if previous_arn == move.good:
        previous_arn = None
    record = DeploymentRecord(
        good_version_arn=move.good,
        previous_good_version_arn=previous_arn,
        blocked_version_arn=move.blocked,
    )

    tags = build_record_tags(record)
    try:
        write_tags(target.access.personalize, move.campaign_arn, tags)
    except AWS_ERRORS as error:
        words = " ".join(f"tagKey={key},tagValue='{value}'" for key, value in tags.items())
        raise FailedError(
            f"{move.campaign_name} moves, but a run may deploy {short_name(move.bad)} again, "
            f"because its tags cannot be written: {aws_error(error)}; write them with `aws "
            f"personalize tag-resource --resource-arn {move.campaign_arn} --tags {words}`"
        ) from error


def _wait_for_update(target: Target, move: Move) -> None:
    """Wait until the campaign serves the good version. Raise FailedError if it does not in time."""
    good_name = short_name(move.good)
    deadline = clock.now() + timedelta(hours=target.settings["limits"]["maxCampaignHours"])
    print_message("waiting for the update, which takes some minutes; Ctrl-C leaves it running")
    while clock.now() < deadline:
        try:
            campaign = describe_campaign(target.access.personalize, move.campaign_arn)
        except AWS_ERRORS as error:
            raise OperatorError(
                f"{move.campaign_name} moves to {good_name}, but is not watched any more: "
                f"{aws_error(error)}"
            ) from error

        if find_served_version_arn(campaign) == move.good:
            return
        _check_update(campaign, move)
        clock.sleep(POLL_SECONDS)

    raise FailedError(f"{move.campaign_name} does not serve {good_name} yet; check again later")


def _check_update(campaign: CampaignTypeDef, move: Move) -> None:
    """Raise FailedError if the update of a campaign has failed."""
    update = campaign.get("latestCampaignUpdate")
    if update is None or is_running(update["status"]) or is_active(update["status"]):
        return

    reason = update.get("failureReason", update["status"])
    raise FailedError(
        f"the update failed: {reason}; {move.campaign_name} still serves {short_name(move.bad)}"
    )
