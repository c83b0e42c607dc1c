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
from retrain.look.lines import INDENT, STYLES, Line, rendered, with_short_jobs
from retrain.look.run_view import ShownRun, events_after
from retrain.look.runs import execution_of, find_execution
from retrain.options import JsonOption, RunOption, command

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from retrain.look.runs import Execution

POLL_SECONDS = 5
"""A job is noticed as soon as the workflow notices it. Both requests are free of charge."""
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
    return 0 if view.execution.status == "SUCCEEDED" else EXIT_FAILED


def _print_report(view: ShownRun) -> None:
    """Print the text of a report. A terminal wraps its lines between words, but no command."""
    outcome, console = view.outcome, result_console()
    report = f"{outcome}: {'; '.join(reason['text'] for reason in view.reasons)}"
    if view.report:
        report = format_report(view.report, pipeline_options=view.pipeline_options)
    width = console.width if console.is_terminal else None
    lines = wrapped(report.rstrip("\n"), width)
    for number, line in enumerate(lines):
        text = Text(line)
        text.stylize(STYLES.get(outcome, ""), 0, 0 if number else len(outcome))
        console.print(text, soft_wrap=True)
    if width and len(lines) >= console.height:  # the outcome has scrolled away
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
    client, last_event = target.access.step_functions, 0
    view = ShownRun(execution, target.options)
    view.update_seconds = 2 if pause else view.update_seconds
    screen = Screen(console, view, is_brief=brief, keeps_bars=keeps_bars)
    live: AbstractContextManager[object] = nullcontext()
    if screen.has_bars:
        live = Live(get_renderable=screen.render, console=console, refresh_per_second=2)
    # A signal is a SystemExit, unless something else than `python -m retrain` has called this.
    with suppress(KeyboardInterrupt, SystemExit), live:
        while True:
            try:
                # The status is read first, so that no event is missed when the execution ends.
                execution = execution_of(client.describe_execution(executionArn=execution.arn))
                for event in events_after(client, execution.arn, last_event):
                    view.read(event)
                    last_event = event["id"]
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
                if not execution.is_running:
                    break
            clock.sleep(pause or POLL_SECONDS)
    return view


class Screen:
    """Shows a run: in a terminal with bars, and elsewhere each line when it is new."""

    def __init__(
        self, console: Console, view: ShownRun, *, is_brief: bool = False, keeps_bars: bool = True
    ) -> None:
        self._console, self._view, self._note, self._is_brief = console, view, "", is_brief
        self._keeps_bars = keeps_bars
        self._printed: set[str] = set()
        self.has_bars = console.is_terminal and not (console.is_dumb_terminal or is_brief)

    def show(self, note: str = "") -> None:
        """Print what is new, or a note that is not about the run. Bars are drawn by themselves."""
        self._note = note
        if self.has_bars:
            return
        for line in [Line(0, note)] if note else self._lines():
            known = f"{line.label} {line.text}"
            if known not in self._printed:
                self._printed.add(known)
                clock_time = f"{clock.now().astimezone(UTC):%H:%M:%S}"
                text = "  ".join(filter(None, [line.label, line.text, line.time]))
                self._console.print(f"{clock_time} {INDENT * line.depth}{text}", soft_wrap=True)

    def _lines(self) -> list[Line]:
        """Return the lines of the run. The report that follows has the reasons and the metrics."""
        deepest = 0 if self._is_brief else 1 if self._view.report else 2
        return [line for line in self._view.lines() if line.depth <= deepest]

    def render(self) -> RenderableType:
        """Return what is drawn now. If the terminal is small, only the running jobs are."""
        view, (width, height) = self._view, self._console.size
        if not (self._keeps_bars or view.execution.is_running):
            return Group()

        lines = self._lines()
        if view.execution.is_running and len(lines) > height - LINES_AROUND:
            lines = [*view.lines(only_running=True)]
        lines += [Line(2, "", self._note, "yellow")] if self._note else []
        texts = [*rendered(with_short_jobs(lines, width), width, has_bars=True)]
        for text in texts:
            text.no_wrap, text.overflow = True, "ellipsis"
        return Group(*texts)
