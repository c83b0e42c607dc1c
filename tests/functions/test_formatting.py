"""Tests of the words for times, durations, sizes and metrics."""

import json
from datetime import datetime

import pytest

from functions.common import formatting


def test_golden_words_for_values(golden):
    """A question is the name of a function, and its argument in JSON."""

    def answer(line):
        name, _, text = line.partition(" ")
        value = json.loads(text)
        if name == "format_time":
            value = datetime.fromisoformat(value)

        return getattr(formatting, name)(value)

    golden.answers("words.txt", answer)


@pytest.mark.parametrize("count, text", [(0, "0 runs"), (1, "1 run"), (2, "2 runs")])
def test_a_count_has_its_noun(count, text):
    assert formatting.format_count(count, "run") == text
