"""Starts runs that do not end well, and changes the state machine for some runs."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from tests.end_to_end.stack import Run, Stack, eventually

TRAIN = {"skipImport": True, "force": True}
"""The input of a run that imports nothing, and trains even if a version is waiting."""


def start_training(stack: Stack) -> tuple[str, str]:
    """Start a run, and wait for its training. Return the ARNs of the execution and the version."""
    count = len(stack.version_arns())
    execution_arn = stack.start(**TRAIN)
    arns = eventually(stack.version_arns, lambda arns: len(arns) > count)
    return execution_arn, arns[-1]


def abort_during_training(stack: Stack) -> tuple[Run, str]:
    """Start a run, and abort it when its training has begun. Return the run and the version."""
    execution_arn, version_arn = start_training(stack)
    return abort_at(stack, execution_arn, "Train solution"), version_arn


def abort_during_update(stack: Stack) -> Run:
    """Abort a run while its update of the campaign goes on. Its version stays on trial."""
    fault = {"fault": "take", "job": "campaign-update", "of": stack.campaign_arn, "seconds": 5}
    stack.emulator.control("POST", "faults", fault)
    execution_arn = stack.start(**TRAIN)
    eventually(lambda: update_status(stack), lambda status: status == "CREATE IN_PROGRESS")
    return abort_at(stack, execution_arn, "Deploy version")


def update_status(stack: Stack) -> str | None:
    """Return the status of the latest update of the campaign."""
    response = stack.client("personalize").describe_campaign(campaignArn=stack.campaign_arn)
    return response["campaign"].get("latestCampaignUpdate", {}).get("status")


def abort_at(stack: Stack, execution_arn: str, state: str) -> Run:
    """Abort an execution when it has entered the state, and return it."""
    eventually(lambda: stack.read_run(execution_arn).states, lambda states: state in states)
    stack.client("stepfunctions").stop_execution(
        executionArn=execution_arn, error="Enough", cause="stopped by hand"
    )
    return stack.wait_for(execution_arn)


@contextmanager
def hanging_training(stack: Stack) -> Iterator[None]:
    """Make the next training hang. Stop the training and the runs at the end of the block."""
    fault = {"fault": "hang", "job": "solution-version", "of": stack.solution_arn}
    stack.emulator.control("POST", "faults", fault)
    personalize = stack.client("personalize")
    states = stack.client("stepfunctions")
    try:
        yield
    finally:
        stack.emulator.control("DELETE", "faults")
        running = states.list_executions(
            stateMachineArn=stack.output("state_machine_arn"), statusFilter="RUNNING"
        )
        for execution in running["executions"]:
            states.stop_execution(executionArn=execution["executionArn"])
        versions = personalize.list_solution_versions(solutionArn=stack.solution_arn)
        for version in versions["solutionVersions"]:
            if version["status"] == "CREATE IN_PROGRESS":
                arn = version["solutionVersionArn"]
                personalize.stop_solution_version_creation(solutionVersionArn=arn)


@contextmanager
def changed_settings(stack: Stack, change: Callable[[Mapping], None]) -> Iterator[Mapping]:
    """Change the settings of the runs that start inside the block, and yield them."""
    states = stack.client("stepfunctions")
    arn = stack.output("state_machine_arn")
    original = states.describe_state_machine(stateMachineArn=arn)["definition"]

    definition = json.loads(original)
    settings = definition["States"]["Configure run"]["Parameters"]["settings"]
    change(settings)
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))
    try:
        yield settings
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=original)


def deadline(stack: Stack, hours: float) -> AbstractContextManager:
    """Change the deadline of trainings for the runs that start inside the block."""
    return changed_settings(
        stack, lambda settings: settings["limits"].update(maxTrainingHours=hours)
    )
