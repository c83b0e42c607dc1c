"""Proves what an update and a destroy do to a run that is under way."""

import json
import time

import pytest

from tests.end_to_end.stack import eventually

SOLUTION = "arn:aws:personalize:eu-west-1:123456789012:solution/movies-for-you"
MARK = "written by the changed code"
CHANGED_HANDLER = f"""

unchanged_handler = handler


def handler(event, context):
    return {{**unchanged_handler(event, context), "mark": {MARK!r}}}
"""


@pytest.fixture(scope="module")
def deployed(stack):
    """Deploy the stack."""
    stack.up()
    return stack


class Execution:
    """An execution that was started by hand."""

    def __init__(self, stack, emulator, **execution_input):
        self._step_functions = emulator.client("stepfunctions")
        self.arn = self._step_functions.start_execution(
            stateMachineArn=stack.output("state_machine_arn"), input=json.dumps(execution_input)
        )["executionArn"]

    def wait_for(self, state):
        """Wait until the execution has entered a state."""
        eventually(lambda: state in self.states(), bool)

    def states(self):
        """Return the names of the states that were entered."""
        history = self._step_functions.get_execution_history(executionArn=self.arn, maxResults=1000)
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in history["events"]
            if "stateEnteredEventDetails" in event
        ]

    def finish(self):
        """Wait until the execution has ended. Return its description from Step Functions."""
        return eventually(
            lambda: self._step_functions.describe_execution(executionArn=self.arn),
            lambda execution: execution["status"] != "RUNNING",
        )


@pytest.fixture
def slow_training(emulator):
    """Make the next training take 20 seconds."""
    fault = {"fault": "take", "job": "solution-version", "of": SOLUTION, "seconds": 20}
    emulator.control("POST", "faults", fault)
    yield
    emulator.control("DELETE", "faults")


@pytest.mark.usefixtures("slow_training")
def test_a_run_keeps_its_code_although_the_code_changed(deployed, emulator):
    run = Execution(deployed, emulator, force=True, skipImport=True)
    run.wait_for("Wait for solution version")
    module = deployed.folder / "functions" / "report_outcome.py"
    module.write_text(module.read_text() + CHANGED_HANDLER)
    assert "StateMachine retraining-dev" in deployed.up().changes
    execution = run.finish()
    assert execution["status"] == "SUCCEEDED", execution
    assert MARK not in execution["output"], "this execution started before the change"
    next_execution = Execution(deployed, emulator, dryRun=True).finish()
    assert MARK in next_execution["output"], "this execution started after the change"


def test_a_run_whose_dataset_is_removed_fails_and_reports_the_denied_action(deployed, emulator):
    fault = {"fault": "take", "job": "dataset-import-job", "seconds": 30, "times": 3}
    emulator.control("POST", "faults", fault)
    run = Execution(deployed, emulator, force=True)
    run.wait_for("Wait for dataset import job")
    deployed.remove("datasets.users")
    assert "RolePolicy retraining-dev-import" in deployed.up().changes
    execution = run.finish()
    emulator.control("DELETE", "faults")
    assert execution["status"] == "FAILED", "an update changes the policies of a run at once"
    assert "import of items: IMPORTED\n  import of users: FAILED: " in execution["cause"]
    assert "not authorized to perform: s3:GetObject" in execution["cause"]


@pytest.mark.usefixtures("slow_training")
def test_a_destroy_waits_for_the_run_and_deletes_all_resources(deployed, emulator):
    run = Execution(deployed, emulator, force=True, skipImport=True)
    run.wait_for("Wait for solution version")
    assert remaining_resources(emulator) != []
    started = time.monotonic()
    destroyed = deployed.destroy()
    assert set(destroyed.steps.values()) == {"deleted"}
    assert time.monotonic() - started < 60
    assert deployed.state() == []
    assert remaining_resources(emulator) == []


def remaining_resources(emulator):
    """Return the names of the stack's resources that exist in the account."""
    listings = {
        "iam": ("list_roles", "Roles", "RoleName"),
        "lambda": ("list_functions", "Functions", "FunctionName"),
        "stepfunctions": ("list_state_machines", "stateMachines", "name"),
        "scheduler": ("list_schedule_groups", "ScheduleGroups", "Name"),
        "events": ("list_rules", "Rules", "Name"),
        "logs": ("describe_log_groups", "logGroups", "logGroupName"),
    }
    names = [
        resource[name]
        for service, (operation, key, name) in listings.items()
        for resource in getattr(emulator.client(service), operation)()[key]
    ]
    queues = emulator.client("sqs").list_queues().get("QueueUrls", [])
    return [name for name in [*names, *queues] if "retraining-dev" in name]
