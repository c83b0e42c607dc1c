"""Proves that a command finds the deployed pipeline, and that an error of AWS becomes one line."""

import json
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from botocore import exceptions

from retrain import cli
from retrain.account import target
from retrain.account.access import Access
from retrain.account.errors import OperatorError
from retrain.account.target import find_target
from tests.retrain.in_process import account

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining-prod-57ea0f0"
OWNER = "arn:aws:iam::123456789012:user/ops"
SETTINGS = {"prefix": "p", "datasets": [], "solutions": [], "limits": {}, "tags": {}}


def refusal(code, message="User: ops is not\nauthorized.", operation="StartExecution"):
    return exceptions.ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.fixture
def describe(monkeypatch):
    """Return a function that replaces the account by one with these states, or an error."""

    def replace(states, caller=OWNER):
        def describe_state_machine(**request):
            assert request == {"stateMachineArn": MACHINE}
            if isinstance(states, Exception):
                raise states
            return {"definition": json.dumps({"States": states})}

        clients = {
            "stepfunctions": SimpleNamespace(describe_state_machine=describe_state_machine),
            "sts": SimpleNamespace(get_caller_identity=lambda: {"Arn": caller}),
        }
        session = SimpleNamespace(client=lambda service, **_: clients[service])
        monkeypatch.setattr(Access, "session", session)

    return replace


def test_the_outputs_of_the_stack_or_an_option_name_the_state_machine(describe, monkeypatch):
    describe({"Configure run": {"Parameters": {"settings": SETTINGS}}})
    monkeypatch.setattr(target, "read_outputs", {"prod": {"state_machine_arn": MACHINE}}.get)
    by_stack = find_target("prod", None, Access(profile="ops team", endpoint_url="http://x"))
    by_arn = find_target("dev", MACHINE, Access())

    assert by_stack.settings == by_arn.settings == SETTINGS
    assert (by_stack.name, by_stack.access.region) == ("retraining-prod-57ea0f0", "eu-west-1")
    assert (by_stack.deploy_command, by_arn.deploy_command) == (
        "pulumi up --stack prod",
        "pulumi up",
    )
    assert by_stack.command("watch", "--run", "1") == (
        "retrain watch --run 1 --stack prod --profile 'ops team' --endpoint-url http://x"
    )
    assert by_arn.command("stop") == f"retrain stop --state-machine-arn {MACHINE}"


MISSING = refusal("StateMachineDoesNotExist")
OTHER = "arn:aws:iam::210987654321:user/ops"
NO_PIPELINES = {
    "a stack without outputs": ({}, "--stack prod"),
    "the ARN of an execution": (
        {},
        f"--state-machine-arn {MACHINE.replace('stateMachine', 'execution')}:1",
    ),
    "another region": ({}, f"--state-machine-arn {MACHINE} --region us-east-1"),
    "another program": ({"Begin": {}}, f"--state-machine-arn {MACHINE}"),
    "no machine": (MISSING, f"--state-machine-arn {MACHINE}"),
    "no permission": (refusal("AccessDenied"), f"--state-machine-arn {MACHINE}"),
}


def test_what_is_no_pipeline_is_refused_as_in_the_golden_file(
    describe, golden, monkeypatch, capsys
):
    monkeypatch.setattr(target, "read_outputs", lambda _: {})
    lines = []
    for name, (states, options) in NO_PIPELINES.items():
        describe(states)
        code = cli.main(["watch", *options.split()])
        lines.append(f"{name}, exit code {code}:\n  {capsys.readouterr().err}")

    describe(MISSING, OTHER)
    cli.main(["watch", "--state-machine-arn", MACHINE])
    lines.append(f"no machine, other account:\n  {capsys.readouterr().err}")
    golden("no_pipelines.txt", "".join(lines))


def test_a_plan_with_credentials_of_another_account_reads_nothing():
    with account() as prod:
        sts = SimpleNamespace(get_caller_identity=lambda: {"Arn": OTHER})
        prod.services = dict.fromkeys(("personalize", "s3")) | {"sts": sts}
        result = prod.retrain("plan --stack prod")
    subject = "the pipeline of Pulumi.prod.yaml is in account 123456789012"
    message = f"{subject}, but the credentials are of {OTHER}; choose others with --profile\n"

    assert result == (2, "", message)


ERRORS = (
    *map(refusal, ("AccessDeniedException", "ExpiredTokenException", "InvalidClientTokenId")),
    *map(refusal, ("ResourceNotFoundException", "ThrottlingException")),
    refusal("ValidationException", "Wrong."),
    exceptions.NoCredentialsError(),
    exceptions.ProfileNotFound(profile="ops"),
    exceptions.NoRegionError(),
    exceptions.UnauthorizedSSOTokenError(),
    exceptions.EndpointConnectionError(endpoint_url="https://states.eu-wets-1/"),
    exceptions.ConnectTimeoutError(endpoint_url="https://states/"),
    exceptions.UnknownServiceError(service_name="x", known_service_names="y"),
    OperatorError("no such run"),
)


def test_an_error_is_one_line_as_in_the_golden_file(monkeypatch, capsys, golden):
    shown = ""
    for error in ERRORS:
        monkeypatch.setattr(cli, "build_program", Mock(side_effect=error))
        code = cli.main(["watch"])
        out, err = capsys.readouterr()
        name = type(error).__name__
        shown += f"{name}, exit code {code}:\n  {out}{err}"
    golden("errors.txt", shown)
