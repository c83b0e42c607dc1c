"""Writes a stack's file from its config, with the docstring of each key as a comment above it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from io import StringIO
from textwrap import TextWrapper
from typing import TYPE_CHECKING, Any, get_args

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
    from collections.abc import Iterable, Mapping

WIDTH = 100
INDENT = 2


def stack_text(
    project: str, home: Mapping[str, object], config: Mapping[str, Any], head: Iterable[str]
) -> str:
    """Return the text of a stack's file, which begins with the paragraphs of `head` as a comment.

    `home` has the keys of the AWS provider, and `config` those of the pipeline.
    """
    commented = _commented(RetrainingPipelineArgs, config, INDENT, set())
    document = CommentedMap(home)
    for key, value in commented.items():
        document[f"{project}:{key}"] = value
        document.ca.items[f"{project}:{key}"] = commented.ca.items[key]
    paragraphs = [*head, *_more_keys(RetrainingPipelineArgs, config)]
    document.yaml_set_start_comment(_comment(paragraphs, INDENT), indent=INDENT)
    yaml = YAML()
    yaml.width = 10 * WIDTH  # the only lines that are broken are comments
    yaml.indent(mapping=INDENT, sequence=2 * INDENT, offset=INDENT)
    text = StringIO()
    yaml.dump({"config": document}, text)
    return text.getvalue()


def _commented(
    cls: type,
    config: Mapping[str, Any],
    indent: int,
    described: set[type],
    *,
    is_item: bool = False,
) -> CommentedMap:
    """Return a part of the config for ruamel. A class has comments where it is used first.

    The first key of an item has none, because YAML would put it between the hyphen and the key.
    """
    is_new, docstrings = cls not in described, parse_attribute_docstrings(cls)
    described.add(cls)
    names = {to_camel_case(field.name): field for field in fields(cls)}
    document = CommentedMap()
    for number, (key, value) in enumerate(config.items()):
        child = _dataclass_in(names[key].type)
        paragraphs = [" ".join(docstrings[names[key].name].split())]
        if child and child not in described:
            first = next(iter(value), {}) if isinstance(value, list) else value
            paragraphs += _more_keys(child, first)
        nested = indent + INDENT
        if child and isinstance(value, list):
            nested += INDENT
            items = [_commented(child, item, nested, described, is_item=True) for item in value]
            document[key] = CommentedSeq(items)
        elif child:
            document[key] = _commented(child, value, nested, described)
        else:
            document[key] = _quoted(value) if cls is ProbeArgs else value
        if is_new and (number or not is_item):
            text = _comment(paragraphs, indent)
            document.yaml_set_comment_before_after_key(key, text, indent=indent)
    return document


def _quoted(value: object) -> object:
    """Return ids in quotes, because readers of YAML disagree about ids like `on` and `1e3`."""
    if isinstance(value, list):
        return [_quoted(item) for item in value]
    return DoubleQuotedScalarString(value) if isinstance(value, str) else value


def _more_keys(cls: type, config: Mapping[str, Any]) -> list[str]:
    """Return a sentence about the keys that a part of the config does not set, if there are any."""
    unused = [key for key in list_config_keys(cls) if key not in config]
    return [f"More keys: {', '.join(unused)}."] if unused else []


def _dataclass_in(type_: object) -> type | None:
    """Return the dataclass in the type of a field, for example of a sequence of solutions."""
    if isinstance(type_, type) and is_dataclass(type_):
        return type_
    return next(filter(None, map(_dataclass_in, get_args(type_))), None)


def _comment(paragraphs: Iterable[str], indent: int) -> str:
    """Return a comment with this indent, in lines that are short enough."""
    wrap = TextWrapper(
        WIDTH - indent - len("# "), break_long_words=False, break_on_hyphens=False
    ).fill
    return "\n".join(map(wrap, paragraphs))
