"""The unchanged program, deployed to the emulator, does the job.

With the emulator. Does not prove the AWS provider's own checks.
"""

from pathlib import Path

import pytest

import settings
from emulator import running
from emulator.deployer.configuration import read_project
from emulator.personalize import Duration, FixedTimings
from emulator.rehearsal import prepare
from tests.end_to_end.stack import PROJECT, deployed

TIMINGS = FixedTimings(
    jobs=Duration(pending=0.2, in_progress=0.3),
    containers=Duration(pending=0, in_progress=0.1),
    stop=Duration(pending=0, in_progress=0.2),
)
"""Seconds; a job is looked at after one second at the earliest."""
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """Keep these tests in one process: they share an emulator."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("end_to_end"))


@pytest.fixture(scope="session")
def emulator():
    """An account with the world of the sample stack: a first model, and a campaign that serves it."""
    project = read_project(PROJECT, "dev", {})
    args = settings.parse_stack(project.name, "dev", project.config)
    with running(timings=TIMINGS) as started:
        prepare(started, args, lambda _: None)
        yield started


@pytest.fixture(scope="session")
def stack(emulator):
    """The sample stack, deployed as it is."""
    return deployed(emulator, "dev")
