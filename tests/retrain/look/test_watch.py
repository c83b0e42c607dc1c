"""Proves that a run is followed through errors of AWS, and that it can be left."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore import exceptions
from rich.console import Console

from retrain.account.access import Access
from retrain.account.errors import OperatorError
from retrain.account.output import message_console
from retrain.account.target import Target
from retrain.look import watch
from retrain.look.jobs import format_expected_end
from retrain.look.lines import Line
from retrain.look.run_view import ShownRun
from retrain.look.runs import Execution
from tests.functions.test_report import report, solution

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:m"
ARN = "arn:aws:states:eu-west-1:123456789012:execution:m:20261129-1a2b3c4d"
EXECUTION = Execution(ARN, "RUNNING", datetime(2026, 11, 29, 3, tzinfo=UTC), None)
TARGET = Target(MACHINE, {}, Access(), "prod", {})
REFUSAL = exceptions.ClientError({"Error": {"Code": "ExpiredToken"}}, "DescribeExecution")
NO_RESPONSE = exceptions.ConnectTimeoutError(endpoint_url="https://states/")
ERASE_LINE = "\x1b[2K"
COMMANDS = (
    "The run goes on. To follow it:\n"
    "  retrain watch --run 20261129-1a2b3c4d --stack prod\n"
    "To stop it:\n  retrain stop --run 20261129-1a2b3c4d --stack prod\n"
)


class States:
    """A double of Step Functions. Each poll returns the next answer, or raises it."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.pages_read = 0
        self.events = []

    def describe_execution(self, **_):
        """Return the description with the next status."""
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            answer = answer()
        times = dict.fromkeys(("startDate", "stopDate"), EXECUTION.started_at)
        return {"executionArn": ARN, "status": answer, **times}

    def get_paginator(self, _operation):
        """Return this double, which has one event on each page."""
        return self

    def paginate(self, **request):
        """Yield the events, newest first."""
        assert request["reverseOrder"]
        for event in self.events[::-1]:
            self.pages_read += 1
            yield {"events": [event]}


@pytest.fixture
def states(monkeypatch):
    """Return a function that sets the answers of Step Functions."""
    monkeypatch.setattr(watch, "POLL_SECONDS", 0)

    def answer(*answers):
        double = States(*answers)
        monkeypatch.setattr(Access, "step_functions", double)
        return double

    return answer


def entered(number, state, **document):
    details = {"name": state, "input": json.dumps(document)}
    return {"id": number, "timestamp": EXECUTION.started_at, "stateEnteredEventDetails": details}


def planned(number, todo, **document):
    plan = {"todo": todo, "seconds": 60, "reasons": [], "imports": [], "solutions": []}
    output = json.dumps({"plan": plan, "settings": {}, **document})
    details = {"name": "Plan retraining", "output": output}
    return {"id": number, "timestamp": EXECUTION.started_at, "stateExitedEventDetails": details}


def test_an_event_is_read_once(states):
    double = states("RUNNING", "RUNNING", "SUCCEEDED")
    double.events = [entered(1, "Plan retraining"), entered(2, "Choose")]
    double.answers[1] = lambda: double.events.append(entered(3, "Import datasets")) or "RUNNING"
    assert watch.follow_run(TARGET, EXECUTION, message_console()).stage == "importing the datasets"
    assert double.pages_read == 2 + 2 + 1, "each poll stops at the last event that it knows"


def test_a_run_ends_trials_of_earlier_runs_before_its_own_updates(states):
    home = {"campaign": {"campaignArn": "home"}}
    states("SUCCEEDED").events = [
        *[planned(1, "TRIALS"), entered(2, "Deploy version", **home)],
        *[planned(3, "WORK"), entered(4, "Deploy version", **home)],
    ]
    run = watch.follow_run(TARGET, EXECUTION, message_console())
    assert [*run.jobs] == [("trial at", "home"), ("update", "home")]


def test_a_plan_that_fails_is_the_stage_that_failed_even_after_a_wait(states):
    states("FAILED").events = [entered(1, "Plan retraining"), planned(2, "WAIT", error={})]
    assert watch.follow_run(TARGET, EXECUTION, message_console()).stage == "planning"


