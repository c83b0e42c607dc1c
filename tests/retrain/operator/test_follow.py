"""Proves that a run is followed through errors of AWS, and that it can be left."""

import json
import re
import signal
from datetime import UTC, datetime

import pytest
from botocore import exceptions

from functions.report.text import text_of
from retrain.account.access import Access
from retrain.account.errors import OperatorError
from retrain.account.target import Target
from retrain.look import follow as following
from retrain.look.runs import Execution
from retrain.look.watch import watch_execution
from tests.retrain.builders import run_report, solution_report
from tests.retrain.operator.events import RUN_DOCUMENT, entered

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:m"
ARN = "arn:aws:states:eu-west-1:123456789012:execution:m:manual-1"
EXECUTION = Execution(ARN, "RUNNING", datetime(2026, 11, 29, 3, tzinfo=UTC), None)
TARGET = Target(MACHINE, {}, Access(), "prod")
REFUSAL = exceptions.ClientError({"Error": {"Code": "ExpiredToken"}}, "DescribeExecution")
NO_RESPONSE = exceptions.ConnectTimeoutError(endpoint_url="https://states/")


class States:
    """A double of Step Functions. Each poll returns the next answer, or raises it."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.pages_read = 0
        self.events = []

    def describe_execution(self, **_):
        """Return the description with the next status."""
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer()
        return {
            "executionArn": ARN,
            "status": answer,
            "startDate": EXECUTION.started_at,
            "stopDate": EXECUTION.started_at,
            "cause": "no time",
        }

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
    monkeypatch.setattr(following, "POLL_SECONDS", 0)

    def answer(*answers):
        double = States(*answers)
        monkeypatch.setattr(Access, "step_functions", double)
        return double

    return answer


def event(number, state="Find trials"):
    return {"id": number, **entered(state, RUN_DOCUMENT)}


def test_an_event_is_read_once(states):
    double = states("RUNNING", "RUNNING", "SUCCEEDED")
    double.events = [event(1), event(2)]
    double.answers[1] = lambda: double.events.append(event(3, "Plan retraining")) or "RUNNING"
    followed = following.follow(TARGET, EXECUTION, None)
    assert followed.progress.stage == "planning"
    assert double.pages_read == 2 + 2 + 1, "each poll stops at the last event that it knows"


def test_while_aws_does_not_respond_the_requests_are_repeated(states, capsys):
    states(NO_RESPONSE, NO_RESPONSE, "TIMED_OUT")
    assert watch_execution(TARGET, EXECUTION, as_json=False) == 1
    out, err = capsys.readouterr()
    assert err.count("AWS did not respond: Connect timeout") == 1
    assert out.splitlines() == ["manual-1: TIMED_OUT after 0 s", "  no time"]


def test_a_refusal_names_the_command_that_takes_the_run_up_again(states):
    states("RUNNING", REFUSAL)
    with pytest.raises(OperatorError) as caught:
        following.follow(TARGET, EXECUTION, None)
    assert str(caught.value) == (
        "the AWS credentials have expired; log in again, for example with `aws sso login`, or "
        "choose others with --profile; the run goes on: `retrain watch --run manual-1 --stack "
        "prod` shows it again"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_can_be_left(states, capsys, number):
    before = signal.getsignal(number)
    states(lambda: signal.raise_signal(number) or "RUNNING")
    assert watch_execution(TARGET, EXECUTION, as_json=True) == 130
    assert capsys.readouterr() == (
        "",
        (
            "The run goes on. To take it up again:\n  retrain watch --run manual-1 --stack prod\n"
            "To stop it:\n  retrain stop --run manual-1 --stack prod\n"
        ),
    )
    assert signal.getsignal(number) == before


def test_ctrl_c_does_not_wait_for_a_request(states):
    went_on = []
    states(lambda: signal.raise_signal(signal.SIGINT) or went_on.append(1))
    assert following.follow(TARGET, EXECUTION, None).described is None
    assert went_on == [], "a request may take a minute and a half"


def test_after_a_run_its_report_is_printed(states, capsys):
    report = run_report(solution_report(), outcome="FAILED", error="X", reason="X: no data")
    double = states("FAILED")
    exited = {"name": "Report outcome", "output": json.dumps({"report": report})}
    double.events = [
        {"id": 1, "timestamp": EXECUTION.started_at, "stateExitedEventDetails": exited}
    ]
    assert watch_execution(TARGET, EXECUTION, as_json=False) == 1
    assert capsys.readouterr().out == text_of(report)


def test_a_terminal_breaks_no_line_of_a_report(states, capsys, monkeypatch):
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "40"}.items():
        monkeypatch.setenv(name, value)
    report = run_report(solution_report(), outcome="FAILED", error="X", reason="no data " * 20)
    exited = {"name": "Report outcome", "output": json.dumps({"report": report})}
    states("FAILED").events = [
        {"id": 1, "timestamp": EXECUTION.started_at, "stateExitedEventDetails": exited}
    ]
    assert watch_execution(TARGET, EXECUTION, as_json=False) == 1
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert lines == text_of(report).splitlines(), "its commands can be pasted"
