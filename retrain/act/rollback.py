"""The command `rollback`, which moves a campaign back to an earlier solution version.

The campaign's tags record two solution versions. The *blocked version* was rolled back, so no run
deploys it to the campaign again. The *good version* is the last one that passed its trial, so a
rollback returns to it by default.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from functions.common import clock
from functions.common.formatting import format_metric_name, format_time
from functions.contract import find_solution_of_campaign
from functions.personalize.campaigns import (
    LATEST_VERSION_SUFFIX,
    build_campaign_state,
    build_record_tags,
    build_update_request,
    describe_campaign,
    find_served_version_arn,
)
from functions.personalize.tags import read_tags, write_tags
from functions.personalize.trainings import list_untagged_versions, read_metrics
from functions.rules.campaigns import DeploymentRecord
from retrain.account.errors import AWS_ERRORS, FailedError, OperatorError, explain_aws_error
from retrain.account.option_words import build_training_command
from retrain.account.output import confirm, print_command, print_json, print_message, print_result
from retrain.account.target import Target
from retrain.look.pipeline_status import choose_metric
from retrain.look.runs import find_run_id, list_running_executions, read_reports
from retrain.look.versions import build_deletion_warning, find_rejections
from retrain.names import find_campaign_arn, is_named, short_name
from retrain.options import (
    CampaignOption,
    JsonOption,
    RollbackTargetOption,
    YesOption,
    command,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from mypy_boto3_personalize.type_defs import CampaignTypeDef

    from functions.contract import SolutionSettings
    from functions.rules.campaigns import CampaignState
    from functions.rules.versions import SolutionVersion

SHOWN_VERSIONS = 5
"""How many versions are offered to choose from."""
POLL_SECONDS = 10


class Move(NamedTuple):
    """A planned move of a campaign from its current solution version to another one."""

    campaign: CampaignTypeDef
    state: CampaignState
    """What the campaign and its tags say before the move."""
    served_arn: str
    target_arn: str
    blocked_arn: str
    """The version to block. Runs won't deploy this version or an older one to the campaign."""

    @property
    def campaign_arn(self) -> str:
        """The campaign's ARN."""
        return self.campaign["campaignArn"]

    @property
    def campaign_name(self) -> str:
        """The campaign's short name, for messages."""
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
    # By default, the target has passed its trial, so don't spend seconds on reading all reports.
    if to:
        rejections = find_rejections(read_reports(target), move.campaign_arn)
        if move.target_arn in rejections:
            print_message(f"warning: it was rejected: {rejections[move.target_arn]}")
    confirm("Move the campaign?", "nothing was changed", yes=yes)

    start_move(target, move)
    _wait_for_update(target, move)

    if as_json:
        print_json(
            {
                "campaignArn": move.campaign_arn,
                "left": move.served_arn,
                "serves": move.target_arn,
            }
        )
        return 0

    print_result(f"{move.campaign_name} serves {short_name(move.target_arn)}")
    print_message("The data is not rolled back. Replace a bad export before the next run.")
    return 0


def plan_move(target: Target, campaign_arn: str, to: str | None = None) -> Move:
    """Plan the move of a campaign to the version named `to`, or to its good version by default.

    Raises:
        OperatorError: `to` isn't an ACTIVE version of the campaign's solution.
        FailedError: the campaign can't be moved now, or there's no version to move it to.
    """
    client = target.access.personalize
    solution = find_solution_of_campaign(target.settings, campaign_arn)
    solution_arn = solution["solutionArn"]
    campaign = describe_campaign(client, campaign_arn)
    state = build_campaign_state(campaign, read_tags(client, campaign_arn), solution_arn)
    served_arn = _find_served_version(campaign, state)

    versions = list_untagged_versions(client, solution_arn)
    choices = [version for version in versions if version.is_active and version.arn != served_arn]
    try:
        target_arn = _choose_version(campaign_arn, state.record, served_arn, choices, to)
    except OperatorError as error:
        # What runs said about the versions only matters if the operator has to choose among them.
        rejections = find_rejections(read_reports(target), campaign_arn)
        # Versions that were rejected come last. Otherwise, the order stays newest first.
        choices.sort(key=lambda version: version.arn in rejections)
        hint = _build_hint(target, choices, solution, state.record, rejections)
        raise type(error)(f"{error.text}; {hint}") from None

    blocked_arn = _choose_blocked_version(state.record, served_arn, target_arn, versions)
    return Move(campaign, state, served_arn, target_arn, blocked_arn)


