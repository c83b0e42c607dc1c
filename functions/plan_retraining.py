"""Plans what a run imports, trains and updates."""

from .aws import read_client, write_client
from .campaign_reports import with_trials
from .contract import PlannedRun, RunToPlan
from .log import log
from .personalize.tags import HELD, write_tags
from .planning.found_up_to_date import write_checks
from .planning.plan_run import plan_run
from .planning.situation import datasets_to_import, situation_of, solutions_to_train
from .planning.world import read_world
from .texts import MAX_PLAN_TEXT_BYTES, with_short_texts


@with_short_texts(MAX_PLAN_TEXT_BYTES)
def handler(event: RunToPlan, _context: object) -> PlannedRun:
    """Return the plan of the run, with a line about each trial that the run has finished.

    Raises:
        RunRefused: a guard refuses the run.
    """
    settings, run = event["settings"], event["run"]
    world = read_world(
        read_client(),
        settings,
        run,
        datasets=datasets_to_import(settings, run),
        solutions=solutions_to_train(settings, run),
    )
    plan = with_trials(plan_run(settings, run, world), event)
    situation = situation_of(settings, run, world)
    for arn, fingerprint in world.found_held.items():
        write_tags(write_client(), arn, {HELD: fingerprint})
    plan["warnings"] += write_checks(read_client(), situation)
    imports, solutions = len(plan["imports"]), len(plan["solutions"])
    log(
        "plan_retraining",
        f"{imports} to import, {solutions} to train",
        runId=run["id"],
        imports=imports,
        solutions=solutions,
        skipped=plan["skipped"],
    )
    return {"settings": settings, "run": run, "plan": plan}
