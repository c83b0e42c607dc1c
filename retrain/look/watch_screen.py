"""Shows the jobs of a run while it is followed: bars in a terminal, lines anywhere else."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from functions import clock
from functions.personalize.statuses import is_stopping
from retrain.look.jobs import expected_end_seconds
from retrain.look.reports import outcome_text
from retrain.look.texts import clock_text, duration_text, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, RenderableType

    from retrain.look.jobs import Job, RunProgress
    from retrain.look.runs import Execution

REFRESHES_PER_SECOND = 2
"""How often the seconds and the bars are drawn again between two polls."""
BAR_WIDTH = 16
MIN_LABEL_WIDTH = 20
"""The room that a label has at least. If a bar leaves less, there are no bars."""
MIN_STATUS_WIDTH = 10
MIN_TIME_WIDTH = 22
"""The room for statuses and times, so that the bars keep their place if the texts change."""
MAX_PROGRESS_OF_RUNNING = 0.97
"""A bar is never full while its job is running, because the expected duration is a guess."""
LINES_AROUND = 4
"""The lines of the terminal that are not for jobs: the header, the stage, a note, the prompt."""
STYLES = {
    "planned": "dim",
    "waiting": "yellow",
    "running": "",
    "done": "green",
    "held": "yellow",
    "failed": "red",
}


class Screen(Protocol):
    """Shows the progress of a run."""

    def show(self, progress: RunProgress, now: datetime) -> None:
        """Show what the run has done until now."""

    def note(self, text: str) -> None:
        """Show a message that is not about the run."""


@contextmanager
def screen_for(console: Console | None, execution: Execution) -> Iterator[Screen]:
    """Yield the screen for a console. In a terminal it has bars, which stay when the block ends."""
    if console is None:
        yield NoScreen()
    elif console.is_terminal and not console.is_dumb_terminal:
        bars = Bars(console, execution)
        with Live(
            get_renderable=bars.render,
            console=console,
            refresh_per_second=REFRESHES_PER_SECOND,
            vertical_overflow="crop",
        ) as live:
            yield bars
            bars.is_final = True
            live.refresh()
    else:
        yield Lines(console, execution)


class NoScreen:
    """Shows nothing."""

    def show(self, progress: RunProgress, now: datetime) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


class Lines:
    """Prints a line for each new stage and each new status of a job."""

    def __init__(self, console: Console, execution: Execution) -> None:
        self._console = console
        self._stage = ""
        self._shown: dict[str, str] = {}
        """The last line about each job, by the label of the job."""
        self._notes: set[str] = set()
        self._print(clock.now(), f"following {execution.name}")

    def show(self, progress: RunProgress, now: datetime) -> None:
        """Print what is new."""
        if progress.stage != self._stage and progress.report is None:
            self._stage = progress.stage
            self._print(now, progress.stage)
        for job in progress.jobs.values():
            line = f"{job.label}: {_line_text(job, now)}"
            known = f"{job.state} {job.status}"
            if self._shown.get(job.label) != known:
                self._shown[job.label] = known
                self._print(now, line)

    def note(self, text: str) -> None:
        """Print a message, but only once."""
        if text not in self._notes:
            self._notes.add(text)
            self._print(clock.now(), text)

    def _print(self, now: datetime, text: str) -> None:
        line = f"{now.astimezone(UTC):%H:%M:%S} {text}"
        self._console.print(line, soft_wrap=True)


class Bars:
    """Draws a bar for each job."""

    is_final = False
    """True after the last event. Then all jobs are drawn, even if the terminal is too small."""

    def __init__(self, console: Console, execution: Execution) -> None:
        self._console = console
        self._execution = execution
        self._progress: RunProgress | None = None
        self._note = ""

    def show(self, progress: RunProgress, now: datetime) -> None:  # noqa: ARG002 - drawn later
        """Draw this progress from now on."""
        self._progress, self._note = progress, ""

    def note(self, text: str) -> None:
        """Draw a message below the jobs until the next progress."""
        self._note = text

    def render(self) -> RenderableType:
        """Return what is drawn now."""
        now, progress = clock.now(), self._progress
        if progress is None:
            return Text(f"reading {self._execution.name}", "dim")
        parts: list[RenderableType] = [self._header(progress, now)]
        jobs = list(progress.jobs.values())
        room = self._console.height - LINES_AROUND
        shown = jobs if self.is_final else most_important(jobs, room)
        if shown:
            parts.append(_jobs_table(shown, now, self._console.width))
        if len(shown) < len(jobs):
            parts.append(Text(f"and {len(jobs) - len(shown)} more jobs", "dim"))
        if self._note:
            parts.append(Text(self._note, "yellow"))
        return Group(*parts)

    def _header(self, progress: RunProgress, now: datetime) -> Text:
        """Return the run and what it does now, or how long it took."""
        execution = self._execution
        run = f"Run {progress.run_id or execution.name}, started {time_text(execution.started_at)}"
        lines = [Text(f"{run} UTC", "bold", no_wrap=True, overflow="ellipsis")]
        if not self.is_final:
            lines.append(Text(f"{progress.stage}{_end_text(progress, now)}", "cyan"))
        return Text("\n").join(lines)


def most_important(jobs: Sequence[Job], room: int) -> list[Job]:
    """Return as many jobs as there is room for, in their order. Running jobs come first."""
    if len(jobs) <= room:
        return list(jobs)
    ranks = {"running": 0, "waiting": 1, "failed": 2, "held": 3, "planned": 4, "done": 5}
    by_rank = sorted(range(len(jobs)), key=lambda index: ranks[jobs[index].state])
    # One line says how many jobs are left out.
    return [jobs[index] for index in sorted(by_rank[: max(room - 1, 1)])]


def _end_text(progress: RunProgress, now: datetime) -> str:
    """Return when the run probably ends, or an empty text if that is not known."""
    jobs = list(progress.jobs.values())
    seconds = expected_end_seconds(jobs, now)
    if not seconds:
        return ""
    return f", probably until {clock_text(now + timedelta(seconds=seconds), now)} UTC"


def _jobs_table(jobs: Sequence[Job], now: datetime, width: int) -> Table:
    """Return a row for each job: its label, its bar, its status, and its time.

    A narrow terminal has no bars, and a very narrow one has no times. A label that is too long is
    cut in the middle, because the names of resources often begin alike.
    """
    statuses = [status_word(job) for job in jobs]
    times = [time_column(job, now) for job in jobs]
    room = width - max(MIN_STATUS_WIDTH, *map(len, statuses)) - 1
    time_width = max(MIN_TIME_WIDTH, *map(len, times)) + 1
    has_times = room - time_width >= MIN_LABEL_WIDTH
    room -= time_width if has_times else 0
    has_bars = room - BAR_WIDTH - 1 >= MIN_LABEL_WIDTH
    room -= BAR_WIDTH + 1 if has_bars else 0
    table = Table.grid(padding=(0, 1, 0, 0))
    for _ in range(2 + has_bars + has_times):
        table.add_column(no_wrap=True)
    for job, status, time in zip(jobs, statuses, times, strict=True):
        table.add_row(
            Text(shortened(job.label, room).ljust(room), "dim" if job.state == "planned" else ""),
            *([_bar(job, now)] if has_bars else []),
            _status_text(job, status),
            *([Text(time, "dim")] if has_times else []),
        )
    return table


def shortened(text: str, width: int) -> str:
    """Return a text that is cut in the middle if it is too long."""
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[-end:]}"


def _bar(job: Job, now: datetime) -> RenderableType:
    """Return the bar of a job. It pulses if the duration of the job is not known."""
    style = "red" if job.state == "failed" else "green"
    if job.state in ("planned", "waiting"):
        return ProgressBar(total=1, completed=0, width=BAR_WIDTH)
    if not job.is_open:
        completed = 1.0
    elif job.expected_seconds:
        completed = min(job.seconds(now) / job.expected_seconds, MAX_PROGRESS_OF_RUNNING)
    else:
        return ProgressBar(total=None, pulse=True, width=BAR_WIDTH)
    return ProgressBar(
        total=1, completed=completed, width=BAR_WIDTH, complete_style=style, finished_style=style
    )


def _status_text(job: Job, status: str) -> Text:
    """Return the status of a job in its colour."""
    colour = outcome_text(status).style or STYLES[job.state]
    return Text(status.ljust(MIN_STATUS_WIDTH), colour)


def status_word(job: Job) -> str:
    """Return the state of a job that has not ended, or its outcome."""
    if not job.is_open:
        return job.status or job.state
    return "stopping" if is_stopping(job.status) else job.state


def time_column(job: Job, now: datetime) -> str:
    """Return how long a job has been running, and when it probably ends."""
    expected, seconds = job.expected_seconds, job.seconds(now)
    if job.state in ("planned", "waiting"):
        return f"takes about {duration_text(expected)}" if expected else ""
    if not job.is_open or job.started_at is None:
        return duration_text(seconds) if job.started_at else ""
    if expected is None:
        return duration_text(seconds)
    if seconds > expected:
        return f"{duration_text(seconds)}, {duration_text(seconds - expected)} late"
    end = clock_text(job.started_at + timedelta(seconds=expected), now)
    return f"{duration_text(seconds)}, until ~{end}"


def _line_text(job: Job, now: datetime) -> str:
    """Return the status of a job for a line: when it probably ends, or why it has failed."""
    status = status_word(job)
    if job.state == "running" and job.expected_seconds and job.started_at:
        end = clock_text(job.started_at + timedelta(seconds=job.expected_seconds), now)
        return f"{status}, probably until {end} UTC"
    if job.state == "planned" and job.expected_seconds:
        return f"{status}, takes about {duration_text(job.expected_seconds)}"
    if job.failure:
        return f"{status}: {job.failure}"
    if not job.is_open and job.started_at:
        return f"{status} after {duration_text(job.seconds(now))}"
    return status
