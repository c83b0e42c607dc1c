"""Writes the files of a Pulumi project, for whoever has the package and no checkout."""

from __future__ import annotations

import json
from importlib import metadata
from typing import TYPE_CHECKING

from retrain import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "personalize-retraining"


def write_project(folder: Path) -> list[str]:
    """Write the files of a Pulumi project, unless the folder has one. Return the files' names.

    The project is that of the checkout, except that its program imports the installed package.
    """
    if (folder / "Pulumi.yaml").exists():
        return []

    program = (FOLDER / "project" / "__main__.py").read_text()
    contents = {
        "Pulumi.yaml": (FOLDER / "project" / "Pulumi.yaml").read_text(),
        "__main__.py": program.replace("from components ", "from personalize_retraining "),
        "requirements.txt": f"{_format_requirement()}\n",
    }

    # Somebody may have a requirements.txt already, for example.
    missing_names = [name for name in contents if not (folder / name).exists()]
    for name in missing_names:
        (folder / name).write_text(contents[name])
    return missing_names


def _format_requirement() -> str:
    """Format the line of requirements.txt that installs this version from the same source."""
    package = metadata.distribution(PACKAGE)
    # pip only writes this file for a package that doesn't come from an index.
    source = json.loads(package.read_text("direct_url.json") or "{}")

    if "vcs_info" in source:
        repository = source["vcs_info"]
        return f"{PACKAGE} @ {repository['vcs']}+{source['url']}@{repository['commit_id']}"
    if source:
        return f"{PACKAGE} @ {source['url']}"
    return f"{PACKAGE} == {package.version}"
