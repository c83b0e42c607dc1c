"""Writes a new Pulumi project that uses the installed package instead of a checkout."""

from __future__ import annotations

import json
from importlib import metadata
from typing import TYPE_CHECKING

from retrain import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE_NAME = "personalize-retraining"


def write_project(folder: Path) -> list[str]:
    """Write a Pulumi project unless the folder already has one. Return the names of new files.

    The project is the same as in the repository, except that its program imports the installed
    package.
    """
    if (folder / "Pulumi.yaml").exists():
        return []

    program = (FOLDER / "project" / "__main__.py").read_text()
    contents = {
        "Pulumi.yaml": (FOLDER / "project" / "Pulumi.yaml").read_text(),
        "__main__.py": program.replace("from components ", "from personalize_retraining "),
        "requirements.txt": f"{_format_requirement()}\n",
    }

    # Don't overwrite the operator's files, such as an existing requirements.txt.
    missing_names = [name for name in contents if not (folder / name).exists()]
    for name in missing_names:
        (folder / name).write_text(contents[name])
    return missing_names


def _format_requirement() -> str:
    """Return the requirement that installs the package from the same source as this installation.

    The source may be a commit in a repository, another URL, or a package index.
    """
    distribution = metadata.distribution(PACKAGE_NAME)
    # pip doesn't write direct_url.json for a package from an index.
    source = json.loads(distribution.read_text("direct_url.json") or "{}")

    if "vcs_info" in source:
        vcs_info = source["vcs_info"]
        return f"{PACKAGE_NAME} @ {vcs_info['vcs']}+{source['url']}@{vcs_info['commit_id']}"
    if source:
        return f"{PACKAGE_NAME} @ {source['url']}"
    return f"{PACKAGE_NAME} == {distribution.version}"
