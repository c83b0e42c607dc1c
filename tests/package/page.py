"""The programs that docs/package.md shows."""

import re

from tests.package.plugin import ROOT

TEXT = (ROOT / "docs" / "package.md").read_text()


def snippet(language):
    """Return the one program in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return found
