"""Decide what the run imports, trains and updates."""

from . import requests, world
from .documents import Configured, Planned
from .errors import RunRefused
from .log import log_plan
from .personalize import reader
from .planning import decide


def handler(event: Configured, _context: object) -> Planned:
    """Decide what the run imports, trains and updates; refuse it with every problem at once."""
    settings = event["settings"]
    if problems := requests.problems(event["request"], settings):
        raise RunRefused(problems)
    run = requests.run_of(event)
    plan = decide(settings, run, world.read(reader(), settings, run))
    return log_plan({"run": run, "plan": plan})
