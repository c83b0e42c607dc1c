"""Writes a stack's file from its config, with the docstring of each key as a comment above it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from io import StringIO
from textwrap import TextWrapper
from typing import TYPE_CHECKING, Any, cast, get_args

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from components.args import (
    ProbeArgs,
    RetrainingPipelineArgs,
    list_config_keys,
    parse_attribute_docstrings,
    to_camel_case,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

WIDTH = 100
INDENT = 2


def format_stack_file(
    project: str,
    provider_config: Mapping[str, object],
    config: Mapping[str, Any],
    introduction: Iterable[str],
) -> str:
    """Format a stack's file, which begins with the paragraphs of the introduction as a comment."""
    commented = _add_comments(RetrainingPipelineArgs, config, INDENT, set())
    document = CommentedMap(provider_config)
    for key, value in commented.items():
        document[f"{project}:{key}"] = value
        document.ca.items[f"{project}:{key}"] = commented.ca.items[key]
    paragraphs = [*introduction, *_name_unused_keys(RetrainingPipelineArgs, config)]
    document.yaml_set_start_comment(_wrap_comment(paragraphs, INDENT), indent=INDENT)

    yaml = YAML()
    yaml.width = 10 * WIDTH  # the only lines that are broken are comments
    yaml.indent(mapping=INDENT, sequence=2 * INDENT, offset=INDENT)
    text = StringIO()
    yaml.dump({"config": document}, text)
    return text.getvalue()


def _add_comments(
    cls: type,
    config: Mapping[str, Any],
    indent: int,
    described: set[type],
    *,
    is_item: bool = False,
) -> CommentedMap:
    """Turn a part of the config into a document of ruamel, with a comment above each key.

    The second dataset has none, for example, because the first one says the same.
    """
    is_first_use = cls not in described
    described.add(cls)
    docstrings = parse_attribute_docstrings(cls)
    names = {to_camel_case(field.name): field for field in fields(cls)}

    document = CommentedMap()
    for number, (key, value) in enumerate(config.items()):
        field = names[key]
        paragraphs = [" ".join(docstrings[field.name].split())]
        nested_class = _find_dataclass(field.type)
        if nested_class and nested_class not in described:
            paragraphs += _name_unused_keys(nested_class, _take_first(value))

        if nested_class:
            document[key] = _nest(nested_class, value, indent + INDENT, described)
        elif cls is ProbeArgs:
            document[key] = _quote_ids(value)
        else:
            document[key] = value

        # YAML would put a comment on the first key of an item between the hyphen and the key.
        if is_first_use and (number or not is_item):
            comment = _wrap_comment(paragraphs, indent)
            document.yaml_set_comment_before_after_key(key, comment, indent=indent)
    return document


def _nest(cls: type, value: Any, indent: int, described: set[type]) -> object:  # noqa: ANN401  # JSON
    """Add comments to a mapping, or to each mapping of a list, which is indented further."""
    if not isinstance(value, list):
        return _add_comments(cls, value, indent, described)
    return CommentedSeq(
        [_add_comments(cls, item, indent + INDENT, described, is_item=True) for item in value]
    )


def _take_first(value: Any) -> Mapping[str, Any]:  # noqa: ANN401  # a mapping or a list of some
    """Take the mapping whose keys are described: the first one of a list."""
    if not isinstance(value, list):
        return cast("Mapping[str, Any]", value)
    return value[0] if value else {}


def _quote_ids(value: object) -> object:
    """Put ids in quotes, because readers of YAML disagree about ids like `on` and `1e3`."""
    if isinstance(value, list):
        return [_quote_ids(item) for item in value]
    if isinstance(value, str):
        return DoubleQuotedScalarString(value)
    return value


def _name_unused_keys(cls: type, config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence about the keys that a part of the config does not set, if there are any."""
    unused_keys = [key for key in list_config_keys(cls) if key not in config]
    if unused_keys:
        yield f"More keys: {', '.join(unused_keys)}."


def _find_dataclass(type_: object) -> type | None:
    """Find the dataclass in the type of a field, for example of a sequence of solutions."""
    if isinstance(type_, type) and is_dataclass(type_):
        return type_

    for argument in get_args(type_):
        dataclass = _find_dataclass(argument)
        if dataclass is not None:
            return dataclass
    return None


def _wrap_comment(paragraphs: Iterable[str], indent: int) -> str:
    """Break the paragraphs of a comment into lines that are short enough at this indent."""
    wrapper = TextWrapper(
        WIDTH - indent - len("# "), break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(map(wrapper.fill, paragraphs))
