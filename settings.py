"""Reads the config of a stack into the arguments of the pipeline, and reports all its problems."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret

from components.args import RetrainingPipelineArgs
from components.rules import stacks
from components.rules.fields import Problem
from components.rules.pipeline import check

PROJECT = "personalize-retraining"


class SettingsError(pulumi.RunError):
    """The config has problems, which the message lists.

    The CLI shows the message of a RunError without a stack trace.
    """


def load() -> RetrainingPipelineArgs:
    """Read the config of the stack that is being deployed, and log the warnings about it.

    Raises SettingsError.
    """
    config = CONFIG.get()
    return parse_stack(
        pulumi.get_project(),
        pulumi.get_stack(),
        config,
        secrets=[key for key in config if is_config_secret(key)],
        warn=pulumi.log.warn,
    )


def parse_stack(
    project: str,
    stack: str,
    config: Mapping[str, str],
    *,
    secrets: Collection[str] = (),
    warn: Callable[[str], object] | None = None,
) -> RetrainingPipelineArgs:
    """Return the arguments for the whole config of a stack.

    `config` has keys like `namespace:key`, and its values are text or JSON. `secrets` are the keys
    whose values are encrypted. `warn` is called with each warning, if there is no problem.

    Raises SettingsError with a message for each setting that cannot be read, or that breaks a rule.
    """
    prefix = f"{project}:"
    checked = check(
        {
            key.removeprefix(prefix): _decoded(value)
            for key, value in config.items()
            if key.startswith(prefix)
        },
        region=config.get("aws:region") or None,
        secrets=[key.removeprefix(prefix) for key in secrets if key.startswith(prefix)],
    )
    problems = [
        *stacks.problems(project, stack, config, checked.regions),
        *_with_project(project, checked.problems),
    ]
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        header = f"{count} in the configuration of stack {stack}:"
        lines = map(str, sorted(problems, key=lambda problem: problem.key))
        raise SettingsError("\n  ".join([header, *lines]))
    if warn:
        for warning in _with_project(project, checked.warnings):
            warn(str(warning))
    return checked.args


def _with_project(project: str, config_problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems with the name of the project in front of their keys."""
    return [problem._replace(key=f"{project}:{problem.key}") for problem in config_problems]


def _decoded(value: str) -> object:
    """Return the list or mapping that Pulumi has stored as JSON. Return other text unchanged."""
    with suppress(ValueError, RecursionError):
        if value.lstrip().startswith(("{", "[")):
            return json.loads(value)
    return value
