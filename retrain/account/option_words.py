"""Translates between the input of a run and the options of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.common.messages import shorten_arns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.run.execution_input import InputProblem

FLAGS = {
    "skipImport": "--skip-import",
    "force": "--force",
    "datasets": "--dataset",
    "solutions": "--solution",
    "exportDate": "--export-date",
}
"""Key of an input -> the option that sets it."""


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
