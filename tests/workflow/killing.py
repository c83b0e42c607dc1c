"""Functions that do their work, or half of it, and are killed before they can say so."""

import itertools

from emulator.virtual.lambda_runtime import Fails
from tests.workflow.pipeline import handler


def killed(step, *, times=1, error="Sandbox.Timedout"):
    """Give a step's function, killed after its work the first `times` times."""
    numbers = itertools.count()

    def run(event, context):
        answer = handler(step)(event, context)
        if next(numbers) < times:
            raise Fails(error)
        return answer

    return {step: run}
