"""Compares results with golden files, and rewrites the files.

    python -m tests.golden [folder or file ...]

A golden file is in a folder `golden` beside its test. A file with questions has each at the margin,
and the answer is indented below it. The command rewrites each golden file of the
folders, by default of all folders. The diff of the files is then the review.
"""

import difflib
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parent
UPDATE = "--update-golden"


def check(file, text, *, update):
    """Compare a text with a golden file, or write it into the file."""
    if update:
        file.write_text(text)
    expected = file.read_text()
    diff = difflib.unified_diff(expected.splitlines(), text.splitlines(), lineterm="", n=1)
    if text != expected:
        changes = "\n".join([*diff][2:])
        message = f"{file.relative_to(TESTS)} differs; if it should, run python -m tests.golden:\n"
        pytest.fail(message + changes, pytrace=False)


class Golden(NamedTuple):
    """The golden files of a test."""

    folder: Path
    update: bool

    def __call__(self, name, text):
        """Compare a text with the golden file of this name."""
        check(self.folder / name, text, update=self.update)

    def answers(self, name, answer, width=999, begin=None):
        """Compare the answers to the questions in a golden file.

        `answer` returns a text, or a list of texts, for a line at the margin. Longer texts than
        `width` are wrapped. A line with # has no answer, but `begin` gets it, if there is one.
        """
        lines = []
        for line in (self.folder / name).read_text().splitlines():
            if line.startswith(" "):
                continue
            lines.append(line)
            if line.startswith("#") and begin:
                begin(line)
            answers = answer(line) if line and not line.startswith("#") else []
            for text in [answers] if isinstance(answers, str) else answers:
                indents = {"initial_indent": " " * 4, "subsequent_indent": " " * 8}
                lines += textwrap.wrap(text, width, **indents)
        self(name, "\n".join([*lines, ""]))


@pytest.fixture
def golden(request):
    """Return the golden files beside the test."""
    assert "golden" in request.node.name, "the command finds the tests by this word"
    return Golden(request.path.parent / "golden", request.config.getoption(UPDATE))


def pytest_addoption(parser):
    """Add the option that rewrites golden files."""
    parser.addoption(UPDATE, action="store_true", help="rewrite the golden files")


def main(arguments):
    """Rewrite golden files by running the tests that use them, and return the exit code."""
    folders = arguments or sorted({str(path.parent) for path in TESTS.rglob("golden")})
    return pytest.main([UPDATE, "-q", "-k", "golden", *folders])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
