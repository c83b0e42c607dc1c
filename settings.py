"""Reads the config of a stack into the arguments of the pipeline, and reports all its problems."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import NamedTuple

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret

from components.args import RetrainingPipelineArgs
from components.rules import stacks
from components.rules.pipeline import problems, regions, warnings
from components.rules.reading import Reader
from components.rules.values import Problem, keys_overlap

PROJECT = "personalize-retraining"
ENCRYPTED = (
    "is encrypted, but the state machine shows this setting to everyone who may read it; "
    "set it again with pulumi config set --plaintext -s <stack>"
)


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
        today=datetime.now(tz=UTC).date(),
        warn=pulumi.log.warn,
    )


def parse_stack(
    project: str,
    stack: str,
    config: Mapping[str, str],
    *,
    secrets: Collection[str] = (),
    today: date | None = None,
    warn: Callable[[str], object] | None = None,
) -> RetrainingPipelineArgs:
    """Return the arguments for the whole config of a stack.

    `config` has keys like `namespace:key`, and its values are text or JSON. `secrets` are the keys
    whose values are encrypted. `warn` is called with the text of each warning, if there is no
    problem.

    Raises SettingsError.
    """
    prefix = f"{project}:"
    config_read = read_config(
        {
            key.removeprefix(prefix): _decoded(value)
            for key, value in config.items()
            if key.startswith(prefix)
        },
        [key.removeprefix(prefix) for key in secrets if key.startswith(prefix)],
    )
    setting_problems = all_problems(config_read, config.get("aws:region") or None, today)
    _raise_if_any_problem(
        stack,
        [
            *stacks.problems(project, stack, config, regions(config_read.args)),
            *_with_project(project, setting_problems),
        ],
    )
    if warn:
        rule_warnings = warnings(config_read.args, today=today) if today else []
        for warning in _with_project(project, [*config_read.warnings, *rule_warnings]):
            warn(str(warning))
    return config_read.args


def parse(
    config: Mapping[str, object],
    *,
    project: str = PROJECT,
    stack: str = "dev",
    region: str | None = None,
    secrets: Collection[str] = (),
    today: date | None = None,
) -> RetrainingPipelineArgs:
    """Return the arguments for the config of a project, whose keys have no namespace.

    Numbers and booleans may be strings, as `pulumi config set` stores them. A whole number may
    stand where text is expected, as `pulumi config set --path` stores it. `region` is the
    `aws:region` of the stack, and `secrets` are the keys whose values are encrypted. Without
    `today`, a cron whose years are in the past is no problem.

    Raises SettingsError with a message for each setting that cannot be read, or that breaks a rule
    in `components/rules/pipeline.py`.
    """
    config_read = read_config(config, secrets)
    _raise_if_any_problem(stack, _with_project(project, all_problems(config_read, region, today)))
    return config_read.args


class ReadConfig(NamedTuple):
    """The arguments for a config, with the problems and warnings from reading it."""

    args: RetrainingPipelineArgs
    """The arguments without the settings that could not be read."""
    unread: Sequence[Problem]
    """A problem for each setting that could not be read."""
    warnings: Sequence[Problem]
    """A warning for each whole number that was read as text."""


def all_problems(config_read: ReadConfig, region: str | None, today: date | None) -> list[Problem]:
    """Return a problem for each setting that could not be read or that breaks a rule."""
    unread_keys = [problem.key for problem in config_read.unread]
    # The rules see an unread setting as missing or empty, so their problems about it are left out.
    broken_rules = [
        problem
        for problem in problems(config_read.args, region=region, today=today)
        if not any(keys_overlap(problem.key, key) for key in unread_keys)
    ]
    return [*config_read.unread, *broken_rules]


def _with_project(project: str, config_problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems with the name of the project in front of their keys."""
    return [problem._replace(key=f"{project}:{problem.key}") for problem in config_problems]


def _raise_if_any_problem(stack: str, config_problems: Sequence[Problem]) -> None:
    """Raise SettingsError with all problems in the order of their keys, if there are any."""
    if config_problems:
        count = "1 problem" if len(config_problems) == 1 else f"{len(config_problems)} problems"
        header = f"{count} in the configuration of stack {stack}:"
        lines = map(str, sorted(config_problems, key=lambda problem: problem.key))
        raise SettingsError("\n  ".join([header, *lines]))


def read_config(config: Mapping[str, object], secrets: Collection[str] = ()) -> ReadConfig:
    """Read a config, and leave out the settings that are encrypted or cannot be read."""
    reader = Reader(unread=[Problem(key, ENCRYPTED) for key in secrets])
    readable = {key: value for key, value in config.items() if key not in secrets}
    args = reader.read(RetrainingPipelineArgs, readable, "")
    return ReadConfig(args, reader.unread, reader.warnings)


def _decoded(value: str) -> object:
    """Return the list or mapping that Pulumi has stored as JSON. Return other text unchanged."""
    with suppress(ValueError, RecursionError):
        if value.lstrip().startswith(("{", "[")):
            return json.loads(value)
    return value
