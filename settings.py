"""The stack's config, read into the pipeline's arguments; whatever is wrong is told all at once."""

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

from components.args import RetrainingPipelineArgs, camel_case
from components.rules import reading, stacks
from components.rules.pipeline import problems, regions, warnings
from components.rules.values import Problem, former_form, key_problem, one_holds_the_other

Hook: TypeAlias = Callable[[object, object], object]

_origin: Callable[[object], object] = get_origin

PROJECT = "personalize-retraining"
ENCRYPTED = (
    "encrypted; these settings are no secrets, and the state machine shows them: "
    "set it again with --plaintext"
)


class SettingsError(pulumi.RunError):
    """The config cannot be deployed; the text names every problem.

    The CLI prints a RunError without a traceback.
    """


def load() -> RetrainingPipelineArgs:
    """Read the config of the stack that is being deployed, and log what deserves a warning.

    Raises SettingsError.
    """
    project, config = pulumi.get_project(), CONFIG.get()
    secrets = [key for key in config if is_config_secret(key)]
    return parse_stack(
        project,
        pulumi.get_stack(),
        config,
        secrets=secrets,
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
    """Return the arguments that a stack's whole config means: `namespace:key` to text or JSON.

    `warn` is called with the text of each warning.

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
    found = [
        *stacks.problems(project, stack, config, regions(config_read.args)),
        *_with_project(project, all_problems(config_read, config.get("aws:region") or None, today)),
    ]
    _refuse_any(stack, found)
    if warn:
        judged = warnings(config_read.args, today=today) if today else []
        for warning in _with_project(project, [*config_read.warnings, *judged]):
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
    """Return the arguments that a project's config means; its keys are without the project's name.

    Numbers and booleans may be strings, as `pulumi config set` stores them. A whole number may
    stand where text is expected, as `pulumi config set --path` stores it. `region` is the stack's
    `aws:region`, where set. `secrets` are the keys whose values are encrypted. Without `today`, a
    cron whose years are over passes.

    Raises SettingsError: for all that could not be read, and all the rules of
    `components/rules/pipeline.py` that the rest breaks.
    """
    config_read = read_config(config, secrets)
    _refuse_any(stack, _with_project(project, all_problems(config_read, region, today)))
    return config_read.args


class ReadConfig(NamedTuple):
    """The arguments that a config means, what could not be read, and warnings about the rest."""

    args: RetrainingPipelineArgs
    unread: Sequence[Problem]
    warnings: Sequence[Problem]


def all_problems(config_read: ReadConfig, region: str | None, today: date | None) -> list[Problem]:
    """Return a problem for each setting that could not be read or that breaks a rule."""
    unread = config_read.unread
    broken = [
        rule
        for rule in problems(config_read.args, region=region, today=today)
        if not any(one_holds_the_other(rule.key, each.key) for each in unread)
    ]
    return [*unread, *broken]


def _with_project(project: str, found: Iterable[Problem]) -> list[Problem]:
    """Return the problems with the project's name before their keys."""
    return [each._replace(key=f"{project}:{each.key}") for each in found]


def _refuse_any(stack: str, found: Sequence[Problem]) -> None:
    if found:
        count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
        header = f"{count} in the configuration of stack {stack}:"
        lines = map(str, sorted(found, key=lambda problem: problem.key))
        raise SettingsError("\n  ".join([header, *lines]))


class _Refusal(NamedTuple):
    """What could not be read: where, why, and the type of what belongs there."""

    path: tuple[str | int, ...]
    error: Exception
    type: object

    def problem(self) -> Problem | None:
        """Return the problem to report. A missing key gives None, because a rule reports it."""
        if isinstance(self.error, KeyError):
            return None
        key = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in self.path)
        if isinstance(self.error, cattrs.ForbiddenExtraKeysError):
            return Problem(key[1:], None, key_problem(str(self.path[-1]), _keys(self.error.cl)))
        assert isinstance(self.error, reading.UnfitError), "the hooks below raise nothing else"
        if new_form := former_form(str(self.path[-1]), self.error.given):
            return Problem(key[1:], None, new_form)
        return Problem(key[1:], self.error.value, self.error.message)

    def mend(self, config: dict[str, object]) -> None:
        """Replace a whole number by its digits. Replace or remove any other value that is unfit."""
        *parents, last = self.path
        parent = cast("dict[str | int, object]", config)
        for each in parents:
            parent = cast("dict[str | int, object]", parent[each])
        if isinstance(self.error, reading.WholeNumberError):
            parent[last] = self.error.digits
        elif isinstance(self.error, KeyError) or isinstance(last, int):
            parent[last] = _empty(self.type)
        else:
            del parent[last]


