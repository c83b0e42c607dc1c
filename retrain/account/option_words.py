"""Translates between the options of the command line and the input of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from functions.common import clock
from functions.common.messages import shorten_arns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.contract import RunRequest, StartedExecution
    from functions.run.execution_input import InputProblem

IMAGINED_ARN = "arn:aws:states:::execution:none:none"
"""The ARN of an execution that nobody has started. Neither the checks of an input nor planning
depend on it."""
FLAGS = {
    "skipImport": "--skip-import",
    "force": "--force",
    "datasets": "--dataset",
    "solutions": "--solution",
    "exportDate": "--export-date",
}
"""Key of an input -> the option that sets it."""


def build_request(**values: object) -> RunRequest:
    """Build the input of a run from the options that were given.

    An empty text is kept, because it's a mistake that should be named.
    """
    request = {key: value for key, value in values.items() if value or value == ""}
    return cast("RunRequest", request)


def imagine_execution(request: RunRequest) -> StartedExecution:
    """Build an execution that starts now, so that its input can be checked and planned."""
    return {
        "request": request,
        "executionArn": IMAGINED_ARN,
        "startedAt": clock.now().isoformat(),
    }


def options_of(request: Mapping[str, object]) -> list[str]:
    """List the options that set the keys of an input to their values. A flag is set by its name."""
    options: list[str] = []
    for key, value in request.items():
        options.append(FLAGS[key])
        if value is not True:
            options.append(str(value))
    return options


def in_words_of_options(problem: InputProblem) -> str:
    """Name the option instead of the key in a problem, and names instead of ARNs."""
    return f"{FLAGS[problem.key]}: {shorten_arns(problem.text)}"