def _find_served_version(campaign: CampaignTypeDef, state: CampaignState) -> str:
    """Return the ARN of the version that a campaign serves.

    Raises FailedError if the campaign is being updated, serves no version, or follows $LATEST.
    """
    campaign_arn = campaign["campaignArn"]
    campaign_name = short_name(campaign_arn)
    if state.update.is_running:
        raise FailedError(
            f"{campaign_name} is being updated; try again when this has ended, in minutes"
        )

    served_arn = state.served_version_arn
    if served_arn is None or served_arn.endswith(LATEST_VERSION_SUFFIX):
        raise FailedError(
            f"{campaign_name} is {campaign['status']} and serves {served_arn or 'nothing'}, so "
            "there is no version to leave; create it again, or move it with `aws personalize "
            f"update-campaign --campaign-arn {campaign_arn} --solution-version-arn VERSION`"
        )
    return served_arn


def _choose_version(
    campaign_arn: str,
    record: DeploymentRecord,
    served_arn: str,
    choices: Sequence[SolutionVersion],
    to: str | None,
) -> str:
    """Return the ARN of the version named `to`, or of the campaign's good version by default.

    Raises:
        OperatorError: `to` isn't an ACTIVE version of the campaign's solution.
        FailedError: the campaign already serves `to`, or has no good version to go back to.
    """
    campaign_name = short_name(campaign_arn)
    if to is None:
        return _find_good_version(campaign_name, record, served_arn, choices)

    if is_named(served_arn, to):
        raise FailedError(f"{campaign_name} serves {short_name(served_arn)} already")
    for version in choices:
        if is_named(version.arn, to):
            return version.arn

    solution_name = short_name(served_arn).partition("/")[0]
    raise OperatorError(f"{to!r} is not an ACTIVE version of {solution_name}")


def _find_good_version(
    campaign_name: str,
    record: DeploymentRecord,
    served_arn: str,
    choices: Sequence[SolutionVersion],
) -> str:
    """Return the ARN of the last good version besides the one that the campaign serves.

    Raises FailedError if the campaign's tags don't name such a version, or if it isn't ACTIVE.
    """
    good_arn = record.find_rollback_target_arn(served_arn)
    if good_arn is None:
        raise FailedError(
            f"no run has noted what {campaign_name} served before {short_name(served_arn)}"
        )

    if good_arn not in [version.arn for version in choices]:
        raise FailedError(
            f"{short_name(good_arn)}, which {campaign_name} served before, is no ACTIVE version "
            "any more"
        )
    return good_arn


def _build_hint(
    target: Target,
    choices: Sequence[SolutionVersion],
    solution: SolutionSettings,
    record: DeploymentRecord,
    rejected_arns: Container[str],
) -> str:
    """Build a hint that lists the versions to choose from, or says how to train another one.

    The choices are sorted, best first.
    """
    if not choices:
        train_command = build_training_command(solution, target.options)
        return f"no other version is ACTIVE, so train one: `{train_command}`"

    metric = choose_metric(solution)
    lines = ["choose a version with --to:"]
    for version in choices[:SHOWN_VERSIONS]:
        details = [f"trained {format_time(version.created_at)} UTC"]
        # A rollback is urgent, so list the version even if we can't read its metric.
        with suppress(*AWS_ERRORS, KeyError):
            value = read_metrics(target.access.personalize, version.arn)[metric]
            details.append(f"{format_metric_name(metric)} {value:.4f}")
        if version.arn == record.blocked_version_arn:
            details.append("rolled back before")
        if version.arn in rejected_arns:
            details.append("was rejected")
        lines.append(f"{short_name(version.arn)}: {', '.join(details)}")
    return "\n  ".join(lines)


