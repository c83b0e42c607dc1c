"""Proves that an upgrade from each release keeps every resource: since 0.1, names are permanent.

`python -m tests.engine.record_state RELEASE` records what a release has deployed. A resource that
has to get another name or parent needs an alias.
"""

import json
import shutil
import tomllib

import pytest

from emulator import running
from tests.engine.record_state import STATES
from tests.engine.stacks import ROOT, copy_program, create_stack, short_name

RELEASES = sorted(file.stem for file in STATES.glob("*.json"))


@pytest.mark.parametrize("release", RELEASES)
def test_an_upgrade_replaces_deletes_and_renames_no_resource(release, warm, tmp_path):
    folder = copy_program(tmp_path / "checkout", virtual_environment=warm)
    shutil.copy(STATES / f"{release}.yaml", folder / "Pulumi.dev.yaml")
    recorded = STATES / f"{release}.json"
    with running() as emulator:
        stack = create_stack(folder, "dev", emulator.endpoint)
        stack.pulumi("stack", "import", "--file", str(recorded))
        preview = stack.preview()

    resources = json.loads(recorded.read_text())["deployment"]["resources"]
    names = [short_name(one["urn"]) for one in resources if not one["type"].startswith("pulumi:")]
    steps = {name: preview.steps.get(name) for name in names}
    assert len(names) == len(set(names)) > 0
    assert {name: step for name, step in steps.items() if step not in ("same", "updated")} == {}


def test_the_resources_of_the_present_version_are_recorded():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"].rpartition(".")[0] in RELEASES
