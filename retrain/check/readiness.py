"""Checks whether the datasets, solutions and campaigns are ready for a run and for a rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.bake_alarms import read_alarms
from functions.personalize.campaigns import find_served_version_arn, parse_record
from functions.personalize.statuses import is_active
from functions.planning.plan_run import GUARDS, find_problems
from functions.rules.versions import LONG_AGO
from retrain.account.access import read_if_exists
from retrain.check.findings import Finding, build_finding
from retrain.look.lost_campaigns import describe_lost_campaigns, find_lost_campaigns
from retrain.look.runs import list_running_executions
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from functions.planning.guards import Effect
    from functions.planning.snapshot import SolutionSnapshot
    from functions.rules.campaigns import Trial
    from retrain.check.findings import Account, Level

LEVEL_BY_EFFECT: Mapping[Effect, Level] = {"REFUSE": "missing", "WARN": "warn"}


def check_campaigns(account: Account) -> Iterator[Finding]:
    """Check that each campaign exists, because the users of a deleted one get errors now."""
    for message in describe_lost_campaigns(account.view, account.pipeline.target):
        yield build_finding("missing", message, account.pipeline.options)


def check_guards(account: Account) -> Iterator[Finding]:
    """Yield each message of a guard, or say that no guard would stop a run."""
    if day := account.view.run["request"].get("day"):
        yield Finding("ok", f"today's exports are not all there, so those of {day} were checked")

    problems = [
        (guard, message) for guard in GUARDS for message in find_problems(guard, account.view)
    ]
    if not problems:
        yield Finding("ok", "the datasets, exports, solutions and campaigns are ready for a run")

    lost_campaigns = find_lost_campaigns(account.view)
    for guard, message in problems:
        # `check_campaigns` has named it, with the command that creates it again.
        if message["text"].partition(": ")[0] not in lost_campaigns:
            level = LEVEL_BY_EFFECT[guard.effect]
            yield build_finding(level, message, account.pipeline.options)


def check_incremental_updates(account: Account) -> Iterator[Finding]:
    """Warn of solutions whose versions Personalize updates by itself.

    Each update is billed, and no gate and no probe judges it:
    https://docs.aws.amazon.com/personalize/latest/dg/native-recipe-semantic-similarity.html
    """
    for solution in account.view.solutions:
        description = solution.solution_snapshot.description
        if description and description.get("performIncrementalUpdate"):
            text = (
                f"{solution.arn}: updates its versions by itself, which costs money and passes by "
                "every gate; turn that off:"
            )

            turn_off = (
                f"aws personalize update-solution --solution-arn {solution.arn} "
                "--no-perform-incremental-update"
            )
            yield Finding("warn", text, turn_off)


def check_way_back(account: Account) -> Iterator[Finding]:
    """Check that each campaign has a probe or a bake, and a version to be rolled back to."""
    for solution in account.view.solutions:
        for campaign_settings in solution.solution_settings["campaigns"]:
            campaign_arn = campaign_settings["campaignArn"]
            if campaign_settings["probe"] is None and campaign_settings["bake"] is None:
                text = (
                    f"{short_name(campaign_arn)} has no probe and no bake, so nothing moves a bad "
                    "version back; add a probe to the campaign in the stack's file"
                )
                yield Finding("warn", text)

            # `check_campaigns` reports campaigns that don't exist.
            if campaign_arn in solution.solution_snapshot.campaigns:
                yield from _check_record(account, solution.solution_snapshot, campaign_arn)


def _check_record(
    account: Account, snapshot: SolutionSnapshot, campaign_arn: str
) -> Iterator[Finding]:
    """Check the versions in the record that runs keep in the tags of a campaign."""
    name = short_name(campaign_arn)
    solution_arn = snapshot.solution_settings["solutionArn"]
    record = parse_record(snapshot.campaign_tags[campaign_arn], solution_arn)
    if record.trial is not None:
        yield from _check_trial(account, name, record.trial)

    served_arn = find_served_version_arn(snapshot.campaigns[campaign_arn])
    yield _judge_rollback_target(account, name, record.find_rollback_target_arn(served_arn))


def _check_trial(account: Account, campaign_name: str, trial: Trial) -> Iterator[Finding]:
    """Warn of a version on trial if no run is active that would finish the trial."""
    target = account.pipeline.target
    if target is None or list_running_executions(target):
        return

    text = (
        f"{short_name(trial.version_arn)} is on trial at {campaign_name}, but no run is active; "
        "the watcher starts one soon, or start one:"
    )

    start = (
        'aws stepfunctions start-execution --input \'{"only": "trials"}\' '
        f"--state-machine-arn {target.state_machine_arn}"
    )
    yield Finding("warn", text, start)


def _judge_rollback_target(
    account: Account, campaign_name: str, version_arn: str | None
) -> Finding:
    """Judge whether a campaign could still be rolled back to its last good version."""
    if version_arn is None:
        return Finding("ok", f"{campaign_name} gets a way back with its next version")

    client = account.client("personalize")
    response = read_if_exists(client.describe_solution_version, solutionVersionArn=version_arn)
    status = "gone"
    if response is not None:
        status = response["solutionVersion"]["status"]

    if is_active(status):
        return Finding("ok", short_name(version_arn))

    text = f"{short_name(version_arn)} is {status}, so {campaign_name} cannot be rolled back to it"
    # A training needs no import, and the run would be refused if the next export isn't there yet.
    train = account.pipeline.command("start", "--skip-import", "--force")
    return Finding("missing", text, train)


def check_bakes(account: Account) -> Iterator[Finding]:
    """Check the alarms that the config names. A deployment creates those of `createAlarms`."""
    campaigns = [
        campaign
        for solution in account.pipeline.settings["solutions"]
        for campaign in solution["campaigns"]
    ]
    bakes = [campaign["bake"] for campaign in campaigns if campaign["bake"]]
    alarm_arns = {alarm_arn for bake in bakes for alarm_arn in bake["alarms"]}

    for alarm_arn in sorted(alarm_arns):
        yield from _check_bake_alarm(account, alarm_arn.partition(":alarm:")[2])


def _check_bake_alarm(account: Account, alarm_name: str) -> Iterator[Finding]:
    """Check that an alarm can still go off during a bake."""
    (alarm,) = read_alarms(account.client("cloudwatch"), [alarm_name])
    # If the alarm doesn't exist or can't be read, its state is the reason in words.
    if alarm.state_changed_at == LONG_AGO:
        text = (
            f"the alarm {alarm_name} {alarm.state}, so it moves nothing back; create the alarm, or "
            "take its ARN out of bake.alarms in the stack's file"
        )
        yield Finding("missing", text)
        return

    yield Finding("ok", f"the alarm {alarm_name}")
    if alarm.state == "ALARM":
        text = (
            f"the alarm {alarm_name} is in ALARM, so it cannot go off during a bake; solve its "
            "problem before the next run, or change the alarm"
        )
        yield Finding("warn", text)
