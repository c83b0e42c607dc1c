"""Proves that runs are started, followed and stopped in an account, which the emulator is here."""

import io
import json
import re
import sys

import pytest

from functions.report.text import text_of
from tests.end_to_end.stack import eventually
from tests.retrain.operator.terminal import COLUMNS, terminal

pytestmark = pytest.mark.usefixtures("idle")
CLOCK = re.compile(r"^\d\d:\d\d:\d\d ")


def lines_without_clock(text):
    """Return the lines of a text without the time at their beginning."""
    return [CLOCK.sub("", line) for line in text.splitlines()]


def wait_for_state(stack, arn, state):
    """Wait until an execution has entered a state."""
    eventually(lambda: stack.read_run(arn).states, lambda states: state in states)


def running_imports(stack):
    """Return how many imports are running."""
    pages = stack.client("personalize").get_paginator("list_dataset_import_jobs").paginate()
    return sum(
        job["status"].startswith("CREATE") for page in pages for job in page["datasetImportJobs"]
    )


class Answer(io.StringIO):
    """A standard input that is a terminal at which somebody types."""

    def isatty(self):
        """Return True."""
        return True


def test_a_run_is_started_and_followed_to_its_report(stack, retrain):
    before = stack.served_version().rpartition("/")[2]
    result = retrain("start", "--watch", "--force")
    after = stack.served_version().rpartition("/")[2]
    assert result.code == 0, result.err
    arn, _, text = result.out.partition("\n")
    run, name = stack.read_run(arn), arn.rpartition(":")[2]
    assert re.fullmatch(r"manual-\d{8}T\d{6}Z-[0-9a-f]{6}", name)
    assert run.execution["input"] == '{"force": true}'
    assert text == text_of(run.report)
    assert f"\n- movies-for-you: DEPLOYED, {before} -> {after}, " in text

    hint, command, *progress = lines_without_clock(result.err)
    place = f"--stack dev --endpoint-url {stack.emulator.endpoint}"
    assert (hint, command) == ("To follow the run:", f"  retrain watch --run {name} {place}")
    assert progress[0] == f"following {name}"
    assert {re.sub(r"after \d+ s", "after some time", line) for line in progress} > {
        "importing the datasets",
        "import users: IMPORTED after some time",
        "train movies-for-you: planned",
        "update movies-for-you: DEPLOYED after some time",
    }

    again = retrain("watch", "--run", run.id, "--json")
    document = json.loads(again.out)
    assert (again.code, again.err) == (0, "")
    assert document["report"] == run.report
    assert [document[key] for key in ("executionArn", "executionStatus", "outcome", "runId")] == [
        *(arn, "SUCCEEDED", "DEPLOYED", run.id)
    ]


def newest_version(stack):
    """Return the ARN of the newest version of the stack's solution."""
    versions = stack.client("personalize").list_solution_versions(solutionArn=stack.solution_arn)
    newest = max(versions["solutionVersions"], key=lambda item: item["creationDateTime"])
    return newest["solutionVersionArn"]


def test_a_run_is_left_in_a_terminal_stopped_and_started_again(stack, retrain, hanging):
    with hanging("solution-version"):
        started = json.loads(retrain("start", "--force", "--json").out)
        arn, name = started["executionArn"], started["name"]
        wait_for_state(stack, arn, "Train solution")
        place = ("--stack", "dev", "--endpoint-url", stack.emulator.endpoint)
        with terminal("watch", *place) as screen:
            screen.read_until(lambda lines: any("train movies" in line for line in lines))
            screen.press_ctrl_c()
            assert screen.end() == 130
        run_id = stack.read_run(arn).id
        stopped = retrain("stop", "--yes")
    version_arn = newest_version(stack)
    started_at = stack.read_run(arn).started_at
    header = f"Run {run_id}, started {started_at:%Y-%m-%d %H:%M} UTC"
    last_frame = screen.lines[len(screen.lines) - screen.lines[::-1].index(header) - 1 :]
    patterns = [
        *(
            rf"import {dataset} +━+ IMPORTED +\d+ s"
            for dataset in ("interactions", "items", "users")
        ),
        r"train movies-for-you +[━╸╺]+ (planned|running).*",
        r"update movies-for-you +━+ planned.*",
        r"The run goes on\. To take it up again:",
        rf"  retrain watch --run {name} --stack dev .*",
    ]
    for line, pattern in zip(last_frame[1:], patterns, strict=False):
        assert re.fullmatch(pattern, line), f"{line!r} is not {pattern!r}"
    assert max(map(len, last_frame[:7])) <= COLUMNS

    assert stopped.code == 0
    assert stopped.out.splitlines() == [
        f"the training movies-for-you/{version_arn.rpartition('/')[2]} stops",
        f"{name} was stopped",
    ]
    again = f"retrain start --skip-import --force {' '.join(place)}"
    purpose = "Unless the data or a version is bad, to go on with this later"
    assert stopped.err == f"{purpose}:\n  {again}\n"
    assert stack.version_status(version_arn) == "CREATE STOPPED"
    execution = stack.client("stepfunctions").describe_execution(executionArn=arn)
    assert (execution["status"], execution["error"]) == ("ABORTED", "Stopped")
    caller = f"arn:aws:iam::{stack.emulator.account}:root"
    assert execution["cause"] == f"by {caller} with retrain stop"

    watched = retrain("watch", "--run", arn)
    assert watched.code == 1
    assert watched.out.splitlines()[1] == f"  Stopped: by {caller} with retrain stop"
    nothing = retrain("stop")
    assert (nothing.code, nothing.out) == (1, "")
    assert nothing.err.startswith("no run is under way; `retrain history --stack dev")

    started = retrain(*again.split()[1:], "--watch")
    assert started.code == 0, started.err
    assert started.out.splitlines()[1].startswith("DEPLOYED: ")


