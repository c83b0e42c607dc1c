"""Translates between the input of a run and the options of the command line."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.contract import Request, Settings

FLAGS = {
    "skipImport": "--skip-import",
    "force": "--force",
    "datasets": "--dataset",
    "solutions": "--solution",
    "exportDate": "--export-date",
}
"""Key of the input -> the option that sets it."""
NAMED_KEY = re.compile(r"\b(skipImport|exportDate)\b")
"""The words that are keys of the input in a message, and not English or keys of the config."""
LISTED_KEYS = re.compile(r"(?<=, so )[\w, ]+(?= would have no effect)")
UNKNOWN_SOLUTION = re.compile(r'solutions: "(?P<value>.*)" is unknown; (?P<hint>.*)')
SOLUTION_ARN = re.compile(r'"arn:[^"]+:solution/([^"/]+)"')
LEAST_SIMILARITY = 0.4
"""`movie` is as similar to `movies-for-you` as 0.5, in the terms of `get_close_matches`."""


def with_solution_arns(settings: Settings, request: Request) -> Request:
    """Return the input with the ARN of each solution that it names by its name."""
    if "solutions" not in request:
        return request
    arns = {
        solution["solutionArn"].rpartition("/")[2]: solution["solutionArn"]
        for solution in settings["solutions"]
    }
    return {**request, "solutions": [arns.get(name, name) for name in request["solutions"]]}


def options_of(values: Mapping[str, object]) -> list[str]:
    """Return the options that set these keys of an input. Those without a value are left out."""
    options: list[str] = []
    for key, value in values.items():
        for word in value if isinstance(value, list) else [value]:
            options += [FLAGS[key]] if word is True else [FLAGS[key], str(word)] if word else []
    return options


def in_words_of_options(message: str) -> str:
    """Return a message about the input of a run with options instead of keys."""
    if unknown := UNKNOWN_SOLUTION.fullmatch(message):
        return _unknown_solution(unknown["value"], SOLUTION_ARN.findall(unknown["hint"]))
    key, colon, rest = message.partition(": ")
    text = f"{FLAGS.get(key, key)}{colon}{rest}"
    text = LISTED_KEYS.sub(lambda found: ", ".join(map(_flag, found[0].split(", "))), text)
    return NAMED_KEY.sub(lambda found: _flag(found[0]), text)


def _unknown_solution(value: str, names: list[str]) -> str:
    """Return a message about a solution that is not among the solutions with these names."""
    nearest = get_close_matches(value.rpartition("/")[2], names, n=1, cutoff=LEAST_SIMILARITY)
    hint = f'did you mean "{nearest[0]}"?' if nearest else f"name one of {', '.join(names)}"
    return f'--solution: "{value}" is unknown; {hint}'


def _flag(words: str) -> str:
    """Return the option of a key, or the words if no option sets it."""
    return FLAGS.get(words, words)
