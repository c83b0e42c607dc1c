"""Proves that the pictures show what the program prints today: `make pictures` draws them again.

Two rehearsals differ in ids, times and durations, so only the sentences of a screen are compared.
"""

import re

import pytest

from docs.pictures import message
from docs.pictures.themes import THEMES
from tests.program.sample_stack import ROOT

FOLDER = ROOT / "docs" / "pictures"
SCREENS = ("demo", "doctor", "watch")
PICTURES = [
    FOLDER / f"{name}-{theme.name}.svg"
    for name in (*SCREENS, "dashboard", "message")
    for theme in THEMES
]
MAX_BYTES = 100_000
SENTENCE_PART = re.compile(r"(?<![\w/:.-])[A-Za-z]+(?: [a-z]+){2,}(?![\w/:-])")
"""Three words or more without a name, a number or a punctuation mark between them."""
SEAM = re.compile(r'"\s*f?"')
"""Where one string literal ends and the next one continues it."""


@pytest.mark.parametrize("name", SCREENS)
def test_a_picture_of_a_terminal_has_only_sentences_of_the_program(name):
    files = [path for room in ("functions", "retrain") for path in (ROOT / room).rglob("*.py")]
    source = SEAM.sub("", "\n".join(path.read_text() for path in files))
    # A sentence with a placeholder in it stands as a whole only in a file of expected output.
    expected = [path.read_text() for path in (ROOT / "tests" / "retrain").rglob("golden/*.txt")]
    source += " ".join(" ".join(expected).split())
    cells = re.split(r"\n|\s{2,}", (FOLDER / f"{name}.txt").read_text())
    parts = [part for cell in cells for part in SENTENCE_PART.findall(cell)]
    assert parts, "there is something to compare"
    assert [part for part in parts if part not in source] == [], "run: make pictures"


def test_the_message_in_its_picture_is_the_one_that_is_sent():
    assert (FOLDER / "message.txt").read_text() == message.read_text(), "run: make pictures"


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_small_and_loads_nothing(picture):
    svg = picture.read_text()
    assert len(svg.encode()) < MAX_BYTES
    assert re.findall(r"(?:href|src)=\"(?!#)|url\((?!#)|@import", svg) == []
