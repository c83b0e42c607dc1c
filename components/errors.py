"""The error for invalid arguments."""

from collections.abc import Iterable

import pulumi

from .rules.single_settings import format_problems


class InvalidPipelineError(pulumi.RunError):
    """The component's arguments are invalid. The message lists all problems.

    It's a RunError, so the Pulumi CLI shows it without a stack trace.
    """


def raise_if_any_problem(problems: Iterable[object], name: str) -> None:
    """Raise InvalidPipelineError with all of a pipeline's problems, if it has any."""
    found_problems = list(problems)
    if found_problems:
        raise InvalidPipelineError(
            format_problems(found_problems, place=f"the retraining pipeline {name!r}")
        )
