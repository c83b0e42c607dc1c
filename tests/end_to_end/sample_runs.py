"""The runs that together use every permission. Each returns what it did, without ids.

A run returns the same every time, unless it lacks a permission.
"""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from emulator import EmulatorError
from tests.end_to_end.stack import Run, Stack, eventually

TRAIN = {"skipImport": True, "force": True}
"""The input of a run that imports nothing, and trains even if a version is waiting."""
TIME_LIMIT_SECONDS = 2
"""A run with warm functions starts its training in this time."""
_seconds = itertools.count(1)


def plan(stack: Stack) -> object:
    """Run twice as the schedule does. Nothing is new, unless another sample has left a training.

    The first run reads the exports. The second run imports nothing, so it looks for a version that
    waits for its deployment.
    """
    event = {
        "trigger": "schedule",
        "scheduledTime": created_at(stack).isoformat(),
        "scheduleArn": stack.output("schedule_arn"),
    }
    runs = (stack.run(**event), stack.run(**event, skipImport=True))
    return [summarize(stack, run) for run in runs]


def start_again(stack: Stack) -> object:
    """Start a run whose training fails, and another run. Return what the second run did.

    The second run uses the import of the first run.
    """
    fault = {"fault": "fail", "job": "solution-version", "of": stack.solution_arn}
    stack.emulator.control("POST", "faults", fault)
    stack.run(datasets=["users"], force=True)
    return summarize(stack, stack.run(skipImport=True))


def import_datasets(stack: Stack) -> object:
    """Run all steps for one dataset, although nothing is new."""
    return summarize(stack, stack.run(datasets=["users"], force=True))


def stop_overdue_training(stack: Stack) -> str:
    """Start a run whose training hangs. Return the status of the version after its deadline."""
    with hanging_training(stack):
        return stack.version_status(stack.run(**TRAIN).version_arn)


def roll_back(stack: Stack) -> object:
    """Run with a new version that never has a result."""
    probe = {"userId": "user-001", "minResults": 1, "minutes": 0.001}
    fault = {"fault": "no-results", "job": "solution-version"}
    with changed_definition(stack) as (definition, settings):
        settings["solutions"][0]["campaigns"][0]["probe"] |= probe
        update_definition(stack, definition)
        stack.emulator.control("POST", "faults", fault)
        return summarize(stack, stack.run(**TRAIN))


def time_out(stack: Stack) -> Run:
    """Start a run whose training hangs until the state machine's time limit."""
    with hanging_training(stack), time_limit(stack):
        return stack.wait_for(stack.start(**TRAIN))


def abort_during_training(stack: Stack, deadline_hours: float) -> Run:
    """Start a run whose training hangs, and abort the run before the training is overdue."""
    with deadline(stack, deadline_hours):
        count = len(stack.version_arns())
        execution_arn = stack.start(**TRAIN)
        eventually(stack.version_arns, lambda arns: len(arns) > count)
        return abort_at(stack, execution_arn, "Train solution")


def abort_during_update(stack: Stack) -> Run:
    """Abort a run while its update of the campaign goes on. Its version stays on trial."""
    fault = {"fault": "take", "job": "campaign-update", "of": stack.campaign_arn, "seconds": 10}
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


def exceed_size(stack: Stack) -> Run:
    """Start a run whose input fits, but not together with the settings. Return the run."""
    return stack.run(datasets=["x" * 262_000])


def update_machine(stack: Stack) -> object:
    """Deploy the state machine unchanged, and run it."""
    states = stack.client("stepfunctions")
    arn = stack.output("state_machine_arn")
    machine = states.describe_state_machine(stateMachineArn=arn)
    keys = ("stateMachineArn", "definition", "roleArn", "loggingConfiguration")
    try:
        states.update_state_machine(**{key: machine[key] for key in keys})
    except states.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return plan(stack)


def fire_twice(stack: Stack) -> object:
    """Fire the first event of a deployment twice. The second one becomes a dead letter.

    The first execution has ended by then, so no execution with its name can start.
    """
    slot = created_at(stack) + timedelta(seconds=next(_seconds))
    results = []
    for _ in range(2):
        try:
            run = stack.wait_for(stack.fire(slot.isoformat()))
            results.append(run.report["outcome"])
        except EmulatorError as error:
            results.append(str(error).split(":")[0])
    return {"results": results, "dead letters": len(stack.dead_letters())}


def created_at(stack: Stack) -> datetime:
    """Return when the schedule was created."""
    group, name = stack.output("schedule_arn").split(":schedule/")[1].split("/")
    schedule = stack.client("scheduler").get_schedule(Name=name, GroupName=group)
    return schedule["CreationDate"].astimezone(UTC)


def summarize(stack: Stack, run: Run) -> object:
    """Return the status, the outcomes and the steps of a run."""
    warnings = len(run.report["warnings"]) if run.outcomes is not None else None
    return {
        "status": run.status,
        "outcomes": run.outcomes,
        "warnings": warnings,
        "steps": stack.steps(run),
    }


@contextmanager
def hanging_training(stack: Stack) -> Iterator[None]:
    """Make the next training hang. Stop the training and the runs at the end of the block."""
    fault = {"fault": "hang", "job": "solution-version", "of": stack.solution_arn}
    injected = stack.emulator.control("POST", "faults", fault)
    personalize, states = stack.client("personalize"), stack.client("stepfunctions")
    try:
        yield
    finally:
        waiting_ids = [waiting["id"] for waiting in stack.emulator.control("GET", "faults")]
        if injected["id"] in waiting_ids:
            stack.emulator.control("DELETE", f"faults?id={injected['id']}")
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
def changed_definition(stack: Stack):
    """Yield the definition of the state machine and the settings in it, to be changed.

    At the end of the block, the state machine gets its definition back.
    """
    states = stack.client("stepfunctions")
    arn = stack.output("state_machine_arn")
    original = states.describe_state_machine(stateMachineArn=arn)["definition"]
    definition = json.loads(original)
    try:
        yield definition, definition["States"]["Configure run"]["Parameters"]["settings"]
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=original)


def update_definition(stack: Stack, definition: object) -> None:
    """Replace the definition of the state machine."""
    stack.client("stepfunctions").update_state_machine(
        stateMachineArn=stack.output("state_machine_arn"), definition=json.dumps(definition)
    )


@contextmanager
def deadline(stack: Stack, hours: float) -> Iterator[None]:
    """Change the deadline of trainings for the runs that start inside the block."""
    with changed_definition(stack) as (definition, settings):
        settings["limits"]["maxTrainingHours"] = hours
        update_definition(stack, definition)
        yield


@contextmanager
def time_limit(stack: Stack) -> Iterator[None]:
    """Make the state machine time out after TIME_LIMIT_SECONDS, long before a training does."""
    with changed_definition(stack) as (definition, settings):
        definition["TimeoutSeconds"] = TIME_LIMIT_SECONDS
        settings["limits"]["maxTrainingHours"] = 1
        update_definition(stack, definition)
        yield
