"""Makes the links of README.md absolute when the package is built.

An index shows the page without the repository around it, so a link like docs/cli.md would lead
nowhere. `docs/release_notes.py` does the same for the page of a release.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r'(\]\(|^\[[^\]]+\]: |(?:src|srcset|href)=")(?!\w+:|#)([^\s)"]+)', re.MULTILINE)
"""What stands before a link to a file, and the link. Links to other sites have a scheme."""
PICTURES = (".svg", ".png")


class AbsoluteLinks(MetadataHookInterface):
    """Sets the description of the package."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the description to README.md, with links to the files of the release."""
        page = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = link_to_release(page, metadata["urls"]["Repository"], metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def link_to_release(text: str, address: str, version: str) -> str:
    """Let the links of a page at the root of the repository lead to the files of a release."""

    def make_absolute(match: re.Match[str]) -> str:
        before, path = match.groups()
        # The page of a picture isn't a picture.
        view = "raw" if path.endswith(PICTURES) else "blob"
        return f"{before}{address}/{view}/v{version}/{path}"

    return LINK.sub(make_absolute, text)
