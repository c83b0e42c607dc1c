"""The command `stop`: stops the trainings of a run, and then the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.common import clock
from functions.common.formatting import (
    format_duration,
    format_time,
)
from functions.constants import STOPPED_ERROR
from functions.personalize.statuses import is_running, is_stopping
from functions.personalize.tags import RUN_TAG, read_tags
from functions.personalize.trainings import describe_version, list_versions, stop_training
from functions.run.execution_data import identify_run
from functions.run.executions import read_first_state_output
from retrain.account.errors import AWS_ERRORS, FailedError, OperatorError, aws_error
from retrain.account.output import confirm, print_command, print_json, print_message, print_result
from retrain.account.target import Target
from retrain.look.runs import find_execution, find_run_id, list_running_executions
from retrain.names import short_name
from retrain.options import JsonOption, RunOption, YesOption, command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_personalize.type_defs import SolutionVersionTypeDef

    from functions.contract import ExecutionData
    from retrain.look.runs import Execution

GOING_ON = (
    "If it has started imports or campaign updates, they go on, because Personalize cannot stop "
    "them. The next run uses what succeeds, and the watcher ends an open trial within 15 minutes."
)


@command
def stop(
    target: Target, *, run: RunOption = None, yes: YesOption = False, as_json: JsonOption = False
) -> int:
    """Stop the trainings that a run has started, and then the run.

    For example: retrain stop --stack prod

    Imports and campaign updates cannot be stopped. The next run uses what succeeds, and a version
    that a campaign serves already is still probed. Trainings of other runs go on.

    Exit code 0: the run was stopped.
    Exit code 1: no run is under way, it ended by itself, or you did not confirm.
    Exit code 2: the run cannot be found or read.
    """
    execution = _find_execution(target, run)
    # None if the run has just begun, so it has started nothing.
    begun = read_first_state_output(target.access.step_functions, execution.arn)
    run_id = identify_run(begun["run"])["id"] if begun else execution.name

    trainings = _list_trainings(target, begun)
    _print_losses(run_id, execution, trainings)
    confirm("Stop it?", "nothing was stopped", yes=yes)

    client = target.access.step_functions
    cause = f"by {target.access.caller()} with retrain stop"
    try:
        stopped_arns = _stop_trainings(target, trainings)
        client.stop_execution(executionArn=execution.arn, error=STOPPED_ERROR, cause=cause)
        # A function that was running may have started a training in the meantime.
        stopped_arns += _stop_trainings(target, _list_trainings(target, begun))
        status = client.describe_execution(executionArn=execution.arn)["status"]
    except AWS_ERRORS as error:
        shown = f"`{target.command('history')}` shows whether the run goes on"
        raise OperatorError(f"{aws_error(error)}; {shown}") from error

    if as_json:
        document = {"executionArn": execution.arn, "executionStatus": status}
        shown_id = run_id if begun else None
        print_json({**document, "runId": shown_id, "stoppedVersions": stopped_arns})
    else:
        for arn in stopped_arns:
            print_result(f"the training {short_name(arn)} stops")

    if status != "ABORTED":
        raise FailedError(f"{run_id} had ended by itself: {status}")
    if not as_json:
        _print_what_goes_on(target, run_id, has_stopped_training=bool(stopped_arns))
    return 0


def _find_execution(target: Target, run: str | None) -> Execution:
    """Find the run with this id or execution, or the only run that is under way.

    Raises FailedError if it is not under way, and OperatorError if there are several.
    """
    if run is not None:
        execution = find_execution(target, run)
        if not execution.is_running:
            run_id = find_run_id(target, execution)
            raise FailedError(f"{run_id} is not under way: it is {execution.status}")
        return execution

    running = list_running_executions(target)
    if not running:
        raise FailedError("no run is under way")
    if len(running) > 1:
        names = ", ".join(find_run_id(target, execution) for execution in running)
        raise OperatorError(f"several runs are under way; name one with --run: {names}")
    return running[0]


def _print_losses(
    run_id: str, execution: Execution, trainings: Iterable[SolutionVersionTypeDef]
) -> None:
    """Print what would be lost: how long the run and its trainings have been running."""
    print_message(f"{run_id} has been running since {format_time(execution.started_at)} UTC.")
    for version in trainings:
        age_seconds = (clock.now() - version["creationDateTime"]).total_seconds()
        print_message(
            f"You lose its training {short_name(version['solutionVersionArn'])} after "
            f"{format_duration(age_seconds)}, and pay for it."
        )


def _stop_trainings(target: Target, trainings: Iterable[SolutionVersionTypeDef]) -> list[str]:
    """Stop these trainings, and return the ARNs of their versions."""
    arns = [version["solutionVersionArn"] for version in trainings]
    for arn in arns:
        stop_training(target.access.personalize, arn)
    return arns


def _print_what_goes_on(target: Target, run_id: str, *, has_stopped_training: bool) -> None:
    print_result(f"{run_id} was stopped")
    print_message(GOING_ON)
    # A run trains what was stopped again only if a person asks for it.
    options = ("--skip-import", "--force") if has_stopped_training else ()
    print_command("To start again later", target.command("start", *options))


def _list_trainings(target: Target, begun: ExecutionData | None) -> list[SolutionVersionTypeDef]:
    """List the versions that a run has started to train and that have not ended."""
    if begun is None:
        return []

    client = target.access.personalize
    run_id = identify_run(begun["run"])["id"]
    trainings = []
    for solution in begun["settings"]["solutions"]:
        for summary in list_versions(client, solution["solutionArn"]):
            if not is_running(summary["status"]):
                continue
            arn = summary["solutionVersionArn"]
            if read_tags(client, arn).get(RUN_TAG) != run_id:
                continue

            # The list may be 90 seconds old, so ask for the present status.
            version = describe_version(client, arn)
            if is_running(version["status"]) and not is_stopping(version["status"]):
                trainings.append(version)
    return trainings
