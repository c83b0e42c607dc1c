"""Proves that a run is found by its id and its execution, and what is said if it is not."""

import json

import pytest

from functions.run.execution_data import identify_run
from functions.run.executions import read_first_state_output
from tests.retrain.in_process import account
from tests.workflow.pipeline import NEXT_SLOT, RUN_ID
from tests.world import MOVIES


def test_a_run_is_found_by_each_of_its_names():
    with account(MOVIES) as prod:
        pipeline = prod.pipeline
        client = prod.client("stepfunctions")
        first = pipeline.run()
        repeated = pipeline.run()
        later = pipeline.run(scheduledTime=NEXT_SLOT)

        def found(name=""):
            document = prod.retrain(f"watch --json {name}").document
            return document["executionArn"], document["runId"]

        assert found() == (later.arn, "20261206T030000Z"), "the newest run"
        assert found(f"--run {RUN_ID}") == (repeated.arn, RUN_ID), "the newest of two executions"
        for name in (first.arn, first.arn.rpartition(":")[2]):
            assert found(f"--run {name}") == (first.arn, RUN_ID)
        name = f"{pipeline.clock.now():%Y%m%d}-1a2b3c4d"
        started = pipeline.machine.start({}, name=name).wait()
        assert identify_run(read_first_state_output(client, started.arn)["run"])["id"] == name
        assert found(f"--run {name}") == (started.arn, name), "`retrain start` gives such a name"


def test_a_run_that_is_under_way_is_found_before_a_newer_one_that_was_stopped():
    with account(MOVIES) as prod:
        older = prod.pipeline.start()
        newer = prod.pipeline.start(scheduledTime=NEXT_SLOT)
        prod.pipeline.sleep(60)
        newer.abort("Stopped", "by ops")
        assert prod.retrain("watch --json").document["executionArn"] == older.arn


@pytest.mark.parametrize("name", ["20270101T030000Z", "films", "arn:of:another:run-1"])
def test_a_run_that_does_not_exist_is_one_line(name):
    with account(MOVIES) as prod:
        prod.pipeline.start()
        (row,) = prod.retrain("history --json").document
        result = prod.retrain(f"watch --run {name}")
        hint = "`retrain history --stack dev` lists them"
        assert result.err == f"--run '{name}' is not the id of one of the last 100 runs; {hint}\n"

    assert (result.code, result.out) == (2, "")
    assert (row["outcome"], row["reasons"], row["report"]) == ("RUNNING", [], None)


def test_an_input_with_the_keys_of_a_job_is_no_job():
    with account(MOVIES) as prod:
        prod.pipeline.run(dataset=["items"])
        assert prod.retrain("watch").code == 1
        (row,) = prod.retrain("history --json").document
    assert (row["outcome"], row["report"]["error"]) == ("FAILED", "RunRefused")


def test_a_pipeline_without_runs_says_how_to_start_one():
    with account(MOVIES) as prod:
        start = "; `retrain start --stack dev` starts a run\n"
        none = (2, "", f"retraining-0a1b2c3d has no run of the last 90 days{start}")
        assert [prod.retrain(command) for command in ("history", "watch")] == [none, none]
        assert json.loads(prod.retrain("history --json").out) == []
