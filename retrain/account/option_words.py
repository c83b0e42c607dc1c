"""Translates between the input of a run and the options of the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from functions.report.text import with_short_arns

if TYPE_CHECKING:
    from collections.abc import Mapping

FLAGS = {
    "skipImport": "--skip-import",
    "force": "--force",
    "datasets": "--dataset",
    "solutions": "--solution",
    "exportDate": "--export-date",
}
"""Key of the input -> the option that sets it."""
KEY = re.compile(r"^\w+(?=: )|\b(skipImport|exportDate)\b|\b\w+(?=(, \w+)* would have no effect)")
"""A key of the input in a message: at its beginning, in a list, or a word that is not English."""


def options_of(values: Mapping[str, object]) -> list[str]:
    """Return the options that set these keys of an input. Those without a value are left out."""
    options: list[str] = []
    for key, value in values.items():
        for word in value if isinstance(value, list) else [value]:
            options += [FLAGS[key]] if word is True else [FLAGS[key], str(word)] if word else []
    return options


def in_words_of_options(message: str) -> str:
    """Return a message about the input of a run with options and names, not keys and ARNs."""
    return KEY.sub(lambda key: FLAGS.get(key[0], key[0]), with_short_arns(message))
