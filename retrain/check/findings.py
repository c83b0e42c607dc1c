"""Defines the findings that checks yield."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from functions.common.messages import add_pipeline_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.common.messages import Message

MAX_SHOWN_TEXTS = 3
Level: TypeAlias = Literal["ok", "warn", "missing"]
"""Only `missing` makes `doctor` exit with a non-zero exit code."""


class Finding(NamedTuple):
    """A result of a check, which `doctor` prints as one line."""

    level: Level
    text: str
    command: str | None = None
    """A shell command that repairs the problem, if there is one."""


def build_finding(level: Level, message: Message, pipeline_options: Sequence[str]) -> Finding:
    """Turn a message from the pipeline's functions into a finding.

    The functions don't know which command-line options select the pipeline, so we add these options
    to the command in the message.
    """
    command = message.get("command")
    if command is not None:
        command = add_pipeline_options(command, pipeline_options)
    return Finding(level, message["text"], command)


def shorten_list(texts: Sequence[str]) -> list[str]:
    """Keep the first texts, and replace the others by a count, such as `5 more`, to save space."""
    shown = list(texts[:MAX_SHOWN_TEXTS])
    hidden_count = len(texts) - len(shown)
    if hidden_count:
        shown.append(f"{hidden_count} more")
    return shown
