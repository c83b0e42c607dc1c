"""Plans what a run does next: wait, end the trials of earlier runs, or import, train and deploy."""

from collections.abc import Sequence

from .aws import read_client, stepfunctions, write_client
from .contract import CampaignResult, FinishedRun, Plan, Run, Settings
from .errors import RunRefused
from .execution_input import input_problems
from .executions import played_trials, run_of
from .log import log
from .overlap import event_of_deployment, pause_before
from .personalize.tags import HELD, write_tags
from .personalize.trials import solutions_on_trial
from .planning.found_up_to_date import write_checks
from .planning.plan_run import plan_run, read_view
from .report.model import with_trials
from .texts import with_short_texts

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
    settings, trials = event["settings"], played_trials(event)
    if problems := input_problems(settings, event["run"]):
        raise RunRefused(problems)
    run = run_of(event["run"])
    plan = _plan_before_work(settings, run, trials) or _plan_work(settings, run)
    if plan["todo"] == "WORK":
        # The document has no space for the results of these trials and of the jobs.
        plan, trials = with_trials(plan, trials), []
    facts = {key: plan[key] for key in ("todo", "seconds", "reason")}
    jobs = {key: len(plan[key]) for key in ("imports", "solutions")}
    log("plan_retraining", plan["todo"], runId=run["id"], **facts, **jobs)
    return {"settings": settings, "run": run, "plan": plan, "trials": trials}


def _plan_before_work(
    settings: Settings, run: Run, trials: Sequence[CampaignResult]
) -> Plan | None:
    """Return what the run does before it imports, trains or deploys. Return None if it may begin.

    A run plays each trial once, so `trials` are not played again.
    """
    if pause := pause_before(stepfunctions(), settings, run):
        plan: Plan = {**NO_JOBS, "reason": pause.reason, "seconds": pause.seconds}
        return {**plan, "todo": "WAIT"} if pause.seconds else plan
    played = {trial["campaign"]["campaignArn"] for trial in trials}
    if solutions := solutions_on_trial(read_client(), settings, played):
        return {**NO_JOBS, "todo": "TRIALS", "solutions": solutions}
    if reason := event_of_deployment(run):
        return {**NO_JOBS, "reason": reason}
    if run["request"].get("only") == "trials":
        reason = None if trials else "no campaign has a version on trial"
        return {**NO_JOBS, "reason": reason}
    return None


def _plan_work(settings: Settings, run: Run) -> Plan:
    """Return the jobs of the run, and write on each resource what was found about it."""
    view = read_view(read_client(), settings, run)
    plan = plan_run(view)
    for arn, fingerprint in view.world.found_held.items():
        write_tags(write_client(), arn, {HELD: fingerprint})
    plan["warnings"] += write_checks(read_client(), view)
    return plan
