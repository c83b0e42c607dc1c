"""Tests of the executions that finish the trials that a run has left."""

import json

import pytest

from functions.executions import short_hash
from functions.trial_executions import finish_trials_later
from tests.functions.samples import CAMPAIGN, EXECUTION, NOW, OLD_VERSION, RUN_ID, VERSION, run

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining"
ON_TRIAL = {CAMPAIGN: {"servedVersionArn": OLD_VERSION, "versionOnTrial": VERSION}}
FIRST = f"trial-1-{RUN_ID}-{short_hash(f'{EXECUTION} {NOW.isoformat()}', 8)}"
NEXT_RUN = "the next run finishes the trial"


def request(name, attempt):
    return {
        "stateMachineArn": MACHINE,
        "name": name,
        "input": json.dumps({"trigger": "trial", "attempt": attempt}),
    }


def execution(name):
    """Return the run of an execution with this name."""
    return run(executionArn=EXECUTION.replace("first", name))


@pytest.mark.parametrize(
    ("run_", "name", "attempt"),
    [
        (run(), FIRST, 1),
        (execution("trial-1-x-1"), "trial-2-x-1", 2),
        (execution("trial-2-x-1"), "trial-3-x-1", 3),
    ],
)
def test_an_execution_that_leaves_a_trial_starts_the_next_one(executions, run_, name, attempt):
    response = {"executionArn": "arn", "startDate": NOW}
    executions.expect("start_execution", response, **request(name, attempt))
    later = finish_trials_later(executions.client, run_, ON_TRIAL)
    assert later == f"the execution {name} finishes the trial"


def test_the_third_execution_starts_no_other(executions):
    later = finish_trials_later(executions.client, execution("trial-3-x-1"), ON_TRIAL)
    assert later == NEXT_RUN


def test_a_dry_run_starts_no_execution(executions):
    assert finish_trials_later(executions.client, run({"dryRun": True}), ON_TRIAL) == NEXT_RUN


@pytest.mark.parametrize(
    "standings", [{}, {CAMPAIGN: {"servedVersionArn": OLD_VERSION, "versionOnTrial": None}}]
)
def test_without_a_trial_no_execution_starts(executions, standings):
    assert finish_trials_later(executions.client, run(), standings) == ""


def test_an_execution_that_was_started_before_is_not_started_again(executions):
    executions.expect_error("start_execution", "ExecutionAlreadyExists", **request(FIRST, 1))
    later = finish_trials_later(executions.client, run(), ON_TRIAL)
    assert later == f"the execution {FIRST} finishes the trial"


def test_an_execution_that_cannot_be_started_fails_no_report(executions):
    executions.expect_error("start_execution", "AccessDeniedException", "no", **request(FIRST, 1))
    later = finish_trials_later(executions.client, run(), ON_TRIAL)
    assert later == (
        f"the execution {FIRST} could not be started (An error occurred (AccessDeniedException) "
        "when calling the StartExecution operation: no), so the next run finishes it"
    )
