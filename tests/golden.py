"""Compares results with golden files, and rewrites the files.

    python -m tests.golden [folder or file ...]

A golden file is in a folder `golden` beside its test. The command rewrites each golden file of the
folders, by default of all folders. The diff of the files is then the review.
"""

import difflib
import sys
from pathlib import Path

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


@pytest.fixture
def golden(request):
    """Return a function that compares a text with the golden file of this name."""
    assert "golden" in request.node.name, "the command finds the tests by this word"
    folder = request.path.parent / "golden"
    update = request.config.getoption(UPDATE)
    return lambda name, text: check(folder / name, text, update=update)


def pytest_addoption(parser):
    """Add the option that rewrites golden files."""
    parser.addoption(UPDATE, action="store_true", help="rewrite the golden files")


def main(arguments):
    """Rewrite golden files by running the tests that use them, and return the exit code."""
    folders = arguments or sorted({str(path.parent) for path in TESTS.rglob("golden")})
    return pytest.main([UPDATE, "-q", "-k", "golden", *folders])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
