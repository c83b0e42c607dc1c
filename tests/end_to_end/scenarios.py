"""The runs that between them need every permission; each tells what was seen, without ids.

A scenario gives the same each time, unless something is missing that it needs.
"""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from emulator import EmulatorError
from tests.end_to_end.stack import Run, Stack, eventually

SLOT = "2031-01-06T03:00:00Z"
TRAIN = {"skipImport": True, "trainingMode": "FULL"}
"""A run that imports nothing, and trains even where a version waits."""
TIME = 2
"""Seconds in which a run with warm functions is sure to begin its training."""
_numbers = itertools.count(1)


def plan(stack: Stack) -> object:
    """Two dry runs that between them read all that a run may have to know.

    One imports, and so looks at the exports; the other was started by the schedule, and looks for
    a version that waits.
    """
    arn = stack.output("schedule_arn")
    event = {"trigger": "schedule", "scheduledTime": SLOT, "scheduleArn": arn}
    runs = (
        stack.run(force=True, dryRun=True),
        stack.run(**event, skipImport=True, dryRun=True),
    )
    return [seen(stack, run) for run in runs]


def import_datasets(stack: Stack) -> object:
    """A run with all of its steps, for one dataset, though nothing is new."""
    return seen(stack, stack.run(datasets=["users"], force=True))


def train(stack: Stack) -> object:
    """A run without imports."""
    return seen(stack, stack.run(**TRAIN))


def overdue(stack: Stack) -> object:
    """A training that hangs past its limit, and so is stopped; the run is not waited for."""
    with hanging_training(stack):
        arn = stack.start(**TRAIN)
        run = eventually(lambda: stack.look(arn), _has_tried_to_stop)
        version = stack.version_status(run.version)
        return {"version": version, "steps": stack.steps(run)}


def roll_back(stack: Stack) -> object:
    """A run after which the campaign answers with less than it should."""
    with changed(stack, {"probe": {"userId": "user-001", "minResults": 500, "minutes": 0.001}}):
        return seen(stack, stack.run(**TRAIN))


def timed_out(stack: Stack) -> object:
    """A run that the machine's own time limit ends while it trains, and how it is closed."""
    with hanging_training(stack), time_limit(stack, seconds=TIME):
        refused = len(stack.refused())
        run = stack.ended(stack.start(**TRAIN))
        closed = eventually(
            lambda: (
                [each["outcome"] for each in stack.closed(run)] or len(stack.refused()) > refused
            ),
            bool,
        )
        version = stack.version_status(run.version)
        return {"run": run.status, "closed": closed, "version": version}


def deploy_machine(stack: Stack) -> object:
    """The state machine deployed anew as it is, and a run of it."""
    states = stack.client("stepfunctions")
    machine = states.describe_state_machine(stateMachineArn=stack.output("state_machine_arn"))
    keys = ("stateMachineArn", "definition", "roleArn", "loggingConfiguration")
    try:
        states.update_state_machine(**{key: machine[key] for key in keys})
    except states.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return plan(stack)


def fire(stack: Stack) -> object:
    """The schedule's event that a deployment causes, twice: the second is a dead letter.

    By then the first one's execution has ended, so that nothing of its name can start.
    """
    name, group = stack.schedule
    schedule = stack.client("scheduler").get_schedule(Name=name, GroupName=group)
    slot = schedule["CreationDate"].astimezone(UTC) + timedelta(seconds=next(_numbers))
    first = _fired(stack, slot)
    return {"first": first, "again": _fired(stack, slot), "dead letters": len(stack.dead_letters())}


def seen(stack: Stack, run: Run) -> object:
    """What a run came to: its end, its outcomes, and which steps logged what they did."""
    warnings = len(run.report["warnings"]) if run.outcomes is not None else None
    return {
        "run": run.status,
        "outcomes": run.outcomes,
        "warnings": warnings,
        "steps": stack.steps(run),
    }


@contextmanager
def hanging_training(stack: Stack) -> Iterator[None]:
    """Let the next training hang; afterwards nothing of it is under way."""
    solution = str(stack.args.solutions[0].solution_arn)
    order = {"fault": "hang", "job": "solution-version", "of": solution}
    fault = stack.emulator.control("POST", "faults", order)
    personalize, states = stack.client("personalize"), stack.client("stepfunctions")
    try:
        yield
    finally:
        if fault in [{"id": each["id"]} for each in stack.emulator.control("GET", "faults")]:
            stack.emulator.control("DELETE", f"faults?id={fault['id']}")
        running = states.list_executions(
            stateMachineArn=stack.output("state_machine_arn"), statusFilter="RUNNING"
        )
        for each in running["executions"]:
            states.stop_execution(executionArn=each["executionArn"])
        versions = personalize.list_solution_versions(solutionArn=solution)["solutionVersions"]
        for each in versions:
            if each["status"] == "CREATE IN_PROGRESS":
                arn = each["solutionVersionArn"]
                personalize.stop_solution_version_creation(solutionVersionArn=arn)


@contextmanager
def changed(stack: Stack, campaign: dict[str, object]) -> Iterator[None]:
    """Give the state machine other settings of the first campaign."""
    states = stack.client("stepfunctions")
    arn = stack.output("state_machine_arn")
    definition = states.describe_state_machine(stateMachineArn=arn)["definition"]
    other = json.loads(definition)
    settings = other["States"]["Configure run"]["Parameters"]["settings"]
    settings["solutions"][0]["campaigns"][0] |= campaign
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(other))
    try:
        yield
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=definition)


@contextmanager
def time_limit(stack: Stack, *, seconds: int) -> Iterator[None]:
    """Give the state machine this time instead of its days, and a training more than that."""
    states = stack.client("stepfunctions")
    arn = stack.output("state_machine_arn")
    definition = states.describe_state_machine(stateMachineArn=arn)["definition"]
    short = {**json.loads(definition), "TimeoutSeconds": seconds}
    settings = short["States"]["Configure run"]["Parameters"]["settings"]
    settings["limits"]["maxTrainingHours"] = 1
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(short))
    try:
        yield
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=definition)


def _has_tried_to_stop(run: Run) -> bool:
    stop = "Stop solution version"
    return run.status != "RUNNING" or (stop in run.states and run.states[-1] != stop)


def _fired(stack: Stack, slot: datetime) -> object:
    try:
        run = stack.ended(stack.fire(slot.isoformat()))
    except EmulatorError as error:
        return str(error).split(":")[0]
    return run.report["status"]
