"""Checks whether the datasets, solutions and campaigns are ready for a run and for a rollback.

After a campaign is updated to a new solution version, the version is *on trial*: a *probe* requests
recommendations from the campaign, and alarms watch the version for some hours, during its *bake*.
If the probe fails or an alarm goes off, the campaign is rolled back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.bake_alarms import read_alarms
from functions.personalize.campaigns import find_served_version_arn, parse_record
from functions.planning.plan_run import GUARDS, find_problems
from functions.rules.versions import LONG_AGO
from retrain.account.option_words import build_training_command
from retrain.check.findings import Finding, build_finding
from retrain.look.lost_campaigns import describe_lost_campaigns, find_lost_campaigns
from retrain.look.runs import list_running_executions
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from functions.planning.guards import Effect
    from functions.planning.solutions import SolutionView
    from functions.rules.campaigns import Alarm, Trial
    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.check.findings import Level

LEVEL_BY_EFFECT: Mapping[Effect, Level] = {"REFUSE": "missing", "WARN": "warn"}


def check_campaigns(pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Report campaigns that don't exist, because their users are getting errors right now."""
    for message in describe_lost_campaigns(pipeline.run_view, pipeline.target):
        yield build_finding("missing", message, pipeline.options)


def check_guards(pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Report every problem that the guards would find if a run started now.

    Guards check a run before it imports or trains anything. Some refuse it, others only warn.
    """
    if day := pipeline.run_view.run["request"].get("day"):
        yield Finding("ok", f"today's exports are not all there, so those of {day} were checked")

    lost_campaigns = find_lost_campaigns(pipeline.run_view)
    findings = [
        build_finding(LEVEL_BY_EFFECT[guard.effect], message, pipeline.options)
        for guard in GUARDS
        for message in find_problems(guard, pipeline.run_view)
        # `check_campaigns` already reports a lost campaign, with the command that recreates it.
        if message["text"].partition(": ")[0] not in lost_campaigns
    ]
    yield from findings
    if not findings and not lost_campaigns:
        yield Finding("ok", "the datasets, exports, solutions and campaigns are ready for a run")


def check_incremental_updates(pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Warn about solutions whose versions Personalize updates automatically.

    Each update is billed, and neither the quality gate nor a probe checks it:
    https://docs.aws.amazon.com/personalize/latest/dg/native-recipe-semantic-similarity.html
    """
    for solution in pipeline.run_view.solutions:
        description = solution.solution_snapshot.description
        if description and description.get("performIncrementalUpdate"):
            text = (
                f"{solution.arn}: updates its versions by itself, which costs money and passes by "
                "every gate; turn that off:"
            )

            update_command = (
                f"aws personalize update-solution --solution-arn {solution.arn} "
                "--no-perform-incremental-update"
            )
            yield Finding("warn", text, update_command)


def check_way_back(pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Check that a bad version would be noticed by a probe or a bake, and could be rolled back."""
    for solution in pipeline.run_view.solutions:
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
                yield from _check_record(pipeline, solution, campaign_arn)


def _check_record(
    pipeline: ExaminedPipeline, solution: SolutionView, campaign_arn: str
) -> Iterator[Finding]:
    """Check a campaign's deployment record, which runs keep in the campaign's tags.

    The record contains the version on trial, if any, and the version to roll back to.
    """
    campaign_name = short_name(campaign_arn)
    snapshot = solution.solution_snapshot
    record = parse_record(snapshot.campaign_tags[campaign_arn], solution.arn)
    if record.trial is not None:
        yield from _check_trial(pipeline, campaign_name, record.trial)

    served_version_arn = find_served_version_arn(snapshot.campaigns[campaign_arn])
    target_arn = record.find_rollback_target_arn(served_version_arn)
    if target_arn is None:
        yield Finding("ok", f"{campaign_name} has none before its next version")
    else:
        yield _check_rollback_target(pipeline, solution, campaign_name, target_arn)


def _check_rollback_target(
    pipeline: ExaminedPipeline, solution: SolutionView, campaign_name: str, version_arn: str
) -> Finding:
    """Check that the version to which a campaign would be rolled back can be deployed."""
    versions = solution.solution_state.versions
    if version_arn in [version.arn for version in versions if version.is_active]:
        return Finding("ok", short_name(version_arn))

    text = (
        f"{campaign_name} cannot be rolled back to {short_name(version_arn)}, because that is no "
        "ACTIVE version"
    )
    # Training doesn't need an import, which would be refused as long as there's no new export.
    train_command = build_training_command(solution.solution_settings, pipeline.options)
    return Finding("missing", text, train_command)


def _check_trial(pipeline: ExaminedPipeline, campaign_name: str, trial: Trial) -> Iterator[Finding]:
    """Warn about a version on trial if no run is active to finish the trial."""
    target = pipeline.target
    if target is None or list_running_executions(target):
        return

    text = (
        f"{short_name(trial.version_arn)} is on trial at {campaign_name}, but no run is active; "
        "the watcher starts one soon, or start one:"
    )

    start_command = (
        'aws stepfunctions start-execution --input \'{"only": "trials"}\' '
        f"--state-machine-arn {target.state_machine_arn}"
    )
    yield Finding("warn", text, start_command)


def check_bakes(pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Check the bake alarms that the config names. Any others are created by the deployment."""
    alarm_names = {
        alarm_arn.partition(":alarm:")[2]
        for solution in pipeline.settings["solutions"]
        for campaign in solution["campaigns"]
        if campaign["bake"]
        for alarm_arn in campaign["bake"]["alarms"]
    }

    if alarm_names:
        alarms = read_alarms(pipeline.client("cloudwatch"), sorted(alarm_names))
        yield from map(_check_bake_alarm, alarms)


def _check_bake_alarm(alarm: Alarm) -> Finding:
    """Check that an alarm exists, and isn't in ALARM before a bake has even begun."""
    # If the alarm doesn't exist or couldn't be read, `state_changed_at` keeps this default, and
    # `state` is a text that says why.
    if alarm.state_changed_at == LONG_AGO:
        text = (
            f"the alarm {alarm.name} {alarm.state}, so it moves nothing back; create the alarm, or "
            "take its ARN out of bake.alarms in the stack's file"
        )
        return Finding("missing", text)

    if alarm.state == "ALARM":
        text = (
            f"the alarm {alarm.name} is in ALARM, so it cannot go off during a bake; solve its "
            "problem before the next run, or change the alarm"
        )
        return Finding("warn", text)
    return Finding("ok", f"the alarm {alarm.name}")
