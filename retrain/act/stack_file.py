"""Formats a stack file, with each setting's docstring as a comment above it."""

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
    from collections.abc import Iterable, Iterator, Mapping

MAX_LINE_LENGTH = 100
INDENT = 2


def format_stack_file(
    project: str,
    provider_config: Mapping[str, object],
    config: Mapping[str, Any],
    introduction: Iterable[str],
) -> str:
    """Format a stack file with comments that explain its settings.

    The paragraphs of `introduction` become the comment at the top.
    """
    # Only ruamel's own collections can have comments, so dump and reload the config to get them.
    settings: CommentedMap = YAML().load(_dump(config))
    _add_comments(RetrainingPipelineArgs, settings, INDENT, set())

    document = CommentedMap(provider_config)
    _copy_settings(settings, document, namespace=project)
    paragraphs = [*introduction, *_mention_unused_keys(RetrainingPipelineArgs, config)]
    document.yaml_set_start_comment(_wrap(paragraphs, INDENT), indent=INDENT)
    return _dump({"config": document})


def _copy_settings(settings: CommentedMap, document: CommentedMap, *, namespace: str) -> None:
    """Copy settings with their comments into a document, and prefix their keys with a namespace."""
    for key, value in settings.items():
        pulumi_key = f"{namespace}:{key}"
        document[pulumi_key] = value
        # ruamel stores comments by key, so the prefixed key needs its comment, too.
        document.ca.items[pulumi_key] = settings.ca.items[key]


def _dump(document: Mapping[str, Any]) -> str:
    """Dump a document as YAML, without wrapping any values."""
    yaml = YAML()
    yaml.width = 10 * MAX_LINE_LENGTH
    yaml.indent(mapping=INDENT, sequence=2 * INDENT, offset=INDENT)

    text = StringIO()
    yaml.dump(document, text)
    return text.getvalue()


def _add_comments(cls: type, settings: CommentedMap, indent: int, explained: set[type]) -> None:
    """Add each setting's docstring as a comment above it, including nested settings.

    Nobody wants to read the same comments for each of ten campaigns, so we explain a dataclass only
    where it first occurs, and add it to `explained`.
    """
    is_first_use = cls not in explained
    explained.add(cls)
    docstrings = parse_attribute_docstrings(cls)
    if cls is ProbeArgs:
        _quote_ids(settings)

    for field in fields(cls):
        key = to_camel_case(field.name)
        if key not in settings:
            continue

        nested_cls = _find_dataclass(field.type)
        if is_first_use:
            paragraphs = [" ".join(docstrings[field.name].split())]
            if nested_cls is not None and nested_cls not in explained:
                paragraphs += _mention_unused_keys(nested_cls, settings[key])
            comment = _wrap(paragraphs, indent)
            settings.yaml_set_comment_before_after_key(key, comment, indent=indent)

        # Descend even if `cls` is already explained, because its first occurrence may have lacked
        # a nested setting, such as a campaign's probe.
        if nested_cls is not None:
            _add_nested_comments(nested_cls, settings[key], indent + INDENT, explained)


def _add_nested_comments(
    cls: type, value: CommentedMap | CommentedSeq, indent: int, explained: set[type]
) -> None:
    """Add comments to a nested mapping, or to each mapping in a nested list."""
    if isinstance(value, CommentedMap):
        _add_comments(cls, value, indent, explained)
        return

    for item in value:
        _add_comments(cls, item, indent + INDENT, explained)
        # The first key is on the same line as the hyphen, so ruamel would put the comment between
        # the hyphen and the key.
        item.ca.items.pop(next(iter(item)), None)


def _quote_ids(probe: CommentedMap) -> None:
    """Quote the IDs in a probe, because some YAML parsers read an ID such as `on` as a boolean."""
    for key, value in probe.items():
        if isinstance(value, list):
            probe[key] = [DoubleQuotedScalarString(item_id) for item_id in value]
        else:
            probe[key] = DoubleQuotedScalarString(value)


def _mention_unused_keys(cls: type, value: Any) -> Iterator[str]:  # noqa: ANN401  # YAML
    """Yield a sentence that lists the unused keys of a mapping, or of a list's first mapping."""
    if isinstance(value, list):
        value = next(iter(value), {})

    unused_keys = [key for key in list_config_keys(cls) if key not in value]
    if unused_keys:
        yield f"More keys: {', '.join(unused_keys)}."


def _find_dataclass(annotation: object) -> type | None:
    """Find the dataclass in a field's type, for example SolutionArgs in Sequence[SolutionArgs]."""
    if isinstance(annotation, type) and is_dataclass(annotation):
        return annotation

    for argument in get_args(annotation):
        dataclass = _find_dataclass(argument)
        if dataclass is not None:
            return dataclass
    return None


def _wrap(paragraphs: Iterable[str], indent: int) -> str:
    """Wrap the paragraphs of a comment, so that the lines fit after the indent and the `# `."""
    width = MAX_LINE_LENGTH - indent - len("# ")
    wrapper = TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(map(wrapper.fill, paragraphs))
