"""Checks the datasets, the exports, the solutions and the campaigns with the guards of a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from functions.personalize.campaigns import live_version, read_notes
from functions.personalize.statuses import is_active
from functions.planning.plan_run import GUARDS, messages_of
from retrain.check.findings import Finding, found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrain.check.findings import Account

COMMAND = re.compile(r"'(aws [^']+)'|(aws .+ '{.+}')")
"""A command of the AWS CLI in a guard's message, which may end with JSON."""


def check_guards(account: Account) -> Iterator[Finding]:
    """Yield a finding for each message of a guard, or one that no guard stops a run.

    The way out is after the first `; ` of a message.
    """
    is_ok = True
    for guard in GUARDS:
        for message in messages_of(guard, account.view):
            is_ok = False
            text, _, way_out = message.partition("; ")
            command = COMMAND.search(way_out)
            fix = (command[1] or command[2]) if command else way_out or None
            yield Finding("warn" if guard.verdict == "WARN" else "missing", text, fix)
    if is_ok:
        yield Finding("ok", "the datasets, exports, solutions and campaigns are ready for a run")


def check_probes(account: Account) -> Iterator[Finding]:
    """Find out whether each campaign has a probe."""
    for solution in account.pipeline.settings["solutions"]:
        for campaign in solution["campaigns"]:
            if campaign["probe"] is None:
                text = f"{campaign['campaignArn']} has none, so nothing moves a bad version back"
                yield Finding("warn", text, "add a probe to the campaign in the stack's file")


def check_way_back(account: Account) -> Iterator[Finding]:
    """Find out whether each campaign has a version to which it can go back."""
    client, world = account.client("personalize"), account.view.world
    for solution in account.pipeline.settings["solutions"]:
        for arn in [row["campaignArn"] for row in solution["campaigns"]]:
            if arn not in world.campaigns:
                continue
            name, campaign = arn.rpartition("/")[2], world.campaigns[arn]
            notes = read_notes(world.campaign_tags[arn], solution["solutionArn"])
            version = notes.good_before(live_version(campaign))
            if version is None:
                yield Finding("ok", f"{name} has no earlier version yet to which it could go back")
                continue
            response = found(client.describe_solution_version, solutionVersionArn=version)
            status = response["solutionVersion"]["status"] if response else "gone"
            if is_active(status):
                yield Finding("ok", f"{name} can go back to {version}")
            else:
                text = f"{name} cannot go back to {version}, which is {status}"
                yield Finding("missing", text, account.pipeline.command("start", "--force"))
