"""Reads the config of a stack into the arguments of the pipeline, and reports all its problems."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from functools import cache
from types import GenericAlias, UnionType
from typing import Literal, NamedTuple, TypeAlias, Union, cast, get_args, get_origin

import cattrs
import pulumi
from cattrs.gen import make_dict_structure_fn, override
from pulumi.runtime.config import CONFIG, is_config_secret

from components import sizes
from components.args import RetrainingPipelineArgs, camel_case, config_keys, config_paths
from components.rules import reading, stacks
from components.rules.pipeline import problems, regions, warnings
from components.rules.values import Problem, keys_overlap, old_form_error, unknown_key_message

Reader: TypeAlias = Callable[[object, object], object]
"""Reads a value as a type. These are the hooks of cattrs."""

_origin: Callable[[object], object] = get_origin
"""`get_origin` for a value of any type. Its own annotation accepts only some types."""

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
    # The sizes can be computed only for arguments that keep all rules.
    return [*config_read.unread, *broken_rules] or sizes.problems(config_read.args)


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


class _UnreadValue(NamedTuple):
    """A value that could not be read."""

    path: tuple[str | int, ...]
    """The keys and indices that lead to the value, for example ("solutions", 0, "campaigns")."""
    error: Exception
    type: object
    """The type of the setting, or None for an unknown key."""

    def reported_problem(self) -> Problem | None:
        """Return the problem to report, or None for a missing key, which a rule reports."""
        if isinstance(self.error, KeyError):
            return None
        parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        key = "".join(parts).removeprefix(".")
        name = str(self.path[-1])
        if isinstance(self.error, cattrs.ForbiddenExtraKeysError):
            known_keys = config_keys(self.error.cl)
            return Problem(key, unknown_key_message(name, known_keys, config_paths()))
        assert isinstance(self.error, reading.WrongTypeError), "the readers raise no other error"
        if old_form := old_form_error(name, self.error.value):
            return Problem(key, old_form)
        return Problem(key, self.error.message, self.error.shown_value)

    def repair(self, config: dict[str, object]) -> None:
        """Change the config so that the value can be read or is gone.

        A whole number is replaced by its text. An empty value takes the place of a missing key, and
        of an element of a list. Any other value is removed with its key.
        """
        *parents, last = self.path
        container = cast("dict[str | int, object]", config)
        for part in parents:
            container = cast("dict[str | int, object]", container[part])
        if isinstance(self.error, reading.WholeNumberError):
            container[last] = self.error.digits
        elif isinstance(self.error, KeyError) or isinstance(last, int):
            container[last] = _empty_value(self.type)
        else:
            del container[last]


def read_config(config: Mapping[str, object], secrets: Collection[str] = ()) -> ReadConfig:
    """Read a config, and leave out the settings that are encrypted or cannot be read.

    An Output is accepted everywhere. The rules refuse it where a plain value is needed.
    """
    # cattrs raises one error for all values that it cannot read. They are repaired until it can
    # read the config, because a repair may show further values, for example missing keys.
    readable = {key: _copied(value) for key, value in config.items() if key not in secrets}
    unread = [Problem(key, ENCRYPTED) for key in secrets]
    warnings_read: list[Problem] = []
    while True:
        try:
            args = _converter().structure(readable, RetrainingPipelineArgs)
            return ReadConfig(args, unread, warnings_read)
        except cattrs.BaseValidationError as error:
            for unread_value in _unread_values(error, ()):
                problem = unread_value.reported_problem()
                if problem and isinstance(unread_value.error, reading.WholeNumberError):
                    warnings_read.append(problem)
                elif problem:
                    unread.append(problem)
                unread_value.repair(readable)


def _unread_values(
    error: cattrs.BaseValidationError, path: tuple[str | int, ...]
) -> Iterator[_UnreadValue]:
    """Yield the values that could not be read. `path` leads to the value of `error`."""
    for inner in error.exceptions:
        inner_path, type_ = path, None
        # The notes of cattrs say which field, element or key of the value the inner error is about.
        for note in getattr(inner, "__notes__", ()):
            is_field = isinstance(note, cattrs.AttributeValidationNote)
            inner_path = (*path, camel_case(note.name) if is_field else note.index)
            type_ = note.type
        if isinstance(inner, cattrs.BaseValidationError):
            yield from _unread_values(inner, inner_path)
        elif isinstance(inner, cattrs.ForbiddenExtraKeysError):
            for key in inner.extra_fields:
                yield _UnreadValue((*inner_path, key), inner, None)
        else:
            yield _UnreadValue(inner_path, inner, type_)


@cache
def _converter() -> cattrs.Converter:
    """Return the converter from a config to the dataclasses of the arguments.

    The fields of the dataclasses are the only list of the config's keys.
    """
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(bool, _or_output(reading.boolean))
    converter.register_structure_hook(int, _or_output(reading.whole_number))
    converter.register_structure_hook(float, _or_output(reading.number))
    text = _or_output(reading.text)
    converter.register_structure_hook(str, text)
    converter.register_structure_hook_func(lambda type_: _origin(type_) is Literal, text)
    converter.register_structure_hook_factory(
        lambda type_: _origin(type_) in (Union, UnionType), _union_reader
    )
    converter.register_structure_hook_factory(
        lambda type_: _origin(type_) in (Sequence, Mapping), _collection_reader
    )
    converter.register_structure_hook_factory(is_dataclass, _dataclass_reader)
    return converter


def _or_output(read: Reader) -> Reader:
    """Return a reader that returns an Output as it is and passes every other value to `read`."""
    return lambda value, type_: value if isinstance(value, pulumi.Output) else read(value, type_)


def _union_reader(union: object, converter: cattrs.Converter) -> Reader:
    """Return a reader that reads a value as the first type of a union.

    So `Input[str]` is read as str, and `X | None` as X. A key in the config always has a value.
    """
    member = get_args(union)[0]
    read: Reader = converter.get_structure_hook(member)
    return lambda value, _: read(value, member)


def _collection_reader(type_: object, converter: cattrs.Converter) -> Reader:
    """Return a reader that reads a list as a tuple, or a mapping as a dict."""
    element_types = get_args(type_)
    config_type, expected, target = (
        (list, "a list", GenericAlias(tuple, (*element_types, ...)))
        if _origin(type_) is Sequence
        else (dict, "a mapping", GenericAlias(dict, element_types))
    )
    target_type = cast("type", target)
    read: Reader = converter.get_structure_hook(target_type)
    return _or_output(
        lambda value, _: read(reading.value_of_type(config_type, expected, value), target_type)
    )


def _dataclass_reader(cls: type, converter: cattrs.Converter) -> Reader:
    """Return a reader that reads a mapping as this dataclass. Its keys are in camelCase."""
    keys = {field.name: override(rename=camel_case(field.name)) for field in fields(cls)}
    read: Callable[[dict[str, object]], object] = make_dict_structure_fn(
        cls,
        converter,
        _cattrs_forbid_extra_keys=True,
        **keys,  # type: ignore[arg-type]  # the options of the function are keywords, too
    )
    expected = f"a mapping with {', '.join(config_keys(cls))}"
    return _or_output(lambda value, _: read(reading.value_of_type(dict, expected, value)))


def _copied(value: object) -> object:
    """Return a deep copy of the mappings and lists. Outputs and other values are not copied."""
    if isinstance(value, dict):
        return {key: _copied(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_copied(element) for element in value]
    return value


def _empty_value(type_: object) -> object:
    """Return a value of a config that can be read as this type, and that the rules report."""
    if is_dataclass(type_):
        return {}
    return [] if _origin(type_) is Sequence else ""


def _decoded(value: str) -> object:
    """Return the list or mapping that Pulumi has stored as JSON. Return other text unchanged."""
    with suppress(ValueError):
        if value.lstrip().startswith(("{", "[")):
            return json.loads(value)
    return value
