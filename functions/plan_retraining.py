"""Plans what a run does next: wait, end the trials of earlier runs, or import, train and deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .aws import read_client, stepfunctions, write_client
from .errors import RunRefused
from .execution_input import input_problems
from .executions import run_of, trial_results
from .log import log
from .overlap import event_of_deployment, pause_before
from .personalize.campaigns import read_notes
from .personalize.tags import CONFIRMED, tags_of, write_tags
from .planning.found_up_to_date import write_checks
from .planning.plan_run import plan_run, read_view
from .report.model import with_trials
from .texts import with_short_texts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from .contract import CampaignResult, FinishedRun, Plan, PlannedSolution, Run, Settings

NO_JOBS: Plan = {
    "todo": "NOTHING",
    "seconds": 0,
    "reason": None,
    "imports": [],
    "solutions": [],
    "warnings": [],
}


@with_short_texts
def handler(event: FinishedRun, _context: object) -> FinishedRun:
    """Return the document with the plan of the run.

    Raises:
        RunRefused: the input of the execution is wrong, the run has waited too long for an older
            run, or a guard refuses the run.
    """
    settings, trials = event["settings"], trial_results(event)
    if problems := input_problems(settings, event["run"]):
        raise RunRefused(problems)
    run = run_of(event["run"])
    plan = _plan_before_work(settings, run, trials) or _plan_work(settings, run)
    if plan["todo"] == "WORK":
        # The document has no room for the results of both these trials and the jobs.
        plan, trials = with_trials(plan, trials), []
    facts = {key: plan[key] for key in ("todo", "seconds", "reason")}
    jobs = {key: len(plan[key]) for key in ("imports", "solutions")}
    log("plan_retraining", plan["todo"], runId=run["id"], **facts, **jobs)
    return {"settings": settings, "run": run, "plan": plan, "trials": trials}


def _plan_before_work(
    settings: Settings, run: Run, trials: Sequence[CampaignResult]
) -> Plan | None:
    """Return what the run does before it imports, trains or deploys. Return None if it may begin.

    `trials` are the results of the trials that the run has tried to end. It tries only once.
    """
    if pause := pause_before(stepfunctions(), settings, run):
        plan: Plan = {**NO_JOBS, "reason": pause.reason, "seconds": pause.seconds}
        return {**plan, "todo": "WAIT"} if pause.seconds else plan
    tried = {trial["campaign"]["campaignArn"] for trial in trials}
    if solutions := solutions_on_trial(read_client(), settings, tried):
        return {**NO_JOBS, "todo": "TRIALS", "solutions": solutions}
    if reason := event_of_deployment(run):
        return {**NO_JOBS, "reason": reason}
    if run["request"].get("only") == "trials":
        reason = None if trials else "no campaign has a version on trial"
        return {**NO_JOBS, "reason": reason}
    return None


def _plan_work(settings: Settings, run: Run) -> Plan:
    """Return the jobs of the run, and tag each resource that was found confirmed or up to date."""
    view = read_view(read_client(), settings, run)
    plan = plan_run(view)
    for arn, fingerprint in view.world.newly_confirmed.items():
        write_tags(write_client(), arn, {CONFIRMED: fingerprint})
    plan["warnings"] += write_checks(read_client(), view)
    return plan


def solutions_on_trial(
    client: PersonalizeClient, settings: Settings, tried: Collection[str] = ()
) -> list[PlannedSolution]:
    """Return the solutions that have campaigns with a version on trial, with only these campaigns.

    Campaigns in `tried` are left out. Nothing is trained for these solutions.
    """
    found: list[PlannedSolution] = []
    for solution in settings["solutions"]:
        solution_arn = solution["solutionArn"]
        arns = [campaign["campaignArn"] for campaign in solution["campaigns"]]
        on_trial = [
            arn for arn in arns if arn not in tried and _is_on_trial(client, arn, solution_arn)
        ]
        if on_trial:
            found.append(
                {
                    "solutionArn": solution_arn,
                    "versionName": "",
                    "trainingMode": solution["trainingMode"],
                    "recipe": "",
                    "existingVersionArn": None,
                    "requestedSince": None,
                    "durations": [],
                    "campaigns": [{"campaignArn": arn} for arn in on_trial],
                }
            )
    return found


def _is_on_trial(client: PersonalizeClient, campaign_arn: str, solution_arn: str) -> bool:
    """Return True if the campaign has a version on trial. A deleted campaign has none."""
    try:
        return read_notes(tags_of(client, campaign_arn), solution_arn).trial is not None
    except client.exceptions.ResourceNotFoundException:
        return False
