"""Writes lines of YAML in the form in which the Pulumi CLI writes a stack's file."""

from __future__ import annotations

import json
import re
import textwrap
from typing import NamedTuple

WIDTH = 100
PLAIN_SCALAR = re.compile(r"[A-Za-z][A-Za-z0-9_./:{}@+=-]*")
YAML_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
"""Words that YAML reads as something else than text."""


class Section(NamedTuple):
    """Some lines of the file, and notes about them for the person who reads it."""

    lines: list[str]
    notes: list[str]


def heading(text: str) -> list[str]:
    """Return the lines of a heading."""
    return ["  #", f"  # {text}"]


def comment(depth: int, text: str) -> list[str]:
    """Return the lines of a comment, indented by two spaces for each level of depth."""
    indent = f"{'  ' * depth}# "
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def scalar(text: str) -> str:
    """Return a text as a YAML value. It is in quotes if YAML would not read it as this text.

    A text in the quotes of JSON is also valid in YAML.
    """
    is_plain = PLAIN_SCALAR.fullmatch(text) and not text.endswith(":")
    if is_plain and text.lower() not in YAML_WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)
