"""Proves that an upgrade from a release replaces and deletes no resource that is not in GONE.

`python -m tests.engine.release_state NAME` writes the state of a release.
"""

import os
import shutil

import pytest

from tests.engine.stacks import ROOT, copy_program, create_stack

STATES = ROOT / "tests" / "engine" / "states"
RELEASES = sorted(path.stem for path in STATES.glob("*.json"))
GONE: dict[str, str] = {}
"""Resource -> the reason why an upgrade replaces or deletes it."""


@pytest.mark.parametrize("release", RELEASES)
def test_an_upgrade_replaces_and_deletes_nothing(release, emulator, tmp_path, monkeypatch):
    # This test starts the plugins and the program as a person does.
    monkeypatch.setenv("PATH", os.environ["PATH"].partition(os.pathsep)[2])
    folder = copy_program(tmp_path / "checkout")
    shutil.copy(STATES / f"{release}.yaml", folder / "Pulumi.dev.yaml")
    stack = create_stack(folder, "dev", emulator.endpoint)
    stack.pulumi("stack", "import", "--file", str(STATES / f"{release}.json"))
    preview = stack.preview()
    lost = {name for name, step in preview.steps.items() if step in ("replaced", "deleted")}
    assert lost == set(GONE), preview.changes
    kept = [step for step in preview.steps.values() if step in ("same", "updated")]
    assert len(kept) + len(lost) == len(stack.state()) - 2, "the state has a stack and a provider"


def test_there_is_a_state_to_upgrade_from():
    assert RELEASES != []
