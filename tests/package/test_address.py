"""Proves that the address of the repository and the version stand in one place, pyproject.toml.

Pages, the schema and the metadata have copies. `make address` writes those of the address.
"""

import re
import shutil
import subprocess
import sys

import pytest

from docs.address import FILES, read_address
from tests.package.plugin import ROOT
from tests.package.test_schema import PROJECT
from tests.pages import tracked_files

COPY = re.compile(
    r"""(?:git\ clone\ https:// | git\+https:// | git:// | package\ add\  | retraining:\ (?=\S+/)
        | (?:Homepage|Repository|Documentation|Changelog|Issues)\ =\ "https://
        | "(?:homepage|repository)":\ "https://)
    (?P<address>[\w.-]+\.[a-z]+(?:/[\w-]+)+?)
    (?:\.git/package|/tree/\S+|/blob/\S+|/issues)?
    (?:@(?P<version>[^\s'"]+))?
    (?=[\s'"])""",
    re.VERBOSE,
)
"""What stands before and behind an address of this repository, wherever somebody needs one."""
OTHER = "https://github.com/movies-org/group/retrainer"


@pytest.fixture
def checkout(tmp_path):
    """Return a copy of the files that contain the address."""
    for name in FILES:
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


def set_address(checkout, *arguments):
    """Run what `make address` runs. Return the exit code and the errors."""
    result = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "docs.address", *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stderr


def test_every_copy_is_the_address_and_the_version_of_the_project():
    found = list(copies())
    bare = read_address().removeprefix("https://")
    assert {name for name, _, _ in found} == set(FILES), "name the file in docs/address.py"
    assert {address for _, address, _ in found} == {bare}
    assert {version for _, _, version in found} == {None, f"v{PROJECT['version']}"}


def test_make_address_sets_every_copy(checkout):
    old = read_address().removeprefix("https://")
    assert set_address(checkout, OTHER) == (0, "")
    for name in FILES:
        expected = (ROOT / name).read_text().replace(old, OTHER.removeprefix("https://"))
        assert (checkout / name).read_text() == expected != (ROOT / name).read_text()

    assert set_address(checkout, f"https://{old}") == (0, "")
    for name in FILES:
        assert (checkout / name).read_text() == (ROOT / name).read_text()


@pytest.mark.parametrize(
    "address",
    ["", "github.com/movies-org/retrainer", "https://github.com", f"{OTHER}/", f"{OTHER}.git"],
)
def test_what_is_no_address_of_a_repository_is_refused(checkout, address):
    code, error = set_address(checkout, address)
    assert code == 1
    assert error == (
        f"{address!r} is no address like https://github.com/OWNER/NAME\n"
        "Use: make address URL=https://github.com/OWNER/NAME\n"
    )
    assert (checkout / "README.md").read_text() == (ROOT / "README.md").read_text()