def read_config(config: Mapping[str, object], secrets: Collection[str] = ()) -> ReadConfig:
    """Read a config, with the keys left out that are encrypted or cannot be read.

    An Output is accepted everywhere. The rules refuse it where a plain value is needed.
    """
    rest = {key: _copied(value) for key, value in config.items() if key not in secrets}
    unread = [Problem(key, None, ENCRYPTED) for key in secrets]
    numbers: list[Problem] = []
    while True:
        try:
            return ReadConfig(_converter().structure(rest, RetrainingPipelineArgs), unread, numbers)
        except cattrs.BaseValidationError as error:
            for refusal in _refusals(error, ()):
                is_number = isinstance(refusal.error, reading.WholeNumberError)
                if problem := refusal.problem():
                    (numbers if is_number else unread).append(problem)
                refusal.mend(rest)


def _refusals(error: cattrs.BaseValidationError, path: tuple[str | int, ...]) -> Iterator[_Refusal]:
    """Walk the tree of errors; the notes on each tell where it belongs."""
    for each in error.exceptions:
        at, type_ = path, None
        for note in getattr(each, "__notes__", ()):
            attribute = isinstance(note, cattrs.AttributeValidationNote)
            at, type_ = (*path, camel_case(note.name) if attribute else note.index), note.type
        if isinstance(each, cattrs.BaseValidationError):
            yield from _refusals(each, at)
        elif isinstance(each, cattrs.ForbiddenExtraKeysError):
            for key in each.extra_fields:
                yield _Refusal((*at, key), each, None)
        else:
            yield _Refusal(at, each, type_)


@cache
def _converter() -> cattrs.Converter:
    """Give the reader of these dataclasses: their fields are the only list of keys and defaults."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(bool, _or_output(reading.boolean))
    converter.register_structure_hook(int, _or_output(reading.whole))
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


def _or_output(read: Hook) -> Hook:
    """Return a reader that returns an Output as it is and passes every other value to `read`."""
    return lambda value, type_: value if isinstance(value, pulumi.Output) else read(value, type_)


def _union_reader(union: object, converter: cattrs.Converter) -> Hook:
    """Read `Input[str]` as str, and `X | None` as X, because a key that is given has a value."""
    member = get_args(union)[0]
    read: Hook = converter.get_structure_hook(member)
    return lambda value, _: read(value, member)


def _collection_reader(type_: object, converter: cattrs.Converter) -> Hook:
    """Read a list as a tuple and a mapping as a dict, but nothing else that has elements."""
    of = get_args(type_)
    shape, expected, alias = (
        (list, "a list", GenericAlias(tuple, (*of, ...)))
        if _origin(type_) is Sequence
        else (dict, "a mapping", GenericAlias(dict, of))
    )
    collection = cast("type", alias)
    read: Hook = converter.get_structure_hook(collection)
    return _or_output(lambda value, _: read(reading.only(shape, expected, value), collection))


def _dataclass_reader(cls: type, converter: cattrs.Converter) -> Hook:
    keys = {each.name: override(rename=camel_case(each.name)) for each in fields(cls)}
    read: Callable[[dict[str, object]], object] = make_dict_structure_fn(
        cls,
        converter,
        _cattrs_forbid_extra_keys=True,
        **keys,  # type: ignore[arg-type]  # the function's options are keywords, too
    )
    expected = f"a mapping with {', '.join(_keys(cls))}"
    return _or_output(lambda value, _: read(reading.only(dict, expected, value)))


def _copied(value: object) -> object:
    """Return a deep copy of a mapping or list. An Output in it is not copied."""
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def _empty(type_: object) -> object:
    if is_dataclass(type_):
        return {}
    return [] if _origin(type_) is Sequence else ""


def _keys(cls: type) -> list[str]:
    return [camel_case(each.name) for each in fields(cls)]


def _decoded(value: str) -> object:
    """Undo what Pulumi does to structured values: it hands them over as JSON."""
    with suppress(ValueError):
        if value.lstrip().startswith(("{", "[")):
            return json.loads(value)
    return value
