"""The command `doctor` finds what is missing in an account, and its commands mend it.

With an account in this process, and with one that is deployed to the emulator. Does not prove AWS.
"""

import shutil

import pytest

import settings
from emulator import running
from emulator.deployer.configuration import read_project
from emulator.personalize import Duration, FixedTimings
from retrain.rehearsal.data.resources import create_resources
from retrain.rehearsal.data.sample_data import SampleData
from tests.end_to_end.stack import PROJECT, SHORT_WAITS, deploy_stack

TIMINGS = FixedTimings(
    jobs=Duration(pending=0.05, in_progress=0.1), containers=Duration(pending=0, in_progress=0.05)
)


@pytest.fixture(scope="session")
def deployed():
    """Deploy the sample stack to an emulator and run it once. Return the deployed stack."""
    with running(timings=TIMINGS) as emulator:
        project = read_project(PROJECT, "dev", {})
        args = settings.parse_stack(project.name, "dev", project.config)
        create_resources(emulator, args, lambda _: None, SampleData())
        stack = deploy_stack(emulator, "dev", **SHORT_WAITS)
        assert stack.run(force=True).status == "SUCCEEDED"
        yield stack


@pytest.fixture
def project_dir(tmp_path, monkeypatch):
    """Return a folder with the project and the file of the sample stack, for the commands."""
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(PROJECT / name, tmp_path / name)
    monkeypatch.setattr("retrain.account.pulumi_cli.PROJECT_DIR", tmp_path)
    return tmp_path
