"""The commands `pin` and `unpin`, which decide whether runs may deploy versions to a campaign."""

from __future__ import annotations

from functions.common import clock
from functions.common.formatting import format_time
from functions.personalize.campaigns import UNSET_VALUE, parse_pin
from functions.personalize.tags import PIN_TAG, read_tags, write_tags
from retrain.account.output import print_command, print_json, print_result
from retrain.account.target import Target
from retrain.names import find_campaign_arn, short_name
from retrain.options import CampaignOption, JsonOption, command


@command
def pin(target: Target, *, campaign: CampaignOption = None, as_json: JsonOption = False) -> int:
    """Pin a campaign to the version that it serves. Runs train and judge, but deploy nothing to it.

    For example: retrain pin --stack prod --campaign home-page

    The pin lasts until `retrain unpin`, and every run warns of it. A trial that has begun goes on
    to its end: the version stays, or the campaign is rolled back.

    Exit code 0: the campaign is pinned, perhaps since an earlier time.
    Exit code 2: the pipeline or the campaign was not found.
    """
    since = f"since {format_time(clock.now())} UTC by {target.access.build_caller_tag()}"
    return _write_pin(target, campaign, since, as_json=as_json)


@command
def unpin(target: Target, *, campaign: CampaignOption = None, as_json: JsonOption = False) -> int:
    """Let runs deploy versions to a pinned campaign again.

    For example: retrain unpin --stack prod --campaign home-page

    The next run deploys the newest version if that passes the quality gate, even if it was trained
    while the campaign was pinned.

    Exit code 0: the campaign is not pinned.
    Exit code 2: the pipeline or the campaign was not found.
    """
    return _write_pin(target, campaign, UNSET_VALUE, as_json=as_json)


def _write_pin(target: Target, campaign: str | None, tag_value: str, *, as_json: bool) -> int:
    """Write a campaign's pin tag, print whether the campaign is pinned, and return exit code 0."""
    client = target.access.personalize
    campaign_arn = find_campaign_arn(target, campaign)
    current_pin = parse_pin(read_tags(client, campaign_arn))
    wanted_pin = parse_pin({PIN_TAG: tag_value})

    # Don't overwrite an existing pin, because it records who pinned the campaign, and when.
    if bool(current_pin) != bool(wanted_pin):
        write_tags(client, campaign_arn, {PIN_TAG: tag_value})
        current_pin = wanted_pin

    if as_json:
        print_json({"campaignArn": campaign_arn, "pin": current_pin})
    else:
        _print_pin(target, short_name(campaign_arn), current_pin)
    return 0


def _print_pin(target: Target, campaign_name: str, current_pin: str | None) -> None:
    """Print who pinned the campaign and how to unpin it, or else how to start a run."""
    if current_pin is not None:
        print_result(f"{campaign_name} is {current_pin}")
        unpin_command = target.command("unpin", "--campaign", campaign_name)
        print_command("To let runs deploy to it again", unpin_command)
        return

    print_result(f"{campaign_name} is not pinned")
    print_command("To deploy a version that waits, start a run", target.command("start"))
