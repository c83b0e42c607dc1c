"""The command `stop`: stops the trainings of a run, and then the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from functions import clock
from functions.executions import configured_run_of, job_name, run_of
from functions.personalize.campaigns import describe_campaign
from functions.personalize.imports import list_imports
from functions.personalize.statuses import is_running, is_stopping
from functions.personalize.tags import RUN, tags_of
from functions.personalize.trainings import describe_version, list_versions, stop_training
from functions.report.send import read_serving
from functions.words import duration_text, time_text
from retrain.account.errors import EXIT_FAILED, FailedError, OperatorError
from retrain.account.output import confirm, print_command, print_json, print_message, print_result
from retrain.account.target import Target
from retrain.look.runs import execution_of, find_execution, running_executions
from retrain.names import short_name
from retrain.options import JsonOption, RunOption, YesOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        SolutionVersionTypeDef,
    )

    from functions.contract import Run, Settings
    from retrain.look.runs import Execution

STOPPED_ERROR = "Stopped"
"""The error of an execution that a person has stopped with this command."""


class _RunToStop(NamedTuple):
    """A run that is under way. What is not known, because the run has just begun, is None."""

    execution: Execution
    settings: Settings
    run: Run | None


@command
def stop(
    target: Target,
    *,
    run: RunOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> int:
    """Stop the trainings that a run has started, and then the run.

    For example: retrain stop --stack prod

    Imports and campaign updates cannot be stopped. The command says which of
    them go on, and who finishes the trial of a version that a campaign serves
    already. Trainings that this run did not start are never stopped.

    Exit code 0: the run was stopped.
    Exit code 1: no run is under way, it ended by itself, or you did not confirm.
    Exit code 2: the run cannot be found or read.
    """
    to_stop = _run_to_stop(target, run)
    trainings = _trainings(target, to_stop)
    if not confirm(_question(to_stop, trainings), yes=yes):
        print_message("nothing was stopped")
        return EXIT_FAILED
    stopped = _stop_trainings(target, trainings)
    client = target.access.step_functions
    client.stop_execution(
        executionArn=to_stop.execution.arn,
        error=STOPPED_ERROR,
        cause=f"by {target.access.caller()} with retrain stop",
    )
    # A function that was running may have started a training in the meantime.
    stopped += _stop_trainings(target, _trainings(target, to_stop))
    ended = execution_of(client.describe_execution(executionArn=to_stop.execution.arn))
    going_on = list(_going_on(target, to_stop))
    if as_json:
        print_json(
            {
                "executionArn": ended.arn,
                "executionStatus": ended.status,
                "runId": to_stop.run["id"] if to_stop.run else None,
                "stoppedVersions": stopped,
                "goingOn": going_on,
            }
        )
    else:
        _print_stopped(target, to_stop, ended, stopped, going_on)
    return 0 if ended.status == "ABORTED" else EXIT_FAILED


def _run_to_stop(target: Target, run: str | None) -> _RunToStop:
    """Return the run with this id or execution, or the only run that is under way.

    Raises FailedError if it is not under way, and OperatorError if there are several.
    """
    if run is None:
        running = running_executions(target)
        if not running:
            raise FailedError(
                f"no run is under way; `{target.command('history')}` lists the last runs"
            )
        if len(running) > 1:
            names = ", ".join(execution.name for execution in running)
            raise OperatorError(f"several runs are under way; name one with --run: {names}")
        execution = running[0]
    else:
        execution = find_execution(target, run)
    if not execution.is_running:
        raise FailedError(f"{execution.name} is not under way: it is {execution.status}")
    configured = configured_run_of(target.access.step_functions, execution.arn)
    if configured is None:
        return _RunToStop(execution, target.settings, None)
    return _RunToStop(execution, configured["settings"], run_of(configured["run"]))


def _trainings(target: Target, to_stop: _RunToStop) -> list[SolutionVersionTypeDef]:
    """Return the versions that this run has started to train and that have not ended."""
    if to_stop.run is None:
        return []
    personalize = target.access.personalize
    return [
        version
        for version in versions_of_run(personalize, to_stop.settings, to_stop.run)
        if is_running(version["status"]) and not is_stopping(version["status"])
    ]


def versions_of_run(
    client: PersonalizeClient, settings: Settings, run: Run
) -> list[SolutionVersionTypeDef]:
    """Return the versions that a run is training, with their present statuses."""
    arns = [
        summary["solutionVersionArn"]
        for solution in settings["solutions"]
        for summary in list_versions(client, solution["solutionArn"])
        if is_running(summary["status"])
    ]
    return [
        describe_version(client, arn) for arn in arns if tags_of(client, arn).get(RUN) == run["id"]
    ]


def imports_of_run(
    client: PersonalizeClient, settings: Settings, run: Run
) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs that a run has created."""
    names = {job_name(settings, run, dataset["type"]) for dataset in settings["datasets"]}
    return [
        job
        for dataset in settings["datasets"]
        for job in list_imports(client, dataset["datasetArn"])
        if job["jobName"] in names
    ]


