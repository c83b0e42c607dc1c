"""Proves that the address of the repository and the version stand in one place, pyproject.toml.

Pages, the schema and the metadata have copies. `make address` writes those of the address.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.address import EXAMPLE, FILES, read_address
from tests.package.plugin import ROOT
from tests.package.test_schema import PROJECT
from tests.pages import tracked_files

COPY = re.compile(
    r"""(?:git\ clone\ https:// | git\+https:// | git:// | package\ add\  | retraining:\ (?=\S+/)
        | (?:Homepage|Repository|Documentation|Changelog|Issues)\ =\ "https://
        | "(?:homepage|repository)":\ "https:// | GUIDE_PAGES\ =\ "https:// | Guide:\ https://)
    (?P<address>[\w.-]+\.[a-z]+(?:/[\w.-]+?)+?)
    (?:\.git/package|/tree/\S+|/blob/\S+|/issues)?
    (?:@(?P<version>[^\s'"]+))?
    (?=[\s'"])""",
    re.VERBOSE,
)
"""What stands before and behind an address of this repository, wherever somebody needs one."""
OTHER = "https://github.com/movies-org/group/re.trainer"


@pytest.fixture
def checkout(tmp_path):
    """Return a copy of the files that contain the address."""
    for name in ("Makefile", *FILES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "docs" / "address.py", tmp_path / "docs")
    return tmp_path


def copies():
    """Yield the file, the address and the version of each copy in the files of the repository."""
    for name in tracked_files():
        text = (ROOT / name).read_text(errors="replace")
        for match in COPY.finditer(text):
            yield name, match["address"], match["version"]


def make_address(checkout, *variables):
    """Run `make address` in a checkout, with this Python. Return the exit code and the lines."""
    bin_folder = f"BIN={Path(sys.executable).parent}"
    # Without the settings of a `make` that runs the tests.
    env = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "URL"))}
    result = subprocess.run(  # noqa: S603
        ["make", "--old-file", ".venv/.requirements", bin_folder, "address", *variables],  # noqa: S607
        cwd=checkout,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (result.stdout + result.stderr).splitlines()
    return result.returncode, [line for line in lines if not line.startswith("make: ")]


def test_every_copy_is_the_address_and_the_version_of_the_project():
    found = list(copies())
    bare = read_address().removeprefix("https://")
    assert {name for name, _, _ in found} == set(FILES), "name the file in docs/address.py"
    assert {address for _, address, _ in found} == {bare}
    assert {version for _, _, version in found} == {None, f"v{PROJECT['version']}"}


def test_make_address_sets_every_copy(checkout):
    old = read_address().removeprefix("https://")
    printed = [
        "the address now stands in:",
        *(f"  {name}" for name in FILES),
        "`make pictures` draws the message that links to it",
    ]
    assert make_address(checkout, f"URL={OTHER}") == (0, printed)
    for name in FILES:
        expected = (ROOT / name).read_text().replace(old, OTHER.removeprefix("https://"))
        assert (checkout / name).read_text() == expected != (ROOT / name).read_text()

    assert make_address(checkout, f"URL=https://{old}") == (0, printed)
    for name in FILES:
        assert (checkout / name).read_text() == (ROOT / name).read_text()


def test_a_clone_is_in_the_folder_to_which_the_next_line_changes(checkout):
    make_address(checkout, f"URL={OTHER}")
    readme = (checkout / "README.md").read_text()
    clone, change = re.findall(r"^    (?:git clone|cd) .*", readme, re.MULTILINE)
    _, _, address, folder, *_ = clone.split()
    assert (address, change) == (OTHER, f"    cd {folder}")


@pytest.mark.parametrize(
    "address, suggested",
    [
        (f"{OTHER}/", OTHER),
        (f"{OTHER}.git", OTHER),
        (f"{OTHER}/tree/main", OTHER),
        (f"{OTHER}/blob/main/README.md", OTHER),
        (f"{OTHER}/-/issues", OTHER),
        ("git@github.com:movies-org/retrainer.git", "https://github.com/movies-org/retrainer"),
        ("ssh://git@github.com/movies-org/retrainer", "https://github.com/movies-org/retrainer"),
        ("github.com/movies-org/retrainer", "https://github.com/movies-org/retrainer"),
        ("ssh://git@github.com:22/movies-org/retrainer", EXAMPLE),
        ("https://github.com/movies-org", EXAMPLE),
        ("https://github.com", EXAMPLE),
        (f"{OTHER} s", EXAMPLE),
        (f"{OTHER};touch hacked", EXAMPLE),
    ],
)
def test_what_is_no_address_of_a_repository_is_refused(checkout, address, suggested):
    assert make_address(checkout, f"URL={address}") == (
        2,
        [
            f"{address!r} is no address like https://github.com/OWNER/NAME",
            f"Use: make address URL={suggested}",
        ],
    )
    assert (checkout / "README.md").read_text() == (ROOT / "README.md").read_text()
    assert not (checkout / "hacked").exists()


def test_make_address_needs_an_address(checkout):
    usage = f"Use: make address URL={EXAMPLE}"
    assert make_address(checkout) == (2, ["the address is missing", usage])
