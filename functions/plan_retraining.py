"""Plans what a run imports, trains and updates."""

from . import executions
from .aws import reader
from .contract import Configured, Planned
from .errors import RunRefused
from .log import log_plan
from .planning import world
from .planning.decide import decide
from .planning.situation import datasets_of, solutions_of


def handler(event: Configured, _context: object) -> Planned:
    """Return the plan of the run.

    Raises:
        RunRefused: the input of the execution is wrong, or a guard refuses the run.
    """
    settings = event["settings"]
    if problems := executions.input_problems(event["request"], settings):
        raise RunRefused(problems)
    run = executions.run_of(event)
    datasets, solutions = datasets_of(settings, run), solutions_of(settings, run)
    state = world.read(reader(), settings, run, datasets=datasets, solutions=solutions)
    return log_plan({"settings": settings, "run": run, "plan": decide(settings, run, state)})