def _question(to_stop: _RunToStop, trainings: Sequence[SolutionVersionTypeDef]) -> str:
    """Return the question whether to stop a run, with the trainings that would be lost."""
    execution = to_stop.execution
    lost = "".join(
        f" Its training {short_name(version['solutionVersionArn'])}, "
        f"{duration_text((clock.now() - version['creationDateTime']).total_seconds())} old, is "
        "lost, and its hours are paid for."
        for version in trainings
    )
    since = time_text(execution.started_at)
    return f"{execution.name} has been running since {since} UTC.{lost} Stop it?"


def _stop_trainings(target: Target, trainings: Sequence[SolutionVersionTypeDef]) -> list[str]:
    """Ask Personalize to stop the trainings. Return the ARNs of their versions."""
    for version in trainings:
        stop_training(target.access.personalize, version["solutionVersionArn"])
    return [version["solutionVersionArn"] for version in trainings]


def _going_on(target: Target, to_stop: _RunToStop) -> Iterator[str]:
    """Yield a message about each job that goes on although the run was stopped."""
    settings, personalize = to_stop.settings, target.access.personalize
    if to_stop.run is not None:
        for job in imports_of_run(personalize, settings, to_stop.run):
            if is_running(job["status"]):
                yield (
                    f"the import {short_name(job['datasetImportJobArn'])} goes on, because "
                    "Personalize cannot stop an import; the next run uses it"
                )
    for solution in settings["solutions"]:
        for campaign in solution["campaigns"]:
            arn = campaign["campaignArn"]
            update = describe_campaign(personalize, arn).get("latestCampaignUpdate")
            if update and is_running(update["status"]):
                version = short_name(update["solutionVersionArn"])
                yield (
                    f"the update of {short_name(arn)} to {version} goes on, because Personalize "
                    "cannot stop it"
                )
    for serving in read_serving(personalize, settings):
        if on_trial := serving["versionOnTrial"]:
            yield (
                f"{short_name(on_trial)} is on trial on {short_name(serving['campaignArn'])}: the "
                "watcher starts an execution that probes it, and keeps it or rolls back, usually "
                "within 15 minutes; if you stop that execution too, another one follows"
            )


def _print_stopped(
    target: Target,
    to_stop: _RunToStop,
    ended: Execution,
    stopped: Sequence[str],
    going_on: Sequence[str],
) -> None:
    """Print what was stopped, what goes on, and how to train later what was stopped."""
    for arn in stopped:
        print_result(f"the training {short_name(arn)} stops")
    if ended.status != "ABORTED":
        print_result(f"{ended.name} had ended by itself: {ended.status}")
        return
    print_result(f"{ended.name} was stopped")
    for message in going_on:
        print_result(message)
    if to_stop.run is not None and to_stop.run["trigger"] != "trials":
        # A run trains what was stopped again only if a person asks for it.
        options = ("--skip-import", "--force") if stopped else ()
        print_command(
            "Unless the data or a version is bad, to go on with this later",
            target.command("start", *options),
        )
