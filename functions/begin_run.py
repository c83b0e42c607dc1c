"""Begins a run: checks its input, and waits for other executions."""

from .aws import read_client, stepfunctions
from .contract import BegunRun, ConfiguredRun, Run
from .errors import RunRefused
from .execution_input import input_problems
from .executions import is_resumed, run_of
from .log import log_begin
from .overlap import begin
from .resume import resumed_run
from .texts import MAX_PLAN_TEXT_BYTES, with_short_texts


@with_short_texts(MAX_PLAN_TEXT_BYTES)
def handler(event: ConfiguredRun, _context: object) -> BegunRun:
    """Return the document with the run, and with whether it may begin.

    Raises:
        RunRefused: the input of the execution is wrong, its run cannot be resumed, or it has waited
            too long for an older run.
    """
    run = _requested_run(event)
    return log_begin({**event, "run": run, "begin": begin(stepfunctions(), event["settings"], run)})


def _requested_run(configured: ConfiguredRun) -> Run:
    """Return the run that the input asks for."""
    if problems := input_problems(configured):
        raise RunRefused(problems)
    run = run_of(configured)
    return resumed_run(stepfunctions(), read_client(), configured) if is_resumed(run) else run
