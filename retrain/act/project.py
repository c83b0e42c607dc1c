"""Writes the Pulumi project of the installed package, which deploys what a stack's file says."""

from __future__ import annotations

import json
from importlib import metadata
from typing import TYPE_CHECKING

from retrain import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "personalize-retraining"


def write_project(folder: Path) -> list[str]:
    """Write the files of a Pulumi project, unless the folder is one. Return the files' names.

    The project is that of the checkout, but its program imports the installed package. A file that
    exists is kept.
    """
    if (folder / "Pulumi.yaml").exists():
        return []
    program = (FOLDER / "project" / "__main__.py").read_text()
    texts = {
        "Pulumi.yaml": (FOLDER / "project" / "Pulumi.yaml").read_text(),
        "__main__.py": program.replace("from components ", "from personalize_retraining "),
        "requirements.txt": f"{_requirement()}\n",
    }
    written = {name: text for name, text in texts.items() if not (folder / name).exists()}
    for name, text in written.items():
        (folder / name).write_text(text)
    return [*written]


def _requirement() -> str:
    """Return the line of requirements.txt that installs this version from the same source."""
    package = metadata.distribution(PACKAGE)
    source = json.loads(package.read_text("direct_url.json") or "{}")
    if vcs := source.get("vcs_info"):
        return f"{PACKAGE} @ {vcs['vcs']}+{source['url']}@{vcs['commit_id']}"
    return f"{PACKAGE} @ {source['url']}" if source else f"{PACKAGE} == {package.version}"