def test_while_aws_does_not_respond_the_requests_are_repeated(states, capsys):
    states(NO_RESPONSE, NO_RESPONSE, "TIMED_OUT")
    assert watch.watch_execution(TARGET, EXECUTION, as_json=False) == 1
    out, err = capsys.readouterr()
    assert err.count("AWS did not respond: Connect timeout") == 1, "the note is printed once"
    assert out == "TIMED_OUT: the execution took too long\n"


def test_a_refusal_names_the_command_that_takes_the_run_up_again(states):
    states(REFUSAL)
    with pytest.raises(OperatorError) as caught:
        watch.follow_run(TARGET, EXECUTION, message_console())
    assert str(caught.value).endswith(
        "; `retrain watch --run 20261129-1a2b3c4d --stack prod` shows the run again"
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_a_run_can_be_left_even_while_a_request_waits(states, capsys, error):
    states(error)
    assert watch.watch_execution(TARGET, EXECUTION, as_json=True) == 130
    assert capsys.readouterr() == ("", COMMANDS)


@pytest.mark.parametrize("is_rehearsal", [True, False])
def test_the_bars_of_a_rehearsal_are_gone_when_its_run_has_ended(states, is_rehearsal):
    states(NO_RESPONSE, "SUCCEEDED")
    console = Console(file=io.StringIO(), force_terminal=True, width=80, _environ={})
    watch.follow_run(TARGET, EXECUTION, console, is_rehearsal=is_rehearsal)
    drawn = console.file.getvalue()
    assert "AWS did not respond" in drawn, "such a line stays above the bars"
    assert (ERASE_LINE in drawn.splitlines()[-1]) == is_rehearsal


def test_a_job_whose_usual_duration_is_not_known_has_no_expected_end():
    view = ShownRun(EXECUTION)
    job = view.get_or_add_job("train", "arn:aws:personalize:eu-west-1:123456789012:solution/movies")
    now = EXECUTION.started_at + timedelta(hours=1)
    assert [*job.lines(now, ())] == [Line(1, "train movies", "planned", "yellow", share=0)]

    job.apply_state({"status": None, "error": None}, EXECUTION.started_at)
    assert [*job.lines(now, ())] == [Line(1, "train movies", "in progress", time="1 h", share=0)]
    assert view.estimate_remaining_seconds(now) == 0

    times = {"createdAt": None, "endedAt": None}
    waiting = {"phase": "WAITING", "outcome": None, "reasons": [], **times}
    job.apply_state({"status": waiting}, now)
    assert not job.is_running, "Personalize has no such job yet"

    error = {"Error": "Denied", "Cause": '{"errorMessage": "the name is taken"}'}
    job.apply_state({"status": None, "error": error}, now)
    assert (job.outcome, job.reasons) == ("FAILED", [{"text": "Denied: the name is taken"}])


def test_of_a_report_that_lacks_a_key_the_outcome_is_shown():
    view = ShownRun(replace(EXECUTION, status="SUCCEEDED"))
    view.apply_report({key: value for key, value in report().items() if key != "imports"})
    lines = [line.label for line in view.lines()]
    assert lines == ["20261129T030000Z", "DEPLOYED, says a report of another release"]


def test_a_version_that_the_run_did_not_train_has_a_line_only_with_a_reason():
    unused = {**solution(), "isTrained": False, "campaigns": []}
    failed = {**unused, "solutionArn": "failed", "reasons": [{"text": "no data"}]}
    run = ShownRun(EXECUTION)
    run.apply_report({**report(), "imports": [], "solutions": [unused, failed]})
    assert [*run.jobs] == [("train", "failed")]


@pytest.mark.parametrize("hours, text", [(23, "until ~02:00"), (25, "until ~2026-11-30 04:00")])
def test_an_end_within_a_day_fits_into_80_columns(hours, text):
    assert format_expected_end(hours * 3600, EXECUTION.started_at) == text
