"""Proves what `stop` says about runs that have just begun, and about what cannot be stopped."""

import json
from datetime import UTC, datetime

import pytest

from functions import clock
from retrain.account.access import Access
from retrain.account.errors import FailedError, OperatorError
from retrain.account.target import Target
from retrain.act import stop as stopping
from retrain.look.runs import Execution
from tests.retrain.builders import CAMPAIGN, NEW, SOLUTION

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:m"
HOME = MACHINE.replace(":stateMachine:", ":execution:")
BEGAN_AT = datetime(2026, 11, 29, 3, tzinfo=UTC)
NOW = datetime(2026, 11, 29, 5, 31, tzinfo=UTC)
CAMPAIGNS = [{"campaignArn": CAMPAIGN}]
SETTINGS = {"solutions": [{"solutionArn": SOLUTION, "campaigns": CAMPAIGNS}]}
TARGET = Target(MACHINE, SETTINGS, Access(), "prod")
TRAINING = {"solutionVersionArn": NEW, "creationDateTime": BEGAN_AT}


class Account:
    """A double of the account: what is read there, and what was stopped."""

    def __init__(self):
        self.running = ["manual-1"]
        self.status = "ABORTED"
        self.request = {}
        self.versions = [[], []]
        self.update = None
        self.on_trial = None
        self.stopped = []

    def stop_execution(self, **request):
        """Record the request."""
        self.stopped.append(request["executionArn"].rpartition(":")[2])

    def describe_execution(self, *, executionArn):  # noqa: N803 - AWS's word
        """Return the execution after its end."""
        return {"executionArn": executionArn, "status": self.status, "startDate": BEGAN_AT}

    def get_caller_identity(self):
        """Return who the caller is."""
        return {"Arn": "arn:aws:iam::123456789012:user/ops"}

    def configured(self, _client, arn):
        """Return the output of the first state, or None if it has not ended."""
        started = {"executionArn": arn, "startedAt": BEGAN_AT.isoformat(), "request": self.request}
        return None if self.request is None else {"settings": SETTINGS, "run": started}


def execution(name, status="RUNNING"):
    return Execution(f"{HOME}:{name}", status, BEGAN_AT, None)


@pytest.fixture
def account(monkeypatch):
    """Replace what `stop` reads by a double of the account."""
    double = Account()
    monkeypatch.setattr(Access, "step_functions", double)
    monkeypatch.setattr(Access, "sts", double)
    monkeypatch.setattr(Access, "personalize", None)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    stop_training = lambda _client, arn: double.stopped.append(arn)  # noqa: E731
    replacements = {
        "running_executions": lambda _: [execution(name) for name in double.running],
        "configured_run_of": double.configured,
        "versions_of_run": lambda *_, **__: double.versions.pop(0),
        "stop_training": stop_training,
        "imports_of_run": lambda *_, **__: [],
        "describe_campaign": lambda *_: {"latestCampaignUpdate": double.update},
        "read_serving": lambda *_: [{"campaignArn": CAMPAIGN, "versionOnTrial": double.on_trial}],
    }
    for name, replacement in replacements.items():
        monkeypatch.setattr(stopping, name, replacement)
    return double


def stopped(capsys, *, as_json=False):
    """Stop the run. Return the exit code and the lines on stdout and stderr."""
    code = stopping.stop(TARGET, yes=True, as_json=as_json)
    out, err = capsys.readouterr()
    return code, out.splitlines(), err.splitlines()


def test_trainings_are_stopped_before_the_run_and_again_after_it(account, capsys):
    late = {**TRAINING, "solutionVersionArn": f"{SOLUTION}/late"}
    ended = {**TRAINING, "solutionVersionArn": f"{SOLUTION}/ended", "status": "ACTIVE"}
    stopping_one = {**TRAINING, "status": "CREATE STOPPING"}
    account.versions = [
        [{**TRAINING, "status": "CREATE IN_PROGRESS"}, ended],
        [stopping_one, {**late, "status": "CREATE PENDING"}],
    ]
    assert stopped(capsys) == (
        0,
        [
            "the training movies/00000002 stops",
            "the training movies/late stops",
            "manual-1 was stopped",
        ],
        [
            "Unless the data or a version is bad, to go on with this later:",
            "  retrain start --skip-import --force --stack prod",
        ],
    )
    assert account.stopped == [NEW, "manual-1", f"{SOLUTION}/late"]


def test_the_question_names_the_training_that_is_lost(account, monkeypatch):
    account.versions = [[{**TRAINING, "status": "CREATE IN_PROGRESS"}]]
    questions = []
    monkeypatch.setattr(stopping, "confirm", lambda question, **_: questions.append(question))
    assert stopping.stop(TARGET, yes=False, as_json=False) == 1
    assert questions == [
        (
            "manual-1 has been running since 2026-11-29 03:00 UTC. Its training movies/00000002, "
            "2 h 31 min old, is lost, and its hours are paid for. Stop it?"
        )
    ]
    assert account.stopped == []


def test_an_update_and_a_trial_go_on(account, capsys):
    account.update = {"status": "CREATE IN_PROGRESS", "solutionVersionArn": NEW}
    account.on_trial = NEW
    code, out, err = stopped(capsys)
    assert err == [
        "Unless the data or a version is bad, to go on with this later:",
        "  retrain start --stack prod",
    ]
    assert (code, out[1:]) == (
        0,
        [
            (
                "the update of home-page to movies/00000002 goes on, because Personalize cannot "
                "stop it"
            ),
            (
                "movies/00000002 is on trial on home-page: the watcher starts an execution that "
                "probes it, and keeps it or rolls back, usually within 15 minutes; if you stop "
                "that execution too, another one follows"
            ),
        ],
    )


def test_after_a_run_that_only_finishes_trials_nothing_has_to_be_started(account, capsys):
    account.running, account.on_trial = ["trial-1-20261129T030000Z-1a2b3c4d"], NEW
    account.request = {"only": "trials"}
    assert stopped(capsys) == (
        0,
        [
            "trial-1-20261129T030000Z-1a2b3c4d was stopped",
            (
                "movies/00000002 is on trial on home-page: the watcher starts an execution that "
                "probes it, and keeps it or rolls back, usually within 15 minutes; if you stop "
                "that execution too, another one follows"
            ),
        ],
        [],
    )


def test_a_run_that_has_just_begun_has_no_trainings(account, capsys):
    account.request = None
    account.versions = []
    assert stopped(capsys) == (0, ["manual-1 was stopped"], [])
    code, out, _ = stopped(capsys, as_json=True)
    document = json.loads("".join(out))
    assert (code, document["runId"], document["stoppedVersions"]) == (0, None, [])


def test_a_run_may_have_ended_by_itself(account, capsys):
    account.status = "SUCCEEDED"
    assert stopped(capsys) == (1, ["manual-1 had ended by itself: SUCCEEDED"], [])


def test_of_several_runs_one_has_to_be_named(account):
    account.running = ["manual-2", "manual-1"]
    with pytest.raises(OperatorError) as caught:
        stopping.stop(TARGET, yes=True, as_json=False)
    assert str(caught.value) == (
        "several runs are under way; name one with --run: manual-2, manual-1"
    )
    account.running = []
    with pytest.raises(FailedError) as caught:
        stopping.stop(TARGET, yes=True, as_json=False)
    assert str(caught.value) == (
        "no run is under way; `retrain history --stack prod` lists the last runs"
    )
    assert account.stopped == []
