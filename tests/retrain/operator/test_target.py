"""Proves that a command finds the deployed pipeline, and says in one line why it does not."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from botocore import exceptions

from retrain import cli
from retrain.account import pulumi_cli
from retrain.account.access import Access
from retrain.account.errors import OperatorError, aws_error
from retrain.account.target import find_target
from retrain.check.examined_pipeline import find_pipeline
from retrain.check.operation import check_deployment
from tests.program.sample_stack import ROOT

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining-dev-1a2b3c4"
SETTINGS = {"prefix": "1a2b3c4d", "datasets": [], "solutions": [], "limits": {}, "tags": {}}
DEFINITION = {"StartAt": "A", "States": {"A": {"Parameters": {"settings": SETTINGS}}}}
WITHOUT_CLI = "or name the state machine with --state-machine-arn"
ARN_HINT = "`pulumi stack output state_machine_arn --stack STACK` prints it"


def machine(definition=DEFINITION):
    """Return the response of DescribeStateMachine."""
    return {
        "stateMachineArn": MACHINE,
        "name": "retraining-dev-1a2b3c4",
        "definition": json.dumps(definition),
        "roleArn": "arn:aws:iam::123456789012:role/machine",
        "type": "STANDARD",
        "creationDate": datetime(2026, 11, 1, tzinfo=UTC),
    }


def error_message(stack="dev", arn=None, access=None):
    with pytest.raises(OperatorError) as caught:
        find_target(stack, arn, access or Access())
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_pipeline_of_a_stack_is_in_its_outputs(install_pulumi, respond):
    last_call = install_pulumi({"state_machine_arn": MACHINE})
    respond("stepfunctions", "describe_state_machine", machine(), stateMachineArn=MACHINE)
    target = find_target("prod", None, Access(profile="ops", endpoint_url="http://[::1]:4566"))
    assert last_call() == [
        *("stack", "output", "--json", "--stack", "prod", "--non-interactive", "--color", "never")
    ]
    assert (target.settings, target.access.region, target.name) == (
        SETTINGS,
        "eu-west-1",
        "retraining-dev-1a2b3c4",
    )
    assert target.command("watch", "--run", "20261129T030000Z") == (
        "retrain watch --run 20261129T030000Z --stack prod --profile ops "
        "--endpoint-url 'http://[::1]:4566'"
    )


def test_the_pipeline_with_a_state_machine_needs_no_cli(monkeypatch, respond):
    monkeypatch.setenv("PATH", "")
    respond("stepfunctions", "describe_state_machine", machine(), stateMachineArn=MACHINE)
    target = find_target("dev", MACHINE, Access(region="eu-west-1"))
    assert target.command("stop") == f"retrain stop --state-machine-arn {MACHINE}"


def test_the_folder_of_the_cli_is_the_folder_of_the_program():
    assert pulumi_cli.PROJECT_DIR == ROOT


def test_without_the_cli_the_message_names_the_other_way(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert error_message() == (
        "the Pulumi CLI is not on the PATH, so the outputs of the stack cannot be read; install "
        f"it, {WITHOUT_CLI}"
    )


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("warning: old\nerror: the backend is locked\n", "the backend is locked"),
        ("exit status 3.\n", "exit status 3"),
        ("", "it gives no reason"),
    ],
)
def test_a_failure_of_the_cli_is_one_line(install_pulumi, stderr, reason):
    install_pulumi(code=f"sys.stderr.write({stderr!r})\nsys.exit(255)")
    assert error_message("qa") == (
        f"the Pulumi CLI cannot read stack qa: {reason}; check --stack and `pulumi whoami`, "
        f"{WITHOUT_CLI}"
    )


def fail_with(install_pulumi, reason):
    """Install a Pulumi CLI that fails for this reason."""
    install_pulumi(code=f"sys.stderr.write({f'error: {reason}'!r})\nsys.exit(255)")


def test_without_a_login_the_message_names_the_command(install_pulumi):
    reason = "PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions"
    fail_with(install_pulumi, reason)
    assert error_message("qa") == (
        "you are not logged in to Pulumi, so the outputs of stack qa cannot be read; log in with "
        f"`pulumi login`, {WITHOUT_CLI}"
    )


@pytest.mark.parametrize("stack", ["prdo", "acme/films/prdo"])
def test_a_stack_without_a_file_that_the_cli_does_not_know_is_mistyped(
    install_pulumi, monkeypatch, tmp_path, stack
):
    (tmp_path / "Pulumi.prod.yaml").touch()
    monkeypatch.setattr(pulumi_cli, "PROJECT_DIR", tmp_path)
    fail_with(install_pulumi, f"no stack named '{stack}' found")
    assert error_message(stack) == (
        f"{tmp_path}/Pulumi.prdo.yaml: does not exist; name one of the stacks of this folder: prod"
    )


def test_a_stack_with_a_file_that_the_cli_does_not_know_has_to_be_created(install_pulumi):
    fail_with(install_pulumi, "no stack named 'dev' found")
    assert error_message("dev") == (
        "stack dev (the default; -s names another) is not created yet, or it is in another backend "
        "than `pulumi whoami -v` prints; create and deploy it with `pulumi stack init dev && "
        "pulumi up --stack dev`"
    )


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        ("no stack named 'dev' found", "pulumi stack init dev && pulumi up --stack dev"),
        ("the backend is locked", "pulumi up --stack dev"),
    ],
)
def test_a_pipeline_that_is_not_deployed_has_the_command_that_deploys_it(
    install_pulumi, reason, command
):
    fail_with(install_pulumi, reason)
    pipeline = find_pipeline("dev", None, Access())
    assert pipeline.deploy_command == command
    (finding,) = check_deployment(SimpleNamespace(pipeline=pipeline))
    assert (finding.level, finding.fix) == ("warn", command)
    assert "pulumi up" not in finding.text, "the command stands below the text"


def test_a_cli_that_hangs_is_ended(install_pulumi, monkeypatch):
    install_pulumi(code="import time\ntime.sleep(60)")
    monkeypatch.setattr(pulumi_cli, "CLI_SECONDS", 0.2)
    assert error_message() == (
        "the Pulumi CLI has not printed the outputs of stack dev (the default; -s names another) "
        f"within 0.2 seconds; try again, {WITHOUT_CLI}"
    )


def test_a_stack_without_outputs_is_not_deployed(install_pulumi):
    install_pulumi({})
    assert error_message() == (
        "stack dev (the default; -s names another) has no output state_machine_arn, so it is not "
        "deployed; deploy it with `pulumi up --stack dev`, or name another stack with --stack"
    )


def test_an_arn_of_another_kind_is_refused():
    arn = MACHINE.replace(":stateMachine:", ":execution:") + ":run-1"
    assert error_message(arn=arn) == f"{arn!r} is not the ARN of a state machine; {ARN_HINT}"


def test_another_region_is_refused():
    assert error_message(arn=MACHINE, access=Access(region="us-east-1")) == (
        f"--region is us-east-1, but the state machine {MACHINE} is in eu-west-1; leave --region "
        "out"
    )


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"Parameters": {"input": 1}},
        {"Parameters": ["settings"]},
        {"Parameters": {"settings": "on"}},
        {"Parameters": {"settings": {"datasets": []}}},
    ],
)
def test_another_state_machine_is_refused(respond, state):
    definition = {"StartAt": "A", "States": {"A": state}}
    respond("stepfunctions", "describe_state_machine", machine(definition), stateMachineArn=MACHINE)
    assert error_message(arn=MACHINE) == (
        f"{MACHINE} is not the state machine of a retraining pipeline; {ARN_HINT}"
    )


@pytest.mark.parametrize(
    ("caller", "message"),
    [
        (
            "arn:aws:iam::123456789012:user/ops",
            f"{MACHINE} does not exist; deploy the stack with `pulumi up`, or name another one",
        ),
        (
            "arn:aws:iam::210987654321:user/ops",
            (
                f"{MACHINE} is in account 123456789012, but the credentials are of "
                "arn:aws:iam::210987654321:user/ops; choose others with --profile"
            ),
        ),
    ],
)
def test_a_state_machine_that_does_not_exist_is_explained(respond, caller, message):
    respond(
        *("stepfunctions", "describe_state_machine", "StateMachineDoesNotExist"),
        stateMachineArn=MACHINE,
    )
    respond("sts", "get_caller_identity", {"Arn": caller})
    assert error_message(arn=MACHINE) == message


def test_another_error_of_aws_is_passed_on(respond):
    respond(
        *("stepfunctions", "describe_state_machine", "AccessDeniedException"),
        stateMachineArn=MACHINE,
    )
    with pytest.raises(exceptions.ClientError):
        find_target("dev", MACHINE, Access())


def refusal(code, message="User: ops is not\nauthorized."):
    return exceptions.ClientError({"Error": {"Code": code, "Message": message}}, "StartExecution")


LOG_IN = "log in again, for example with `aws sso login`, or choose others with --profile"
ERRORS = [
    (
        refusal("AccessDeniedException"),
        2,
        (
            "these credentials may not call StartExecution: User: ops is not authorized; "
            "`retrain doctor --policy` prints the permissions that the commands need"
        ),
    ),
    (refusal("ExpiredTokenException"), 2, f"the AWS credentials have expired; {LOG_IN}"),
    (
        refusal("UnrecognizedClientException", "The security token is invalid."),
        2,
        f"AWS does not accept the credentials: The security token is invalid; {LOG_IN}",
    ),
    (
        refusal("ValidationException", "Wrong."),
        1,
        "AWS refused StartExecution: ValidationException: Wrong",
    ),
    (
        exceptions.NoCredentialsError(),
        2,
        (
            "there are no AWS credentials; log in, for example with `aws sso login`, or name a "
            "profile of ~/.aws/config with --profile"
        ),
    ),
    (
        exceptions.ProfileNotFound(profile="ops"),
        2,
        (
            "The config profile (ops) could not be found; `aws configure list-profiles` lists the "
            "profiles"
        ),
    ),
    (
        exceptions.NoRegionError(),
        2,
        "there is no region; name it with --region, for example eu-west-1",
    ),
    (
        exceptions.EndpointConnectionError(endpoint_url="https://states.eu-wets-1.amazonaws.com/"),
        2,
        (
            'Could not connect to the endpoint URL: "https://states.eu-wets-1.amazonaws.com/"; '
            "check the network, --endpoint-url, and whether the region is spelled right"
        ),
    ),
    (
        exceptions.ConnectTimeoutError(endpoint_url="https://states/"),
        2,
        (
            'AWS did not respond: Connect timeout on endpoint URL: "https://states/"; check the '
            "network and try again"
        ),
    ),
    (
        exceptions.UnknownServiceError(service_name="x", known_service_names="y"),
        1,
        "AWS cannot be called: Unknown service: 'x'. Valid service names are: y",
    ),
]


@pytest.mark.parametrize(("error", "exit_code", "message"), ERRORS)
def test_an_error_of_aws_is_one_line_with_the_way_out(error, exit_code, message):
    explained = aws_error(error)
    assert (explained.exit_code, str(explained)) == (exit_code, message)


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        (OperatorError("no such run"), 2, "no such run\n"),
        (exceptions.NoRegionError(), 2, f"{aws_error(exceptions.NoRegionError())}\n"),
    ],
)
def test_the_command_line_prints_the_message_and_returns_the_code(
    monkeypatch, capsys, error, exit_code, message
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(cli, "program", fail)
    assert (cli.main(["watch"]), capsys.readouterr().err) == (exit_code, message)
