"""The command `stop`, which stops the trainings of a run, and then the run's execution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.common import clock
from functions.common.formatting import (
    format_duration,
    format_time,
)
from functions.constants import STOPPED_ERROR
from functions.personalize.tags import RUN_TAG, read_tags
from functions.personalize.trainings import find_version, list_untagged_versions, stop_training
from retrain.account.errors import FailedError, OperatorError
from retrain.account.output import confirm, print_command, print_json, print_message, print_result
from retrain.account.target import Target
from retrain.look.runs import find_execution, find_run_id, list_running_executions
from retrain.names import short_name
from retrain.options import JsonOption, RunOption, YesOption, command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.rules.versions import SolutionVersion
    from retrain.look.runs import Execution


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
    execution = _find_running_execution(target, run)
    run_id = find_run_id(target, execution)
    _print_losses(run_id, execution, _list_trainings(target, run_id))
    confirm("Stop it?", "nothing was stopped", yes=yes)

    stopped_arns = _stop_trainings(target, run_id)
    status = _stop_execution(target, execution)
    # A Lambda function that was still running may have started another training meanwhile.
    stopped_arns += _stop_trainings(target, run_id)

    if as_json:
        print_json(
            {
                "executionArn": execution.arn,
                "executionStatus": status,
                "runId": run_id,
                "stoppedVersions": stopped_arns,
            }
        )
    else:
        _print_stopped(target, run_id, status, stopped_arns)
    if status != "ABORTED":
        raise FailedError(f"{run_id} had ended by itself: {status}")
    return 0


def _find_running_execution(target: Target, run: str | None) -> Execution:
    """Find the execution of the named run, or else the only one that is under way.

    Raises:
        FailedError: the named run has ended, or no run is under way.
        OperatorError: the name is unknown, or several runs are under way and none was named.
    """
    if run is not None:
        execution = find_execution(target, run)
        if not execution.is_running:
            run_id = find_run_id(target, execution)
            raise FailedError(f"{run_id} is not under way: it is {execution.status}")
        return execution

    executions = list_running_executions(target)
    if not executions:
        raise FailedError("no run is under way")
    if len(executions) > 1:
        run_ids = ", ".join(find_run_id(target, execution) for execution in executions)
        raise OperatorError(f"several runs are under way; name one with --run: {run_ids}")
    return executions[0]


def _list_trainings(target: Target, run_id: str) -> list[SolutionVersion]:
    """List the versions that a run is training, except those that are being stopped already."""
    client = target.access.personalize
    trainings = []
    for solution in target.settings["solutions"]:
        for version in list_untagged_versions(client, solution["solutionArn"]):
            # Only read the tags of the few versions that may be the run's.
            if not version.is_running or read_tags(client, version.arn).get(RUN_TAG) != run_id:
                continue

            # ListSolutionVersions may be 90 seconds out of date, so read the current status.
            current = find_version(client, version.arn)
            if current and current.is_running and not current.is_stopping:
                trainings.append(current)
    return trainings


def _print_losses(run_id: str, execution: Execution, trainings: Sequence[SolutionVersion]) -> None:
    """Print how long the run and its trainings have been running, because that work is lost."""
    print_message(f"{run_id} has been running since {format_time(execution.started_at)} UTC.")
    for version in trainings:
        age_seconds = (clock.now() - version.created_at).total_seconds()
        print_message(
            f"You lose its training {short_name(version.arn)} after "
            f"{format_duration(age_seconds)}, and pay for it."
        )


def _stop_trainings(target: Target, run_id: str) -> list[str]:
    """Stop the trainings of a run, and return the ARNs of their versions."""
    version_arns = [version.arn for version in _list_trainings(target, run_id)]
    for version_arn in version_arns:
        stop_training(target.access.personalize, version_arn)
    return version_arns


def _stop_execution(target: Target, execution: Execution) -> str:
    """Stop an execution, and return its final status: ABORTED, unless it had already ended."""
    client = target.access.step_functions
    cause = f"by {target.access.fetch_caller_arn()} with retrain stop"
    client.stop_execution(executionArn=execution.arn, error=STOPPED_ERROR, cause=cause)
    return client.describe_execution(executionArn=execution.arn)["status"]


def _print_stopped(target: Target, run_id: str, status: str, stopped_arns: Sequence[str]) -> None:
    """Print what was stopped, what can't be stopped, and how to start another run."""
    for version_arn in stopped_arns:
        print_result(f"the training {short_name(version_arn)} stops")
    if status != "ABORTED":
        return

    print_result(f"{run_id} was stopped")
    print_message(
        "If it has started imports or campaign updates, they go on, because Personalize cannot "
        "stop them. The next run uses what succeeds, and the watcher ends an open trial within 15 "
        "minutes."
    )

    # Without these options, a run wouldn't repeat a training that was stopped.
    options = ["--skip-import", "--force"] if stopped_arns else []
    print_command("To start again later", target.command("start", *options))
