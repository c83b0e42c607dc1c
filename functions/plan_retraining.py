"""Decide what the run imports, trains and updates."""

from . import executions
from .aws import reader
from .contract import Configured, Planned
from .errors import RunRefused
from .log import log_plan
from .planning import world
from .planning.decide import datasets_of, decide, solutions_of


def handler(event: Configured, _context: object) -> Planned:
    """Decide what the run imports, trains and updates; refuse it with every problem at once."""
    settings = event["settings"]
    if problems := executions.problems(event["request"], settings):
        raise RunRefused(problems)
    run = executions.run_of(event)
    seen = world.read(
        reader(),
        settings,
        run,
        datasets=datasets_of(settings, run),
        solutions=solutions_of(settings, run),
    )
    return log_plan({"run": run, "plan": decide(settings, run, seen)})
