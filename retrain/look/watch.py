"""The command `watch`: follows a run until it ends or the user stops, and prints its report."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live

from functions.common import clock
from functions.common.aws import NO_RESPONSE_ERRORS
from functions.report.mail import format_report
from retrain.account.errors import (
    AWS_ERRORS,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    OperatorError,
    explain_aws_error,
)
from retrain.account.output import message_console, print_command, print_json, print_result
from retrain.account.target import Target
from retrain.look.lines import GAP, INDENT, Line, render_lines
from retrain.look.run_events import EventReader
from retrain.look.run_view import ShownRun
from retrain.look.runs import find_execution, parse_execution
from retrain.options import JsonOption, RunOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from retrain.look.runs import Execution

POLL_SECONDS = 5
"""The pause between two polls. Both requests of a poll are free of charge."""
EMULATED_POLL_SECONDS = 0.3
"""The same in a rehearsal, where jobs take seconds."""
EMULATED_UPDATE_SECONDS = 2


@command
def watch(target: Target, *, run: RunOption = None, as_json: JsonOption = False) -> int:
    """Follow a run with a bar for each job, and print its report.

    For example: retrain watch --stack prod --run 20261129T030000Z

    Without --run, this is the newest run that is under way, or else the newest
    one, which has ended. Ctrl-C ends only the display, and the run goes on.
    Without a terminal, each change is a line.

    Exit code 0: the run succeeded. Its versions may have been rejected or rolled back.
    Exit code 1: the run failed, was stopped or timed out.
    Exit code 2: the run cannot be found or read.
    Exit code 130: you pressed Ctrl-C. The run goes on.
    """
    return watch_execution(target, find_execution(target, run), as_json=as_json)


def watch_execution(target: Target, execution: Execution, *, as_json: bool) -> int:
    """Follow a run, print its report, and return the exit code of the command."""
    console = message_console()
    # With --json, print only the result.
    console.quiet = as_json
    run = follow_run(target, execution, console)
    if run.execution.is_running:
        print_command("The run goes on. To follow it", target.command("watch", "--run", run.id))
        print_command("To stop it", target.command("stop", "--run", run.id))
        return EXIT_INTERRUPTED

    if as_json:
        print_json(run.document())
    else:
        print_result(_format_result(run))

    if run.execution.status == "SUCCEEDED":
        return 0
    return EXIT_FAILED


def _format_result(run: ShownRun) -> str:
    """Format the run's report or, if there's none that we can read, the reason for that."""
    if run.report is not None:
        return format_report(run.report, pipeline_options=run.pipeline_options).rstrip()

    # If the report was written by another release, the stage says so.
    reasons = [reason["text"] for reason in run.reasons] or [run.stage]
    return f"{run.outcome}: {'; '.join(reasons)}"


def follow_run(
    target: Target,
    execution: Execution,
    console: Console,
    *,
    is_rehearsal: bool = False,
) -> ShownRun:
    """Show a run until it ends, or until Ctrl-C or SIGTERM, and return it as it was last read.

    In a rehearsal, jobs take seconds, and the bars vanish when the run ends, because its jobs are
    printed then.

    A poll without a response from AWS is repeated. Raises OperatorError if AWS denies a request,
    for example because the credentials have expired.
    """
    run = ShownRun(execution, target.options)
    events = EventReader(target.access.step_functions, run)
    poll_seconds: float = POLL_SECONDS
    if is_rehearsal:
        events.usual_update_seconds = EMULATED_UPDATE_SECONDS
        poll_seconds = EMULATED_POLL_SECONDS
    screen = Screen(console, run)

    # The command line turns SIGTERM into SystemExit.
    with suppress(KeyboardInterrupt, SystemExit), screen.draw(is_transient=is_rehearsal):
        _poll(target, events, screen)
        while run.execution.is_running:
            clock.sleep(poll_seconds)
            _poll(target, events, screen)
    return run


def _poll(target: Target, events: EventReader, screen: Screen) -> None:
    """Read what happened to the run since the last poll, and show it.

    Raises OperatorError if AWS denies a request, but not if it doesn't respond.
    """
    run = events.run

    try:
        # Describe the execution before reading its events. In the other order, if it ended between
        # the two requests, its last events would be missed.
        description = events.client.describe_execution(executionArn=run.execution.arn)
        events.read_new_events()
    except NO_RESPONSE_ERRORS as error:
        screen.print_once(Line(0, f"{explain_aws_error(error)}; trying again"))
    except AWS_ERRORS as error:
        # The run goes on, so the operator can follow it again, for example with new credentials.
        watch_command = target.command("watch", "--run", run.id)
        message = f"{explain_aws_error(error)}; `{watch_command}` shows the run again"
        raise OperatorError(message) from error
    else:
        run.apply_execution(parse_execution(description))
        screen.show()


class Screen:
    """Shows a run: in a terminal with bars that are redrawn, elsewhere by printing new lines."""

    def __init__(self, console: Console, run: ShownRun) -> None:
        self._console = console
        self._run = run
        self._printed: set[str] = set()
        self._has_bars = console.is_terminal and not console.is_dumb_terminal

    def draw(self, *, is_transient: bool) -> AbstractContextManager[object]:
        """Return a context manager that keeps redrawing the bars, if the terminal can do that.

        Transient bars vanish at the end of the block.
        """
        if not self._has_bars:
            return nullcontext()
        return Live(
            get_renderable=self.render,
            console=self._console,
            refresh_per_second=2,
            transient=is_transient,
        )

    def show(self) -> None:
        """Print new lines, unless there are bars, which are redrawn anyway."""
        if not self._has_bars:
            for line in self._list_lines():
                self.print_once(line)

    def print_once(self, line: Line) -> None:
        """Print a line with the time of day, unless it was printed before.

        If there are bars, the line appears above them.
        """
        # Durations change with each poll, so they aren't a reason to print a line again.
        unchanging_part = f"{line.label} {line.text}"
        if unchanging_part in self._printed:
            return

        self._printed.add(unchanging_part)
        clock_time = f"{clock.now().astimezone(UTC):%H:%M:%S}"
        text = GAP.join(filter(None, [line.label, line.text, line.time]))
        self._console.print(f"{clock_time} {INDENT * line.depth}{text}", soft_wrap=True)

    def _list_lines(self) -> Iterator[Line]:
        """Yield the lines of the run, without those that are printed at its end anyway."""
        for line in self._run.lines():
            # Lines without a label are reasons and metrics, which the report will contain.
            if line.label or self._run.report is None:
                yield line

    def render(self) -> Group:
        """Render the bars. If the terminal is too small, Rich cuts off the last ones."""
        return Group(*render_lines(self._list_lines(), self._console.width, has_bars=True))
