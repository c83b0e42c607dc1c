"""Prints the notes of the release, by `python -m docs.release_notes`.

They are the section of CHANGELOG.md about the version in pyproject.toml. The code host shows them
on the page of the release, where a link like docs/runs.md would lead nowhere.
"""

import re
import sys
import tomllib

from docs.address import ROOT
from package.build_hook import link_to_release


def notes(changelog: str, version: str, address: str) -> str:
    """Return what a changelog says about a version. Raises ValueError if it says nothing."""
    section = re.search(
        rf"^## {re.escape(version)}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    if section is None:
        raise ValueError(f"CHANGELOG.md has no section '## {version}'")

    text = section[1].strip() + "\n"
    return link_to_release(text, address, version)


if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    changelog_text = (ROOT / "CHANGELOG.md").read_text()
    sys.stdout.write(notes(changelog_text, project["version"], project["urls"]["Repository"]))
