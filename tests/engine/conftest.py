"""Proves what Pulumi's real engine does with the program, from the first preview to an upgrade.

The tests run the real CLI with the deployer as its AWS provider. They do not prove the checks of
the official provider.
"""

import os

import pytest

import settings
from emulator import running
from emulator.deployer.configuration import read_project
from emulator.personalize import Duration, FixedTimings
from retrain.rehearsal.data.resources import create_resources
from retrain.rehearsal.data.sample_data import SampleData
from tests.engine.cli import tools
from tests.engine.stacks import ROOT, copy_program, create_stack

TIMINGS = FixedTimings(
    jobs=Duration(pending=0.2, in_progress=0.3),
    containers=Duration(pending=0, in_progress=0.1),
    stop=Duration(pending=0, in_progress=0.2),
)
"""The seconds that jobs, containers and stops take in the emulator."""


@pytest.fixture(scope="session", autouse=True)
def cli():
    """Put the CLI on the PATH, or skip the tests with the reason."""
    try:
        folders = tools.folders()
    except tools.MissingError as error:
        pytest.skip(str(error))
    with pytest.MonkeyPatch.context() as patch:
        for folder in reversed(folders):
            patch.setenv("PATH", str(folder), prepend=os.pathsep)
        yield


@pytest.fixture(scope="session")
def emulator():
    """Run an emulator with all resources that the sample stack names and an active campaign."""
    project = read_project(ROOT, "dev", {})
    args = settings.parse_stack(project.name, "dev", project.config)
    with running(timings=TIMINGS) as emulator:
        create_resources(emulator, args, lambda _: None, SampleData())
        yield emulator


@pytest.fixture(scope="module")
def stack(emulator, tmp_path_factory):
    """Create the sample stack in a copy of the program, without deploying it.

    The stack's probe takes less than a second instead of 10 minutes, and a run does not wait for
    lists. At the end of the module, the stack is destroyed.
    """
    folder = copy_program(tmp_path_factory.mktemp("program") / "checkout")
    sample = (ROOT / "Pulumi.dev.yaml").read_text()
    quick = sample.replace("minutes: 10\n", "minutes: 0.001\n")
    quick = quick.replace("# settleSeconds: 180", "settleSeconds: 0")
    (folder / "Pulumi.dev.yaml").write_text(quick)
    stack = create_stack(folder, "dev", emulator.endpoint)
    yield stack
    stack.destroy()
