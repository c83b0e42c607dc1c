"""Kill invocations of functions, or invoke functions twice, when a story says so."""

from collections import defaultdict

from components.state_machine.steps import STEPS
from emulator.virtual.step_functions import Fails, Handler
from tests.workflow.pipeline import handler
from tests.workflow.stories import Happening


class Kills:
    """Kill invocations of functions when a happening says so."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[str]] = defaultdict(list)

    def add(self, happening: Happening) -> None:
        """Kill the next invocations of a function, or invoke it twice."""
        self._waiting[happening.where] += [happening.kind] * happening.times

    def clear(self) -> None:
        """Kill nothing any more."""
        self._waiting.clear()

    def handlers(self) -> dict[str, Handler]:
        """Return the functions of all steps."""
        return {step: self._handler(step) for step in STEPS if step != "close_run"}

    def _handler(self, step: str) -> Handler:
        def run(event, context):
            kind = self._waiting[step].pop() if self._waiting[step] else None
            if kind == "killed-before":
                raise Fails("Sandbox.Timedout")
            result = handler(step)(event, context)
            if kind == "killed":
                raise Fails("Runtime.ExitError")
            return handler(step)(event, context) if kind == "twice" else result

        return run
