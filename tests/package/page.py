"""The programs in docs/package.md."""

import re

from tests.package.plugin import ROOT

TEXT = (ROOT / "docs" / "package.md").read_text()


def snippet(language):
    """Return the program in a language. There must be exactly one."""
    (program,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return program
