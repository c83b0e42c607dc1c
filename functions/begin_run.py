"""Begins a run: checks its input, and waits for other executions."""

from .aws import stepfunctions
from .contract import BegunRun, ConfiguredRun
from .errors import RunRefused
from .execution_input import input_problems
from .executions import run_of
from .log import log
from .overlap import begin
from .texts import MAX_PLAN_TEXT_BYTES, with_short_texts


@with_short_texts(MAX_PLAN_TEXT_BYTES)
def handler(event: ConfiguredRun, _context: object) -> BegunRun:
    """Return the document with the run, and with whether it may begin.

    Raises:
        RunRefused: the input of the execution is wrong, or the run has waited too long for an older
            run.
    """
    if problems := input_problems(event):
        raise RunRefused(problems)
    run = run_of(event)
    decision = begin(stepfunctions(), event["settings"], run)
    log("begin_run", decision["phase"], runId=run["id"], **decision)
    return {**event, "run": run, "begin": decision}
