"""The commands for a pipeline in an account do what their help says.

With a program in place of the Pulumi CLI, botocore's Stubber, and the emulator. Does not prove AWS.
"""

import json
import stat
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber

from components import settings
from emulator import running
from emulator.deployer.configuration import read_project
from emulator.personalize import Duration, FixedTimings
from retrain import cli
from retrain.account.access import Access
from retrain.look import watch
from retrain.rehearsal.data.resources import create_resources
from retrain.rehearsal.data.sample_data import SampleData
from tests.end_to_end.stack import PROJECT, SHORT_WAITS, deploy_stack, eventually
from tests.program.sample_stack import REGION

TIMINGS = FixedTimings(
    jobs=Duration(pending=0.1, in_progress=0.2),
    containers=Duration(pending=0, in_progress=0.1),
    stop=Duration(pending=0, in_progress=0.2),
)
"""Seconds. A run polls a job after one second at the earliest."""
UNLIMITED = 1_000_000


@pytest.fixture(scope="session")
def account():
    """Return the sample stack, deployed to an emulator in which it has not run yet."""
    with running(timings=TIMINGS) as emulator:
        project = read_project(PROJECT, "dev", {})
        args = settings.parse_stack(project.name, "dev", project.config)
        create_resources(emulator, args, lambda _: None, SampleData())
        yield deploy_stack(emulator, "dev", **SHORT_WAITS)


@pytest.fixture(scope="session")
def first_run(account):
    """Return the first run, which imports and trains everything."""
    return account.run(force=True)


@pytest.fixture
def stack(account, monkeypatch, install_pulumi):
    """Return the deployed stack. The Pulumi CLI prints its outputs, and polls follow at once."""
    install_pulumi(dict(account.deployment.outputs))
    for name, value in account.emulator.exports.items():
        if name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.2)
    return account


@pytest.fixture
def retrain(stack, capsys):
    """Return a function that runs a command on the stack, and returns its exit code and outputs."""

    def run(*arguments):
        capsys.readouterr()
        code = cli.main([*arguments, "--endpoint-url", stack.emulator.endpoint])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err)

    return run


@pytest.fixture
def hanging(stack):
    """Return a context manager in which all jobs of a kind hang. At its end they go on."""

    @contextmanager
    def hang(job):
        fault = {"fault": "hang", "job": job, "times": UNLIMITED}
        stack.emulator.control("POST", "faults", fault)
        try:
            yield
        finally:
            stack.emulator.control("DELETE", "faults")

    return hang


@pytest.fixture
def idle(stack):
    """Wait until no execution is running, before and after the test."""
    wait_until_idle(stack)
    yield
    wait_until_idle(stack)


def wait_until_idle(stack):
    """Wait until no execution of the stack is running."""
    states = stack.client("stepfunctions")
    arn = stack.output("state_machine_arn")
    eventually(
        lambda: states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"],
        lambda executions: executions == [],
    )


@pytest.fixture
def install_pulumi(tmp_path, monkeypatch):
    """Return a function that installs a program as the Pulumi CLI, which prints these outputs.

    The function returns a function that reads the arguments of the last call. `code` runs first.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(outputs=None, code=""):
        program = folder / "pulumi"
        program.write_text(
            f"#!{sys.executable}\nimport json, sys\n{code}\n"
            f"json.dump(sys.argv[1:], open({str(tmp_path / 'call')!r}, 'w'))\n"
            f"print({json.dumps(outputs or {})!r})\n"
        )
        program.chmod(stat.S_IRWXU)
        return lambda: json.loads((tmp_path / "call").read_text())

    return install


@pytest.fixture
def respond(monkeypatch):
    """Return a function that adds a response, or an error, of a service.

    Every request must be made, in this order. Stubber refuses fields that the real API lacks.
    """
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    stubbers = {}
    for name, service in (("step_functions", "stepfunctions"), ("sts", "sts")):
        client = boto3.client(service, region_name=REGION, **keys)
        monkeypatch.setattr(Access, name, client)
        stubbers[service] = Stubber(client)
        stubbers[service].activate()

    def add_response(service, operation, response, /, **request):
        if isinstance(response, str):
            stubbers[service].add_client_error(operation, response, "no", expected_params=request)
        else:
            stubbers[service].add_response(operation, response, request)

    yield add_response
    for stubber in stubbers.values():
        stubber.assert_no_pending_responses()
