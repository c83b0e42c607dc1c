"""The commands that examine an account do what their help says, for an account in the emulator.

Does not prove AWS.
"""

import json
import shutil
from typing import NamedTuple

import pytest

from components import settings
from emulator import running
from emulator.deployer.configuration import read_project
from emulator.personalize import Duration, FixedTimings
from emulator.personalize.store import Switches
from retrain import cli
from retrain.rehearsal.data.resources import create_resources
from retrain.rehearsal.data.sample_data import SampleData
from tests.end_to_end.stack import deploy_stack
from tests.program.sample_stack import ROOT

TIMINGS = FixedTimings(
    jobs=Duration(pending=0.05, in_progress=0.1), containers=Duration(pending=0, in_progress=0.05)
)


class Result(NamedTuple):
    """What a command has printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        """The JSON document on stdout."""
        return json.loads(self.out)


@pytest.fixture(scope="session")
def emulator():
    """Return an emulator with everything that the sample stack names. Its lists have short pages.

    No pipeline of the sample stack is deployed. Tests that train its solution or move its campaign
    are in the file that comes last in the alphabet.
    """
    with running(timings=TIMINGS, switches=Switches(page_size=1)) as started:
        project = read_project(ROOT, "dev", {})
        args = settings.parse_stack(project.name, "dev", project.config)
        create_resources(started, args, lambda _: None, SampleData())
        yield started


FILMS = (
    (ROOT / "Pulumi.dev.yaml")
    .read_text()
    .replace("movies", "films")
    .replace("minutes: 10", "minutes: 0.001")
    .replace("# trainingMode: UPDATE", "# trainingMode: OTHER")
)
"""The file of a stack like the sample stack, with another dataset group and short waits."""


@pytest.fixture(scope="session")
def films(emulator, tmp_path_factory):
    """Deploy the stack `films` and run it once. Return the deployed stack."""
    folder = tmp_path_factory.mktemp("films")
    project_file = (ROOT / "Pulumi.yaml").read_text()
    (folder / "Pulumi.yaml").write_text(f"{project_file}\nmain: {ROOT}\n")
    (folder / "Pulumi.films.yaml").write_text(FILMS)
    project = read_project(folder, "films", {})
    args = settings.parse_stack(project.name, "films", project.config)
    create_resources(emulator, args, lambda _: None, SampleData())
    stack = deploy_stack(emulator, "films", folder)
    assert stack.run().status == "SUCCEEDED"
    return stack


@pytest.fixture
def project_dir(tmp_path, monkeypatch):
    """Return a folder with the project and the sample stack, which the commands use.

    There is also the file of the stack `films`. There is no Pulumi CLI on the PATH.
    """
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "Pulumi.films.yaml").write_text(FILMS)
    monkeypatch.setattr("retrain.account.pulumi_cli.PROJECT_DIR", tmp_path)
    monkeypatch.setenv("PATH", "")
    return tmp_path


@pytest.fixture
def run(emulator, project_dir, monkeypatch, capsys):
    """Return a function that runs a command with the credentials of the account's root."""
    for name, value in emulator.exports.items():
        if name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(project_dir)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    capsys.readouterr()

    def run_command(*arguments):
        code = cli.main([*arguments, "--endpoint-url", emulator.endpoint])
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return run_command