def _choose_blocked_version(
    record: DeploymentRecord,
    served_arn: str,
    target_arn: str,
    versions: Iterable[SolutionVersion],
) -> str:
    """Return the ARN of the version to block, usually the one that the campaign leaves.

    The tags have room for only one blocked version. If the current blocked version is newer
    than the one that the campaign leaves, the newer version stays blocked, because otherwise a run
    would deploy it again. But if the operator moves the campaign to the blocked version itself, or
    to a newer version, the block is lifted.
    """
    # The versions are sorted, newest first.
    for version in versions:
        if version.arn == target_arn:
            break
        if version.arn in (served_arn, record.blocked_version_arn):
            return version.arn
    return served_arn


def _print_move(target: Target, move: Move) -> None:
    """Print the planned move, with warnings, the campaign's pin, and the runs that may undo it."""
    served_name = short_name(move.served_arn)
    target_name = short_name(move.target_arn)
    print_message(f"{move.campaign_name} serves {served_name} and moves to {target_name}")

    if move.state.record.blocked_version_arn == move.target_arn:
        print_message(f"warning: it was rolled back from {target_name} before")
    warning = build_deletion_warning(target.access.personalize, move.target_arn)
    if warning:
        print_message(f"warning: {warning}")
    if move.state.pin:
        print_message(f"{move.campaign_name} is {move.state.pin}, and stays pinned")

    for execution in list_running_executions(target):
        run_id = find_run_id(target, execution)
        print_command(
            f"{run_id} is under way and may deploy a new version; to prevent this, stop it",
            target.command("stop", "--run", run_id),
        )


def start_move(target: Target, move: Move) -> None:
    """Start the campaign update, and write the good and the blocked version to the campaign's tags.

    Raises FailedError if the update was started, but the tags couldn't be written. The message
    contains the AWS CLI command that writes the tags.
    """
    client = target.access.personalize
    client.update_campaign(**build_update_request(move.campaign, move.target_arn))

    previous_arn = move.state.record.previous_good_version_arn
    if previous_arn == move.target_arn:
        previous_arn = None
    record = DeploymentRecord(
        good_version_arn=move.target_arn,
        previous_good_version_arn=previous_arn,
        blocked_version_arn=move.blocked_arn,
    )

    tags = build_record_tags(record)
    try:
        write_tags(client, move.campaign_arn, tags)
    except AWS_ERRORS as error:
        tag_words = " ".join(f"tagKey={key},tagValue='{value}'" for key, value in tags.items())
        raise FailedError(
            f"{move.campaign_name} moves, but a run may deploy {short_name(move.served_arn)} "
            f"again, because its tags cannot be written: {explain_aws_error(error)}; write them "
            f"with `aws personalize tag-resource --resource-arn {move.campaign_arn} --tags "
            f"{tag_words}`"
        ) from error


def _wait_for_update(target: Target, move: Move) -> None:
    """Poll the campaign until it serves the target version.

    Raises FailedError if the update fails, or takes longer than maxCampaignHours.
    """
    print_message("waiting for the update, which takes some minutes; Ctrl-C leaves it running")
    deadline = clock.now() + timedelta(hours=target.settings["limits"]["maxCampaignHours"])
    while clock.now() < deadline:
        campaign = describe_campaign(target.access.personalize, move.campaign_arn)
        if find_served_version_arn(campaign) == move.target_arn:
            return

        failure = campaign.get("latestCampaignUpdate", {}).get("failureReason")
        if failure:
            served_name = short_name(move.served_arn)
            raise FailedError(
                f"the update failed: {failure}; {move.campaign_name} still serves {served_name}"
            )
        clock.sleep(POLL_SECONDS)

    target_name = short_name(move.target_arn)
    raise FailedError(f"{move.campaign_name} does not serve {target_name} yet; check again later")
