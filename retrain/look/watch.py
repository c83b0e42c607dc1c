"""The command `watch`: follows a run until it ends or the user leaves it, and prints its report."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.text import Text

from functions.common import clock
from functions.common.aws import NO_RESPONSE_ERRORS
from functions.report.mail import format_report
from retrain.account.errors import (
    AWS_ERRORS,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    OperatorError,
    aws_error,
)
from retrain.account.output import (
    message_console,
    print_command,
    print_json,
    print_message,
    result_console,
    wrapped,
)
from retrain.account.target import Target
from retrain.look.lines import INDENT, STYLES, Line, render_lines, shorten_jobs
from retrain.look.run_view import ShownRun
from retrain.look.runs import find_execution, parse_execution
from retrain.options import JsonOption, RunOption, command

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from retrain.look.runs import Execution

POLL_SECONDS = 5
"""A job is noticed as soon as the workflow notices it. Both requests are free of charge."""
EMULATED_UPDATE_SECONDS = 2
LINES_AROUND = 3
"""The lines of the terminal for a note and the prompt."""


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
    """Follow an execution as `watch` does. Return the exit code of `watch`."""
    view = follow(target, execution, message_console(), brief=as_json)
    if view.execution.is_running:
        print_command("The run goes on. To follow it", target.command("watch", "--run", view.id))
        print_command("To stop it", target.command("stop", "--run", view.id))
        return EXIT_INTERRUPTED

    if as_json:
        print_json(view.document())
    else:
        _print_report(view)

    if view.execution.status == "SUCCEEDED":
        return 0
    return EXIT_FAILED


def _print_report(view: ShownRun) -> None:
    """Print the text of a report. A terminal wraps its lines between words, but no command."""
    report = f"{view.outcome}: {'; '.join(reason['text'] for reason in view.reasons)}"
    if view.report:
        report = format_report(view.report, pipeline_options=view.pipeline_options)

    console = result_console()
    width = console.width if console.is_terminal else None
    lines = [Text(line) for line in wrapped(report.rstrip("\n"), width)]
    lines[0].stylize(STYLES.get(view.outcome, ""), 0, len(view.outcome))
    for line in lines:
        console.print(line, soft_wrap=True)

    if width and len(lines) >= console.height:
        # The outcome has scrolled away.
        print_message(report.partition("\n")[0])


def follow(
    target: Target,
    execution: Execution,
    console: Console,
    pause: float = 0,
    *,
    brief: bool = False,
    keeps_bars: bool = True,
) -> ShownRun:
    """Show what a run does until it ends, or until Ctrl-C or SIGTERM. Return what was seen.

    A brief display has a line for each status. While AWS does not respond, the requests are
    repeated. In an emulator, where jobs take seconds, `pause` is the seconds between two polls.
    Raises OperatorError if AWS refuses a request, for example because the credentials expire.

    The bars of a run that has ended lack its reasons, which are in the report below them. Without
    `keeps_bars` they are gone by then, so that the caller can print the whole run in their place.
    """
    view = ShownRun(execution, target.options)
    if pause:
        view.update_seconds = EMULATED_UPDATE_SECONDS
    screen = Screen(console, view, is_brief=brief, keeps_bars=keeps_bars)

    # A signal is a SystemExit, unless something else than `python -m retrain` has called this.
    with suppress(KeyboardInterrupt, SystemExit), screen.draw():
        _poll(target, view, screen)
        while view.execution.is_running:
            clock.sleep(pause or POLL_SECONDS)
            _poll(target, view, screen)
    return view


def _poll(target: Target, view: ShownRun, screen: Screen) -> None:
    """Read what has happened to a run since the last poll, and show it."""
    client = target.access.step_functions
    execution = view.execution

    try:
        # The status is read first, so that no event is missed when the execution ends.
        execution = parse_execution(client.describe_execution(executionArn=execution.arn))
        view.read_events(client)
    except NO_RESPONSE_ERRORS as error:
        screen.show(f"{aws_error(error)}; trying again")
    except AWS_ERRORS as error:
        goes_on = "the run goes on: " if execution.is_running else ""
        again = target.command("watch", "--run", view.id)
        text = f"{aws_error(error)}; {goes_on}`{again}` shows it again"
        raise OperatorError(text) from error
    else:
        view.end_with(execution)
        screen.show()


class Screen:
    """Shows a run: in a terminal with bars, and elsewhere each line when it is new."""

    def __init__(
        self, console: Console, view: ShownRun, *, is_brief: bool = False, keeps_bars: bool = True
    ) -> None:
        self._console = console
        self._view = view
        self._is_brief = is_brief
        self._keeps_bars = keeps_bars
        self._note = ""
        self._printed: set[str] = set()
        self.has_bars = console.is_terminal and not (console.is_dumb_terminal or is_brief)

    def draw(self) -> AbstractContextManager[object]:
        """Draw the bars during a block, if there are any."""
        if not self.has_bars:
            return nullcontext()
        return Live(get_renderable=self.render, console=self._console, refresh_per_second=2)

    def show(self, note: str = "") -> None:
        """Print what is new, or a note that is not about the run. Bars are drawn by themselves."""
        self._note = note
        if self.has_bars:
            return

        lines = [Line(0, note)] if note else self._lines()
        for line in lines:
            known = f"{line.label} {line.text}"
            if known not in self._printed:
                self._printed.add(known)
                self._print(line)

    def _print(self, line: Line) -> None:
        clock_time = f"{clock.now().astimezone(UTC):%H:%M:%S}"
        text = "  ".join(filter(None, [line.label, line.text, line.time]))
        self._console.print(f"{clock_time} {INDENT * line.depth}{text}", soft_wrap=True)

    def _lines(self) -> list[Line]:
        """List the lines of the run. The report that follows has the reasons and the metrics."""
        deepest = 2
        if self._view.report:
            deepest = 1
        if self._is_brief:
            deepest = 0
        return [line for line in self._view.lines() if line.depth <= deepest]

    def render(self) -> RenderableType:
        """Render what is drawn now. If the terminal is small, only the running jobs are."""
        is_running = self._view.execution.is_running
        if not (self._keeps_bars or is_running):
            return Group()

        width, height = self._console.size
        lines = self._lines()
        if is_running and len(lines) > height - LINES_AROUND:
            lines = [*self._view.lines(only_running=True)]
        if self._note:
            lines.append(Line(2, "", self._note, "yellow"))

        texts = [*render_lines(shorten_jobs(lines, width), width, has_bars=True)]
        for text in texts:
            text.no_wrap = True
            text.overflow = "ellipsis"
        return Group(*texts)
