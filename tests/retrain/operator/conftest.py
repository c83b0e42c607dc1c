"""The commands for a pipeline in an account do what their help says.

With a program in place of the Pulumi CLI, botocore's Stubber, and the emulator. Does not prove AWS.
"""

import json
import stat
import sys

import boto3
import pytest
from botocore.stub import Stubber

from retrain.operator.access import Access
from tests.program.sample_stack import REGION


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
