"""Translates between command-line options and the execution input of a run."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, cast

from functions.common import clock
from functions.common.messages import shorten_arns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.contract import RunRequest, SolutionSettings, StartedExecution
    from functions.run.execution_input import InputProblem

PLACEHOLDER_ARN = "arn:aws:states:::execution:none:none"
"""The ARN of an execution that is never started. To check an input or plan a run, the ARN doesn't
matter."""
OPTION_NAMES = {
    "skipImport": "--skip-import",
    "force": "--force",
    "datasets": "--dataset",
    "solutions": "--solution",
    "exportDate": "--export-date",
}
"""Input key -> the command-line option that sets it."""


def build_request(**values: object) -> RunRequest:
    """Build the input of a run from option values, leaving out options that weren't given.

    An empty string is kept, because it was given, and because the input check should report it.
    """
    request = {key: value for key, value in values.items() if value or value == ""}
    return cast("RunRequest", request)


def build_placeholder_execution(request: RunRequest) -> StartedExecution:
    """Build a placeholder for an execution that starts now.

    With this placeholder, a command can check a run's input or plan the run without starting it.
    """
    return {
        "request": request,
        "executionArn": PLACEHOLDER_ARN,
        "startedAt": clock.now().isoformat(),
    }


def to_options(request: Mapping[str, object]) -> list[str]:
    """Turn the input of a run back into the command-line options that set it."""
    options: list[str] = []
    for key, value in request.items():
        options.append(OPTION_NAMES[key])
        # A flag such as --force takes no value.
        if value is not True:
            options.append(str(value))
    return options


def build_training_command(solution: SolutionSettings, pipeline_options: Sequence[str]) -> str:
    """Build the command that trains a solution again on its present data.

    If Personalize trains the solution, no run does, not even with `--force`.
    """
    if solution["trainedBy"] == "personalize":
        return f"aws personalize create-solution-version --solution-arn {solution['solutionArn']}"
    return shlex.join(["retrain", "start", "--skip-import", "--force", *pipeline_options])


def format_input_problem(problem: InputProblem) -> str:
    """Format an input problem for the operator, with the option's name and shortened ARNs."""
    return f"{OPTION_NAMES[problem.key]}: {shorten_arns(problem.text)}"
