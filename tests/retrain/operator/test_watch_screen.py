"""Proves what is shown of a run while it is followed: in a terminal, and elsewhere."""

import io
from datetime import timedelta

import pytest
from rich.console import Console

from retrain.look import watch_screen
from retrain.look.jobs import Job, RunProgress
from retrain.look.runs import Execution
from tests.retrain.operator.events import BEGAN_AT, CAMPAIGN, SOLUTION, at

EXECUTION = Execution("arn:aws:states:eu-west-1:1:execution:m:manual-1", "RUNNING", BEGAN_AT, None)
RUN_ID = "20261129T030000Z"
NOW = at(100)


def imported(subject, state, status, failure=None):
    """Return an import that has ended."""
    times = {"started_at": at(10), "ended_at": at(25)}
    return Job("import", subject, 600, state, status, failure=failure, **times)


JOBS = [
    imported("interactions", "done", "IMPORTED"),
    imported("items", "failed", "FAILED", failure="no such column"),
    Job("train", SOLUTION, 6000, "running", "TRAINING", started_at=at(40)),
    Job("train", f"{SOLUTION}-late", 600, "running", started_at=at(40)),
    Job("train", f"{SOLUTION}-unknown", None, "running", started_at=at(40)),
    Job("train", f"{SOLUTION}-stopping", 600, "running", "STOPPING", started_at=at(95)),
    Job("update", CAMPAIGN, 600, "waiting", "WAITING"),
    Job("update", f"{CAMPAIGN}-late", None),
]


def progress(jobs=JOBS, stage="retraining the solutions"):
    """Return the progress of a run with these jobs."""
    return RunProgress(RUN_ID, stage, jobs={(job.kind, job.subject, False): job for job in jobs})


@pytest.fixture(autouse=True)
def _at_this_time(monkeypatch):
    monkeypatch.setattr("functions.clock.now", lambda: NOW)


def drawn(jobs=JOBS, *, is_final=False, note="", height=24, width=80):
    """Return the lines that are drawn in a terminal."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True)
    bars = watch_screen.Bars(console, EXECUTION)
    bars.show(progress(jobs), NOW)
    bars.note(note)
    bars.is_final = is_final
    plain = Console(file=io.StringIO(), width=width, legacy_windows=False, color_system=None)
    plain.print(bars.render())
    return [line.rstrip() for line in plain.file.getvalue().splitlines()]


def test_each_job_has_a_bar_its_state_and_its_expected_end():
    assert drawn() == [
        f"Run {RUN_ID}, started 2026-11-29 03:00 UTC",
        "retraining the solutions",
        "import interactions           ━━━━━━━━━━━━━━━━ IMPORTED   15 min",
        "import items                  ━━━━━━━━━━━━━━━━ FAILED     15 min",
        "train movies                  ━━━━━━━━━╸       running    1 h, until ~05:20",
        "train movies-late             ━━━━━━━━━━━━━━━╸ running    1 h, 50 min late",
        "train movies-unknown          ━━━━━━━━━━━━━━━━ running    1 h",
        "train movies-stopping         ━━━━━━━━         stopping   5 min, until ~04:45",
        "update home-page                               waiting    takes about 10 min",
        "update home-page-late                          planned",
    ]


def test_the_header_says_when_the_run_probably_ends():
    assert drawn(JOBS[2:3])[1] == "retraining the solutions, probably until 05:20 UTC"
    tomorrow = Job("train", SOLUTION, 24 * 3600, "running", started_at=at(40))
    assert drawn([tomorrow])[1:] == [
        "retraining the solutions, probably until 30 Nov 03:40 UTC",
        "train movies                ╸                running    1 h, until ~30 Nov 03:40",
    ]


LONG = Job("train", f"{SOLUTION}-of-the-shop-in-germany", 6000, "running", started_at=at(40))


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (80, "train movies-o…hop-in-germany ━━━━━━━━━╸       running    1 h, until ~05:20"),
        (60, "train movies-…p-in-germany running    1 h, until ~05:20"),
        (45, "train movies-of-t…-shop-in-germany running"),
        (38, "train movies-…op-in-germany running"),
    ],
)
def test_a_narrow_terminal_shows_what_fits(width, line):
    assert drawn([LONG], width=width)[-1] == line


def test_a_note_is_below_the_jobs():
    assert drawn([], note="AWS did not respond")[2:] == ["AWS did not respond"]
    assert drawn(JOBS[:1], note="AWS did not respond")[-1] == "AWS did not respond"


def test_a_small_terminal_shows_the_jobs_that_matter_now():
    lines = drawn(height=8)
    assert [line.split("  ")[0] for line in lines[2:]] == [
        *("train movies", "train movies-late", "train movies-unknown"),
        "and 5 more jobs",
    ]
    assert len(drawn(height=8, is_final=True)) == 9, "at the end all are shown"


def test_before_the_first_events_the_execution_is_named():
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    assert str(watch_screen.Bars(console, EXECUTION).render()) == "reading manual-1"


def test_without_a_terminal_only_what_is_new_is_printed():
    console = Console(file=io.StringIO(), width=20)
    with watch_screen.screen_for(console, EXECUTION) as screen:
        screen.show(progress(JOBS[:3]), NOW)
        screen.show(progress(JOBS[:3]), NOW + timedelta(minutes=1))
        screen.note("AWS did not respond; trying again")
        screen.note("AWS did not respond; trying again")
        screen.show(progress(JOBS[3:], "reporting the outcome"), NOW + timedelta(minutes=2))
    assert console.file.getvalue().splitlines() == [
        "04:40:00 following manual-1",
        "04:40:00 retraining the solutions",
        "04:40:00 import interactions: IMPORTED after 15 min",
        "04:40:00 import items: FAILED: no such column",
        "04:40:00 train movies: running, probably until 05:20 UTC",
        "04:40:00 AWS did not respond; trying again",
        "04:42:00 reporting the outcome",
        "04:42:00 train movies-late: running, probably until 03:50 UTC",
        "04:42:00 train movies-unknown: running",
        "04:42:00 train movies-stopping: stopping, probably until 04:45 UTC",
        "04:42:00 update home-page: waiting",
        "04:42:00 update home-page-late: planned",
    ]


def test_a_planned_job_has_the_time_that_it_takes():
    console = Console(file=io.StringIO(), width=80)
    with watch_screen.screen_for(console, EXECUTION) as screen:
        screen.show(progress([Job("train", SOLUTION, 6000)]), NOW)
    assert "train movies: planned, takes about 1 h 40 min" in console.file.getvalue()


def test_without_a_console_nothing_is_shown():
    with watch_screen.screen_for(None, EXECUTION) as screen:
        screen.show(progress(), NOW)
        screen.note("a note")


def test_a_terminal_keeps_the_bars_at_the_end():
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True, _environ={})
    with watch_screen.screen_for(console, EXECUTION) as screen:
        screen.show(progress(), NOW)
    assert "train movies-unknown" in console.file.getvalue().rpartition(f"Run {RUN_ID}")[2]
