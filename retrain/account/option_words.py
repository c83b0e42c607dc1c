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
"""Key of the input -> the option that sets it."""


def options_of(values: Mapping[str, object]) -> list[str]:
    """Return the options that set these keys of an input. Those without a value are left out."""
    options: list[str] = []
    for key, value in values.items():
        for word in value if isinstance(value, list) else [value]:
            options += [FLAGS[key]] if word is True else [FLAGS[key], str(word)] if word else []
    return options


def in_words_of_options(problem: InputProblem) -> str:
    """Return a problem with the option instead of the key, and with names instead of ARNs."""
    return f"{FLAGS[problem.key]}: {shorten_arns(problem.text)}"
