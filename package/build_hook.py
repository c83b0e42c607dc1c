"""Makes the links of README.md absolute when the package is built.

An index shows the page without the repository around it, so a link like docs/cli.md would lead
nowhere.
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
        address = metadata["urls"]["Repository"]
        tag = f"v{metadata['version']}"

        def make_absolute(match: re.Match[str]) -> str:
            before, path = match.groups()
            # The page of a picture isn't a picture.
            view = "raw" if path.endswith(PICTURES) else "blob"
            return f"{before}{address}/{view}/{tag}/{path}"

        page = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = LINK.sub(make_absolute, page)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
