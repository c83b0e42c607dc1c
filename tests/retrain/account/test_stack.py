"""Proves that the outputs and the config of a stack are read, or that one line says why not."""

import json

import pytest

from retrain.account import pulumi_cli
from retrain.account.errors import OperatorError
from retrain.account.pulumi_cli import stack_outputs
from retrain.account.stack_config import read_args, readable_project
from tests.program.sample_stack import PROJECT, ROOT, SOLUTION, texts

WITHOUT_CLI = "or name the state machine with --state-machine-arn"
UNKNOWN = "sys.stderr.write('error: no stack named x found'); sys.exit(255)"


def message(read, *arguments):
    with pytest.raises(OperatorError) as caught:
        read(*arguments)
    return str(caught.value)


def test_the_cli_reads_the_outputs_without_asking_anything(install_pulumi):
    call = install_pulumi({"state_machine_arn": "arn"})
    assert stack_outputs("acme/films/prod") == {"state_machine_arn": "arn"}
    command = "stack output --json --stack acme/films/prod --non-interactive --color never"
    assert call() == command.split()
    assert pulumi_cli.PROJECT_DIR == ROOT, "which has Pulumi.yaml"


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
    assert message(stack_outputs, "qa") == (
        f"the Pulumi CLI cannot read stack qa: {reason}; check --stack and `pulumi whoami`, log in "
        f"with `pulumi login`, {WITHOUT_CLI}"
    )


def test_an_empty_folder_is_no_project(tmp_path, monkeypatch):
    monkeypatch.setattr(pulumi_cli, "PROJECT_DIR", tmp_path)
    assert message(stack_outputs, "dev") == (
        f"{tmp_path} has no Pulumi.yaml; run the command in the folder of the project, or create "
        f"the project with `retrain adopt`, {WITHOUT_CLI}"
    )


def test_a_cli_that_is_missing_or_hangs_is_named_with_the_way_out(install_pulumi, monkeypatch):
    dev = "stack dev (the default; -s names another)"
    assert message(stack_outputs, "dev") == (
        f"the Pulumi CLI is not on the PATH, so {dev} cannot be read; install it, {WITHOUT_CLI}"
    )
    install_pulumi(code="import time\ntime.sleep(60)")
    monkeypatch.setattr(pulumi_cli, "CLI_SECONDS", 0.2)
    assert message(stack_outputs, "dev") == (
        f"the Pulumi CLI has not read {dev} within 0.2 seconds; try again, {WITHOUT_CLI}"
    )


@pytest.mark.parametrize("stack", ["prdo", "acme/films/prdo"])
def test_a_stack_without_a_file_that_the_cli_does_not_know_is_mistyped(
    install_pulumi, folder, stack
):
    install_pulumi(code=UNKNOWN)
    assert message(stack_outputs, stack) == (
        f"{folder}/Pulumi.prdo.yaml: does not exist; name one of the stacks of this folder: prod"
    )


@pytest.mark.usefixtures("folder")
def test_a_stack_with_a_file_that_the_cli_does_not_know_has_to_be_created(install_pulumi):
    install_pulumi(code=UNKNOWN)
    assert message(stack_outputs, "prod") == (
        "stack prod is not created yet, or it is in another backend than `pulumi whoami -v` "
        "prints; create and deploy it with `pulumi stack init prod && pulumi up --stack prod`"
    )


def test_the_file_and_the_defaults_of_the_project_are_read(folder):
    args = read_args(folder, "prod")
    assert (args.solutions[0].solution_arn, args.log_retention_days) == (SOLUTION, 90)


CONFIGS = {
    "an unknown key": ("prod", {"pausd": "true"}),
    "an encrypted setting": ("prod", {"timezone": {"secure": "AAAB"}}),
    "no file": ("qa", {}),
    "no name": ("../qa", {}),
}


def test_a_config_that_cannot_be_used_is_refused_as_in_the_golden_file(folder, golden):
    lines = []
    for name, (stack, changes) in CONFIGS.items():
        config = {**texts({}), **{f"{PROJECT}:{key}": value for key, value in changes.items()}}
        (folder / "Pulumi.prod.yaml").write_text(json.dumps({"config": config}))
        lines.append(f"{name}:\n  {message(read_args, folder, stack)}\n")
    (folder / "Pulumi.prod.yaml").unlink()
    lines.append(f"no stacks at all:\n  {message(read_args, folder, 'qa')}\n")
    golden("configs.txt", "".join(lines).replace(f"{folder}/", ""))


def test_the_cli_resolves_an_environment_and_secrets_stay_encrypted(folder, install_pulumi):
    document = {"environment": ["prod"], "config": texts({})}
    (folder / "Pulumi.prod.yaml").write_text(json.dumps(document))
    entries = {key: {"value": value, "secret": False} for key, value in texts({}).items()}
    token = {"datadog:apiKey": {"value": "", "secret": True}}
    call = install_pulumi({**entries, **token})
    with readable_project(folder, "prod") as resolved:
        assert read_args(resolved, "prod") == read_args(folder, "prod")
        document = json.loads((resolved / "Pulumi.prod.yaml").read_text())
        assert document["config"]["datadog:apiKey"] == {"secure": ""}
        main = json.loads((resolved / "Pulumi.yaml").read_text())["main"]
        assert main == str(ROOT)
    assert call()[:2] == ["config", "--open"]
    assert not resolved.exists()
