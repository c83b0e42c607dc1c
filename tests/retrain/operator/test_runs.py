"""Proves that runs are found and listed that failed, were aborted, or are under way."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from retrain.account.access import Access
from retrain.account.errors import OperatorError
from retrain.account.target import Target
from retrain.look.history import list_runs
from retrain.look.runs import find_execution
from tests.retrain.builders import campaign_report, run_report, solution_report

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining-dev"
HOME = MACHINE.replace(":stateMachine:", ":execution:")
STARTED_AT = datetime(2026, 11, 29, 3, tzinfo=UTC)
STOPPED_AT = datetime(2026, 11, 29, 5, 31, tzinfo=UTC)
TARGET = Target(MACHINE, {}, Access(), "dev")
NOW = datetime(2026, 11, 29, 6, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_this_time(monkeypatch):
    monkeypatch.setattr("functions.clock.now", lambda: NOW)
    monkeypatch.setattr("retrain.look.version_notes.tags_of", lambda *_: {})
    monkeypatch.setattr(Access, "personalize", None)


@pytest.fixture
def listed(respond):
    """Return a function that adds the response with the executions of these names."""

    def add(*names, status="FAILED", **request):
        executions = [
            {
                "executionArn": f"{HOME}:{name}",
                "stateMachineArn": MACHINE,
                "name": name,
                "status": status,
                "startDate": STARTED_AT,
            }
            for name in names
        ]
        respond(
            *("stepfunctions", "list_executions", {"executions": executions}),
            stateMachineArn=MACHINE,
            **request,
        )

    return add


@pytest.fixture
def described(respond):
    """Return a function that adds the response with the description of an execution."""

    def add(name, status, **fields):
        response = {
            "executionArn": f"{HOME}:{name}",
            "stateMachineArn": MACHINE,
            "status": status,
            "startDate": STARTED_AT,
            **({} if status == "RUNNING" else {"stopDate": STOPPED_AT}),
            **fields,
        }
        respond("stepfunctions", "describe_execution", response, executionArn=f"{HOME}:{name}")

    return add


@pytest.fixture
def configured(respond):
    """Return a function that adds the response with the first events of an execution."""

    def add(name, request=None):
        started = {
            "request": request or {},
            "executionArn": f"{HOME}:{name}",
            "startedAt": STARTED_AT.isoformat(),
        }
        document = {"settings": {}, "run": started}
        event = {
            "timestamp": STARTED_AT,
            "type": "PassStateExited",
            "id": 3,
            "stateExitedEventDetails": {"name": "Configure run", "output": json.dumps(document)},
        }
        respond(
            *("stepfunctions", "get_execution_history"),
            {"events": [event] if request is not None else []},
            executionArn=f"{HOME}:{name}",
            maxResults=10,
            includeExecutionData=True,
        )

    return add


SCHEDULED = {"trigger": "schedule", "scheduledTime": "2026-11-29T03:00:00Z"}
RUN_ID = "20261129T030000Z"


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_a_failed_run_is_listed_with_its_failures(listed, described, respond, capsys):
    listed("a")
    described("a", "FAILED", error="RetrainingFailed", cause="text", input=json.dumps(SCHEDULED))
    failed = {"type": "items", "outcome": "FAILED", "reason": "no such column"}
    report = run_report(
        solution_report(version=None, reason="the training failed", trainingMode="UPDATE"),
        solution_report(
            campaigns=[
                campaign_report("SKIPPED"),
                campaign_report("DEPLOYED"),
            ],
        ),
        outcome="FAILED",
        reason="1 problem with this run:\n  too small",
        runId=RUN_ID,
        imports=[failed, {"type": "users", "outcome": "IMPORTED", "reason": None}],
        trials=[campaign_report("ROLLED_BACK", reason="3 bad answers")],
    )
    events = [
        {"timestamp": STARTED_AT, "type": "ExecutionFailed", "id": 9},
        *(
            {
                "timestamp": STARTED_AT,
                "type": "TaskStateExited",
                "id": 8,
                "stateExitedEventDetails": {
                    "name": name,
                    "output": json.dumps({"report": report}),
                },
            }
            for name in ("Did the run succeed?", "Report outcome")
        ),
    ]
    respond(
        *("stepfunctions", "get_execution_history", {"events": events}),
        executionArn=f"{HOME}:a",
        includeExecutionData=True,
        reverseOrder=True,
        maxResults=20,
    )
    assert list_runs(TARGET, limit=5, as_json=False) == 0
    assert lines(capsys) == [
        f"2026-11-29 03:00  FAILED             2 h 31 min  schedule     {RUN_ID}",
        "    1 problem with this run: too small",
        "    imported users",
        "    import items: no such column",
        "    campaign home-page ROLLED_BACK: 3 bad answers",
        "    movies: no version, the training failed",
        "    movies/00000002 FULL",
        "    campaign home-page SKIPPED",
        "    campaign home-page DEPLOYED 00000001 → 00000002",
    ]


def test_a_report_that_is_not_among_the_last_events_is_missing(
    listed, described, respond, configured, capsys
):
    listed("a")
    described("a", "FAILED", error="RetrainingFailed", cause="run X: FAILED", input="{}")
    respond(
        *("stepfunctions", "get_execution_history", {"events": []}),
        executionArn=f"{HOME}:a",
        includeExecutionData=True,
        reverseOrder=True,
        maxResults=20,
    )
    configured("a", SCHEDULED)
    list_runs(TARGET, limit=5, as_json=False)
    assert lines(capsys)[1] == "    RetrainingFailed: run X: FAILED"


def test_an_aborted_run_is_listed_with_the_reason(listed, described, configured, capsys):
    listed("a")
    described("a", "ABORTED", error="Stopped", cause="by ops.", input='{"force": true}')
    configured("a", SCHEDULED)
    list_runs(TARGET, limit=5, as_json=False)
    assert lines(capsys) == [
        f"2026-11-29 03:00  ABORTED            2 h 31 min  manual       {RUN_ID}",
        "    Stopped: by ops",
    ]


@pytest.mark.parametrize("only", ["deployments", "trials"])
def test_a_run_that_does_only_a_part_is_listed_with_it(listed, described, configured, capsys, only):
    listed("a")
    described("a", "ABORTED", input=json.dumps({"only": only}))
    configured("a", SCHEDULED)
    list_runs(TARGET, limit=5, as_json=False)
    assert lines(capsys)[0].endswith(f"  {only:<13}{RUN_ID}"), "nobody has started it by hand"


@pytest.mark.parametrize("request_of_run", [SCHEDULED, None])
def test_a_run_under_way_has_no_reason(listed, described, configured, capsys, request_of_run):
    run_id = RUN_ID if request_of_run else None
    listed("a")
    described("a", "RUNNING", input=json.dumps(request_of_run or []))
    configured("a", request_of_run)
    list_runs(TARGET, limit=5, as_json=True)
    (row,) = json.loads(capsys.readouterr().out)
    assert row == {
        "executionArn": f"{HOME}:a",
        "executionStatus": "RUNNING",
        "outcome": "RUNNING",
        "runId": run_id,
        "trigger": "schedule" if run_id else "manual",
        "startedAt": "2026-11-29T03:00:00+00:00",
        "stoppedAt": None,
        "seconds": 3 * 3600,
        "reason": None,
        "report": None,
        "since": {},
    }


def test_an_output_without_a_report_is_shown_as_its_status(listed, described, configured, capsys):
    listed("a")
    described("a", "SUCCEEDED", output="{}")
    configured("a", SCHEDULED)
    list_runs(TARGET, limit=1, as_json=False)
    assert "SUCCEEDED" in lines(capsys)[0]


def test_without_runs_the_message_says_how_to_start_one(listed):
    listed()
    with pytest.raises(OperatorError) as caught:
        list_runs(TARGET, limit=5, as_json=False)
    assert str(caught.value) == (
        "retraining-dev has not run in the last 90 days; `retrain start --stack dev` starts a run"
    )


def test_a_run_is_found_by_its_name_its_arn_and_its_id(listed, described, configured):
    listed("b", "a")
    assert find_execution(TARGET, None).name == "b"
    listed("b", "a")
    assert find_execution(TARGET, "a").arn == f"{HOME}:a"
    described("a", "SUCCEEDED")
    assert find_execution(TARGET, f"{HOME}:a").stopped_at == STOPPED_AT
    listed("c", "b", "a")
    configured("c")
    configured("b", SCHEDULED)
    assert find_execution(TARGET, RUN_ID).name == "b", "the newest execution of the run"


def not_found(run):
    with pytest.raises(OperatorError) as caught:
        find_execution(TARGET, run)
    return str(caught.value)


LAST_RUNS = "`retrain history --stack dev` lists"


def test_a_run_that_does_not_exist_is_one_line(listed, respond):
    listed()
    assert not_found(None) == (
        "retraining-dev has not run yet; `retrain start --stack dev` starts a run"
    )
    message = "is neither the id nor the execution of one of the last 100 runs"
    listed("a")
    assert not_found("x") == f"--run 'x' {message}; {LAST_RUNS} them"
    listed("a")
    newer = "20270101T030000Z"
    assert not_found(newer) == f"--run {newer!r} {message}; {LAST_RUNS} them", "a started before"
    for code in ("AccessDeniedException", "ExecutionDoesNotExist"):
        respond("stepfunctions", "describe_execution", code, executionArn=f"{HOME}:x")
    with pytest.raises(ClientError):
        find_execution(TARGET, f"{HOME}:x")
    assert not_found(f"{HOME}:x") == (
        f"--run {HOME}:x does not exist, or ended more than 90 days ago; {LAST_RUNS} the last runs"
    )
    elsewhere = f"{HOME}-other:x"
    assert not_found(elsewhere) == (
        f"--run {elsewhere} is an execution of another state machine, {MACHINE}-other; name that "
        "one with --state-machine-arn"
    )
