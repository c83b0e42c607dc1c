"""Proves that `start` starts the run that was asked for, and that `stop` stops only that run."""

import json
import secrets
from unittest.mock import DEFAULT, patch

import pytest

from retrain.act import stop
from tests.retrain.in_process import account
from tests.world import HOUR, MOVIES, PERSONALIZE, solution

IN_TRAINING = 1.5 * HOUR
SERIES = MOVIES.with_solutions(solution(), solution("series", campaigns=["tv"]))


@pytest.fixture(autouse=True)
def _numbered_executions(monkeypatch):
    numbers = iter(range(9))
    monkeypatch.setattr(secrets, "token_hex", lambda _: f"0000000{next(numbers)}")


def test_golden_a_run_is_started_and_stopped_with_its_training(golden):
    with account() as prod:
        text = prod.transcript("stop --yes", "start --skip-import --dataset items", "start")
        prod.pipeline.sleep(IN_TRAINING)
        foreign = prod.pipeline.foreign_training()
        prod.pipeline.sleep(60)
        text += prod.transcript("start", "stop", "stop --yes", "stop --yes --run 20261129-00000000")
        golden("start_stop.txt", text)
        prod.pipeline.sleep(4 * HOUR)
        versions = dict(zip(prod.pipeline.versions(), prod.pipeline.statuses(), strict=True))
        (execution,) = prod.pipeline.executions("20261129")
        assert execution.wait().status == "ABORTED"
    stopped = [arn for arn, status in versions.items() if status == "CREATE STOPPED"]

    assert len(stopped) == 1
    assert versions[foreign] == "ACTIVE", "only the training of the run is stopped"


@pytest.mark.parametrize(
    "options, request_",
    [
        ("", {}),
        ("--skip-import --force", {"skipImport": True, "force": True}),
        ("--dataset items --dataset users", {"datasets": ["items", "users"]}),
        (
            "--dataset items --solution series",
            {"datasets": ["items"], "solutions": [f"{PERSONALIZE}:solution/series"]},
        ),
    ],
)
def test_the_options_become_the_input_of_the_execution(options, request_):
    with account(SERIES) as prod:
        document = prod.retrain(f"start {options} --json").document
        (execution,) = prod.pipeline.executions("20261129")
        client = prod.client("stepfunctions")
        described = client.describe_execution(executionArn=execution.arn)

    assert json.loads(described["input"]) == request_
    assert [*document] == ["runId", "executionArn", "startedAt"]
    assert document["executionArn"] == execution.arn


def test_a_second_run_waits_so_the_command_asks_first():
    with account() as prod:
        prod.retrain("start")
        prod.pipeline.sleep(60)
        assert prod.retrain("start").code == 2, "nobody can answer"
        assert prod.retrain("start --yes").code == 0
        several = prod.retrain("stop --yes")
        document = prod.retrain("stop --yes --json --run 20261129-00000000").document

    assert several.code == 2
    assert several.err == (
        "several runs are under way; name one with --run: 20261129-00000002, 20261129-00000000\n"
    )
    assert (document["executionStatus"], document["stoppedVersions"]) == ("ABORTED", [])


@pytest.mark.parametrize("command", ["start", "plan --stack prod"])
def test_an_export_date_without_a_day_is_refused(command):
    with account() as prod:
        assert '"" is not a day' in "".join(prod.retrain(f"{command} --export-date ''")[1:])


def test_a_training_that_begins_while_the_run_is_stopped_is_stopped_too():
    with account() as prod:
        prod.retrain("start")
        prod.pipeline.sleep(IN_TRAINING)
        # The first two lists do not have the training yet.
        answers = [[], [], DEFAULT]
        with patch.object(
            stop, "list_untagged_versions", wraps=stop.list_untagged_versions, side_effect=answers
        ):
            document = prod.retrain("stop --yes --json").document

        assert document["stoppedVersions"] == prod.pipeline.versions()[1:]
