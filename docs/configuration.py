"""Prints the page of the config's keys, which are the fields of the pipeline's arguments.

Use: `python -m docs.configuration > docs/configuration.md`.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import NamedTuple, get_args, get_origin

from components.args import (
    DatasetArgs,
    DatasetsArgs,
    RetrainingPipelineArgs,
    parse_attribute_docstrings,
    to_camel_case,
    to_config,
)
from components.rules.single_settings import ElementCount, NumberRange

PAGE = """\
# Configuration

This page is generated from `components/args.py`:
`python -m docs.configuration > docs/configuration.md`.

These are the keys of a stack's config. Write them into `Pulumi.<stack>.yaml`, or use
`pulumi config set --path`. `[]` stands for each element of a list, and `*` for each of the five
datasets. [Pulumi.dev.yaml](../Pulumi.dev.yaml) is a sample with comments.

| key | default | meaning |
| --- | --- | --- |
{rows}

`aws:region` is required and has to be the region of the ARNs. A mistake is reported like this:

    1 problem in the configuration of stack dev:
      personalize-retraining:retrainigRate: unknown; did you mean retrainingRate?
"""


class Row(NamedTuple):
    """A key of the config."""

    key: str
    default: str
    meaning: str


def page() -> str:
    """Return the whole page."""
    lines = [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in rows()]
    return PAGE.format(rows="\n".join(lines))


def rows(cls: type = RetrainingPipelineArgs, prefix: str = "") -> Iterator[Row]:
    """Yield a row for each field of a dataclass and of the dataclasses inside it.

    `prefix` is the beginning of the keys, for example `solutions[].`.
    """
    meanings = parse_attribute_docstrings(cls)
    for field in fields(cls):
        key = f"{prefix}{to_camel_case(field.name)}"
        nested = next(filter(is_dataclass, _types(field.type)), None)
        # A group of keys with defaults, as `limits`, has no row. Only its keys have rows.
        if nested is None or field.default_factory is MISSING:
            meaning = " ".join([meanings[field.name], *_range(field)])
            yield Row(key, _default(field), " ".join(meaning.split()))
        # The five datasets have the same keys.
        if isinstance(nested, type) and nested is not DatasetArgs:
            yield from rows(nested, f"{key}[]." if _has_elements(field) else f"{key}.")
    if cls is DatasetsArgs:
        yield from rows(DatasetArgs, f"{prefix}*.")


def _types(type_: object) -> list[object]:
    """Return a type and all types inside it, for example the elements of a sequence."""
    return [type_, *(inner for argument in get_args(type_) for inner in _types(argument))]


def _has_elements(field: Field[object]) -> bool:
    return any(get_origin(type_) is Sequence for type_ in _types(field.type))


def _range(field: Field[object]) -> Iterator[str]:
    """Yield a sentence about the numbers that a field allows, if a rule limits them."""
    for rule in getattr(field.type, "__metadata__", ()):
        if isinstance(rule, NumberRange | ElementCount):
            yield f"Allowed: {rule}."


def _default(field: Field[object]) -> str:
    """Return the default of a field as YAML, or `required` or `none`."""
    value = field.default if field.default_factory is MISSING else field.default_factory()
    if value is MISSING:
        return "required"
    if value is None or value in ((), {}):
        return "none"
    return f"`{_yaml(to_config(value))}`"


def _yaml(value: object) -> str:
    """Return a default as YAML in one line. Fields of a dataclass without a value are left out."""
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, dict):
        pairs = [f"{key}: {_yaml(item)}" for key, item in value.items() if item is not None]
        return f"{{{', '.join(pairs)}}}"
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.stdout.write(page())
