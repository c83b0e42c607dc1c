"""Proves that actionlint finds no fault in the workflows of the code host.

It is a Go program, so it runs here, where Go is needed anyway. `make check` needs none.
"""

from tests.engine.stacks import ROOT
from tests.engine.test_sdks import run

ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"


def test_actionlint_finds_no_fault():
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert run("go", "run", ACTIONLINT, *workflows, cwd=ROOT) == ""
