"""The command `start`, which checks a run's input as the run itself would, and starts the run."""

from __future__ import annotations

import secrets
from json import dumps
from typing import TYPE_CHECKING

from functions.common import clock
from functions.common.formatting import (
    format_duration,
    format_time,
)
from functions.run.admission import compute_max_wait
from functions.run.execution_input import find_input_problems
from retrain.account.errors import OperatorError
from retrain.account.option_words import (
    build_placeholder_execution,
    build_request,
    format_input_problem,
)
from retrain.account.output import confirm, print_command, print_json, print_message, print_result
from retrain.account.target import Target
from retrain.look.runs import Execution, find_run_id, list_running_executions
from retrain.look.watch import watch_execution
from retrain.names import short_name
from retrain.options import (
    DatasetsOption,
    ExportDateOption,
    ForceOption,
    JsonOption,
    SkipImportOption,
    SolutionsOption,
    WatchOption,
    YesOption,
    command,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.contract import RunRequest


@command
def start(
    target: Target,
    *,
    skip_import: SkipImportOption = False,
    dataset: DatasetsOption = None,
    solution: SolutionsOption = None,
    force: ForceOption = False,
    export_date: ExportDateOption = None,
    watch: WatchOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> int:
    """Check the input of a run, and start the run.

    For example: retrain start --stack prod --watch

    If another run is under way, the new run would wait for it, so the command
    asks first.

    The id of the run is printed. With --watch the report follows.

    Exit code 0: the run was started. With --watch: the run succeeded.
    Exit code 1: you answered no. With --watch: the run failed.
    Exit code 2: the input is wrong, or the pipeline cannot be found or read.
    Exit code 130: you pressed Ctrl-C during --watch. The run goes on.
    """
    request = build_request(
        skipImport=skip_import,
        datasets=dataset,
        solutions=_find_solution_arns(target, solution or ()),
        force=force,
        exportDate=export_date,
    )
    run_id = f"{clock.now():%Y%m%d}-{secrets.token_hex(4)}"
    _check_request(target, request)

    running_executions = list_running_executions(target)
    if running_executions:
        # The executions are sorted, newest first. A new run waits until all of them have ended.
        _print_wait(target, running_executions[-1])
        confirm("Start it?", "nothing was started", yes=yes)

    execution = _start_execution(target, run_id, request)
    if not as_json:
        print_result(run_id)
        print_command("To follow the run", target.command("watch", "--run", run_id))

    if watch:
        # With --json, the report is the only document that is printed.
        return watch_execution(target, execution, as_json=as_json)
    if as_json:
        print_json(
            {"runId": run_id, "executionArn": execution.arn, "startedAt": execution.started_at}
        )
    return 0


def _find_solution_arns(target: Target, names: Sequence[str]) -> list[str]:
    """Turn solution names into ARNs. Keep unknown names, because the input check reports them."""
    arns = [solution["solutionArn"] for solution in target.settings["solutions"]]
    arn_by_name = {short_name(arn): arn for arn in arns}
    return [arn_by_name.get(name, name) for name in names]


def _check_request(target: Target, request: RunRequest) -> None:
    """Raise OperatorError before we start a run that would reject this input."""
    problems = find_input_problems(target.settings, build_placeholder_execution(request))
    if problems:
        raise OperatorError("\n".join(map(format_input_problem, problems)))


def _print_wait(target: Target, oldest_execution: Execution) -> None:
    """Print which run a new run would wait for, and the maximum wait."""
    max_wait = format_duration(compute_max_wait(target.settings).total_seconds())
    run_id = find_run_id(target, oldest_execution)
    print_message(
        f"{run_id} has been running since {format_time(oldest_execution.started_at)} UTC. "
        f"A new run waits until it has ended, and is SKIPPED if that takes over {max_wait}."
    )


def _start_execution(target: Target, run_id: str, request: RunRequest) -> Execution:
    """Start an execution whose name is the run ID, which is how the run's functions get the ID."""
    response = target.access.step_functions.start_execution(
        stateMachineArn=target.state_machine_arn, name=run_id, input=dumps(request)
    )

    return Execution(
        arn=response["executionArn"],
        status="RUNNING",
        started_at=response["startDate"],
        stopped_at=None,
    )
