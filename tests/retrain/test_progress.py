"""Proves what the terminal shows while a run is followed."""

import io

import pytest
from rich.console import Console

from retrain.rehearsal import progress
from tests.retrain.builders import EXECUTION, IMPORT, STATUSES, import_job


@pytest.fixture
def follow(monkeypatch):
    """Return a function that follows an execution with one import job, and returns the jobs.

    Each status of the execution and each status of the job is the answer to one poll.
    """

    def call(console, execution_statuses, job_statuses):
        executions = iter(execution_statuses)
        polls = iter(job_statuses)

        class States:
            def describe_execution(self, **_):
                return {"status": next(executions)}

        def poll(job, _personalize):
            job.statuses.append(next(polls))
            return True

        monkeypatch.setattr(progress, "POLL_SECONDS", 0)
        monkeypatch.setattr(progress.Job, "poll", poll)
        monkeypatch.setattr(progress, "started_jobs", lambda *_: [import_job("CREATE PENDING")])
        return progress.follow_jobs(console, States(), None, EXECUTION)

    return call


def follow_to_the_end(follow, console):
    return follow(console, ["RUNNING", "RUNNING", "SUCCEEDED"], STATUSES[1:])


def test_without_a_terminal_each_status_is_a_line(follow):
    console = Console(file=io.StringIO(), width=80)
    (job,) = follow_to_the_end(follow, console)
    assert (job.arn, job.statuses) == (IMPORT, STATUSES)
    assert console.file.getvalue().splitlines() == [
        f"import actionInteractions: {status}" for status in STATUSES
    ]


def test_in_a_terminal_each_job_has_a_bar_with_its_status(follow):
    console = Console(file=io.StringIO(), width=80, force_terminal=True, _environ={})
    follow_to_the_end(follow, console)
    output = console.file.getvalue()
    assert [status for status in STATUSES if status in output] == STATUSES
    assert "import actionInteractions" in output
    assert "import actionInteractions:" not in output, "no line is printed for a status"


def test_a_run_is_no_longer_followed_after_the_deadline(follow, monkeypatch):
    monkeypatch.setattr(progress, "DEADLINE_SECONDS", -1)
    (job,) = follow(Console(file=io.StringIO()), ["RUNNING"], ["CREATE IN_PROGRESS"])
    assert not job.has_ended


def test_an_update_that_was_not_created_is_no_job_of_the_run(follow, monkeypatch):
    monkeypatch.setattr(progress.Job, "exists", lambda *_: False)
    console = Console(file=io.StringIO())
    assert follow(console, ["RUNNING", "SUCCEEDED"], []) == []
    assert not console.file.getvalue()
