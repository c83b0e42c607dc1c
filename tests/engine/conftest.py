"""Proves what Pulumi's real engine does with the program, from the first preview to the end.

The tests run the real CLI with the deployer as its AWS provider. They do not prove the checks of
the official provider.
"""

import contextlib
import os
import shutil

import pytest

from components import settings
from emulator import running
from emulator.personalize import Duration, FixedTimings
from retrain.account.project_files import read_project
from retrain.rehearsal.resources import StackResources
from tests.engine.cli import tools
from tests.engine.stacks import ROOT, copy_program
from tests.sample_data import sample_data
from tests.warm_commands import warm_command

TIMINGS = FixedTimings(
    jobs=Duration(pending=0.2, in_progress=0.3),
    containers=Duration(pending=0, in_progress=0.1),
    stop=Duration(pending=0, in_progress=0.2),
)
"""The seconds that jobs, containers and stops take in the emulator."""
WARM_COMMANDS = {
    "pulumi-language-python": (
        "tests.engine.cli.language_host",
        ["pulumi.runtime.proto.language_pb2_grpc"],
    ),
    "pulumi-resource-aws": (
        "emulator.deployer.provider",
        ["emulator.deployer.service"],
        [
            *("cloudwatch", "events", "iam", "lambda", "logs"),
            *("scheduler", "sns", "sqs", "stepfunctions"),
        ],
    ),
    "python": (
        "tests.engine.cli.program",
        [
            *("aws_croniter", "pulumi.provider.experimental", "pulumi_aws", "yaml"),
            *(f"pulumi_aws.{name}" for name in ("cloudwatch", "iam", "lambda_", "scheduler")),
            *(f"pulumi_aws.{name}" for name in ("sfn", "sns", "sqs")),
        ],
    ),
    "retrain": (
        "retrain",
        ["boto3", "pulumi", "pulumi_aws", "rich.console", "typer", "yaml"],
        ["personalize", "s3", "scheduler", "stepfunctions"],
    ),
}
"""Command -> its module, and the modules and the models of services that a copy starts with. A
module that is in the folder of a program is not among them, because the folder may have changed."""


@pytest.fixture(scope="session", autouse=True)
def warm(tmp_path_factory):
    """Put the CLI on the PATH, or skip the tests with the reason.

    An operation starts four Python processes, and their imports take half of its time. Here they
    are copies of warm processes. Return a folder that serves as the virtual environment of a
    program.
    """
    try:
        folders = tools.folders()
    except tools.MissingError as error:
        pytest.skip(str(error))
    environment = tmp_path_factory.mktemp("warm")
    commands = environment / "bin"
    commands.mkdir()
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as processes:
        for name, command in WARM_COMMANDS.items():
            processes.enter_context(warm_command(commands, name, *command))
        path = [str(folder) for folder in (commands, *folders)]
        patch.setenv("PATH", os.pathsep.join(path), prepend=os.pathsep)
        yield environment


@pytest.fixture(scope="session")
def sample():
    """Return the arguments of the sample stack."""
    project = read_project(ROOT, "dev", {})
    return settings.parse_stack_config(project.name, "dev", project.config)


@contextlib.contextmanager
def emulator_with_resources(sample):
    """Run an emulator with all resources that the sample stack names and an active campaign."""
    with running(timings=TIMINGS) as emulator:
        StackResources(emulator, sample, sample_data()).create()
        yield emulator


@pytest.fixture(scope="session")
def emulator(sample):
    """Run an emulator for all files that do not need one of their own."""
    with emulator_with_resources(sample) as emulator:
        yield emulator


@pytest.fixture
def checkout(tmp_path, warm):
    """Copy what a person has cloned: the program, and the command line. There is no stack."""
    folder = copy_program(tmp_path / "checkout", virtual_environment=warm)
    for name in ("retrain", "emulator"):
        shutil.copytree(ROOT / name, folder / name)
    return folder