def test_a_run_under_way_is_asked_about_and_its_imports_go_on(stack, retrain, hanging, monkeypatch):
    with hanging("dataset-import-job"):
        name = json.loads(retrain("start", "--force", "--json").out)["name"]
        arn = f"{stack.output('state_machine_arn').replace(':stateMachine:', ':execution:')}:{name}"
        wait_for_state(stack, arn, "Import dataset")
        eventually(lambda: running_imports(stack), lambda count: count == 3)
        unattended = retrain("start")
        monkeypatch.setattr(sys, "stdin", Answer("n\nn\n"))
        declined = retrain("start")
        kept = retrain("stop")
        stopped = retrain("stop", "--run", name, "--yes", "--json")
    started_at = f"{stack.read_run(arn).started_at:%Y-%m-%d %H:%M}"
    question = (
        f"{name} has been running since {started_at} UTC. A new run waits until it has ended, for "
        "24 h at most, and is then SKIPPED. Start it?"
    )
    assert (unattended.code, unattended.out, unattended.err) == (
        *(2, ""),
        f"{question} nobody can answer without a terminal; add --yes\n",
    )
    assert (declined.code, declined.out, declined.err) == (
        *(1, ""),
        f"{question} [y/N] nothing was started\n",
    )
    assert (kept.code, kept.out, kept.err) == (
        *(1, ""),
        f"{name} has been running since {started_at} UTC. Stop it? [y/N] nothing was stopped\n",
    )
    document = json.loads(stopped.out)
    assert stopped.code == 0
    assert document == {
        "executionArn": arn,
        "executionStatus": "ABORTED",
        "runId": stack.read_run(arn).id,
        "stoppedVersions": [],
        "goingOn": [
            f"the import {dataset} goes on, because Personalize cannot stop an import; the next "
            "run uses it"
            for dataset in ("interactions", "items", "users")
        ],
    }
    late = retrain("stop", "--run", name, "--yes")
    assert (late.code, late.err) == (1, f"{name} is not under way: it is ABORTED\n")


MISTAKES = [
    (["--dataset", "itmes"], '--dataset: "itmes" is unknown; did you mean "items"?'),
    (
        ["--training-mode", "full"],
        '--training-mode: "full" is not one of "FULL", "UPDATE"; use one of them or omit it',
    ),
    (
        ["--skip-import", "--dataset", "items"],
        "--skip-import: nothing is imported, so --dataset would have no effect; leave it out",
    ),
    (["--export-date", "yesterday"], '--export-date: "yesterday" is not a day, for example'),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES)
def test_a_mistake_in_the_input_starts_nothing(retrain, options, message):
    result = retrain("start", *options)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(message)


def test_a_solution_is_named_by_its_name(stack, retrain):
    result = retrain("start", "--skip-import", "--solution", "movies-for-you", "--json")
    execution = stack.client("stepfunctions").describe_execution(
        executionArn=json.loads(result.out)["executionArn"]
    )
    assert json.loads(execution["input"]) == {"skipImport": True, "solutions": [stack.solution_arn]}
