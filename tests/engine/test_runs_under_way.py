"""What an update, or a destroy, does to a run that is under way."""

import json
import time

import pytest

from tests.end_to_end.stack import eventually

SOLUTION = "arn:aws:personalize:eu-west-1:123456789012:solution/movies-for-you"
MARK = "written by the changed code"


@pytest.fixture(scope="module")
def deployed(stack):
    """Deploy the stack."""
    stack.up()
    return stack


class Execution:
    """An execution that a person started."""

    def __init__(self, stack, emulator, **request):
        self._states = emulator.client("stepfunctions")
        self.arn = self._states.start_execution(
            stateMachineArn=stack.output("state_machine_arn"), input=json.dumps(request)
        )["executionArn"]

    def reaches(self, state):
        """Wait until the execution has entered a state."""
        eventually(lambda: state in self.states(), bool)

    def states(self):
        """Return the names of the states that were entered."""
        events = self._states.get_execution_history(executionArn=self.arn, maxResults=1000)
        return [
            each["stateEnteredEventDetails"]["name"]
            for each in events["events"]
            if "stateEnteredEventDetails" in each
        ]

    def ended(self):
        """Return the execution once it has ended."""
        return eventually(
            lambda: self._states.describe_execution(executionArn=self.arn),
            lambda found: found["status"] != "RUNNING",
        )


@pytest.fixture
def slow_training(emulator):
    """Let the next training take some seconds."""
    order = {"fault": "take", "job": "solution-version", "of": SOLUTION, "seconds": 20}
    emulator.control("POST", "faults", order)
    yield
    emulator.control("DELETE", "faults")


@pytest.mark.usefixtures("slow_training")
def test_a_run_ends_with_the_code_it_began_with_although_the_code_changed(deployed, emulator):
    run = Execution(deployed, emulator, force=True, skipImport=True)
    run.reaches("Wait for solution version")
    report = deployed.folder / "functions" / "report.py"
    text = report.read_text()
    changed = text.replace('f"Retraining run {', f'f"{MARK}: retraining run {{')
    assert changed != text, "the report's first words are in the code"
    report.write_text(changed)
    assert "StateMachine retraining-dev" in deployed.up().changes
    ended = run.ended()
    assert ended["status"] == "SUCCEEDED", ended
    assert MARK not in ended["output"], "this execution began before the change"
    after = Execution(deployed, emulator, dryRun=True).ended()
    assert MARK in after["output"], "the next execution has the changed code"


def test_a_run_whose_dataset_is_taken_away_fails_and_reports_what_was_denied(deployed, emulator):
    order = {"fault": "take", "job": "dataset-import-job", "seconds": 15, "times": 3}
    emulator.control("POST", "faults", order)
    run = Execution(deployed, emulator, force=True)
    run.reaches("Wait for dataset import job")
    deployed.remove("datasets.users")
    assert "RolePolicy retraining-dev-import" in deployed.up().changes
    ended = run.ended()
    emulator.control("DELETE", "faults")
    assert ended["status"] == "FAILED", "policies change under a run, published code does not"
    assert "import of items: IMPORTED\n  import of users: FAILED: " in ended["cause"]
    assert "not authorized to perform: s3:GetObject" in ended["cause"]


@pytest.mark.usefixtures("slow_training")
def test_a_destroy_waits_for_the_run_and_leaves_nothing_behind(deployed, emulator):
    run = Execution(deployed, emulator, force=True, skipImport=True)
    run.reaches("Wait for solution version")
    assert left_behind(emulator) != [], "the account has what the stack created"
    started = time.monotonic()
    destroyed = deployed.destroy()
    assert set(destroyed.steps.values()) == {"deleted"}
    assert time.monotonic() - started < 60
    assert deployed.state() == []
    assert left_behind(emulator) == []


def left_behind(emulator):
    """Return the names of the resources of the stack that the account has."""
    listed = {
        "iam": ("list_roles", "Roles", "RoleName"),
        "lambda": ("list_functions", "Functions", "FunctionName"),
        "stepfunctions": ("list_state_machines", "stateMachines", "name"),
        "scheduler": ("list_schedule_groups", "ScheduleGroups", "Name"),
        "events": ("list_rules", "Rules", "Name"),
        "logs": ("describe_log_groups", "logGroups", "logGroupName"),
    }
    names = [
        each[name]
        for service, (operation, key, name) in listed.items()
        for each in getattr(emulator.client(service), operation)()[key]
    ]
    queues = emulator.client("sqs").list_queues().get("QueueUrls", [])
    return [each for each in [*names, *queues] if "retraining-dev" in each]
