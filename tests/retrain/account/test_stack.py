"""Proves that the outputs and the config of a stack are read, or that one line says why not."""

import json

import pytest

from retrain.account import pulumi_cli
from retrain.account.errors import OperatorError
from retrain.account.project_files import read_project
from retrain.account.pulumi_cli import preview, read_outputs, read_state
from retrain.account.stack_config import open_readable_project, read_args
from tests.program.sample_stack import PROJECT, ROOT, SOLUTION, texts


def message(read, *arguments):
    with pytest.raises(OperatorError) as caught:
        read(*arguments)
    return str(caught.value)


def test_the_cli_reads_the_outputs_without_asking_anything(install_pulumi):
    call = install_pulumi({"state_machine_arn": "arn"})
    assert read_outputs("acme/films/prod") == {"state_machine_arn": "arn"}
    command = "stack output --json --stack acme/films/prod --non-interactive --color never"
    assert call() == command.split()
    assert pulumi_cli.PROJECT_DIR == ROOT, "which has Pulumi.yaml"


UNKNOWN = "sys.stderr.write('error: no stack named x found'); sys.exit(255)"
FAILURES = {
    "an error": (
        "qa",
        "sys.stderr.write('warning: old\\nerror: the backend is locked\\n'); sys.exit(255)",
    ),
    "other words": ("qa", "sys.exit('exit status 3.')"),
    "no words": ("qa", "sys.exit(255)"),
    "no document": ("qa", "print('Welcome to pulumi!')"),
    "no end": ("dev", "import time; time.sleep(60)"),
    "a stack without a file": ("prdo", UNKNOWN),
    "a stack of an organization": ("acme/films/prdo", UNKNOWN),
    "a stack that does not exist yet": ("prod", UNKNOWN),
}


def test_a_failure_of_the_cli_is_one_line_as_in_the_golden_file(
    install_pulumi, folder, golden, monkeypatch
):
    lines = [f"no CLI:\n  {message(read_outputs, 'dev')}\n"]
    for name, (stack, code) in FAILURES.items():
        install_pulumi(code=code)
        monkeypatch.setattr(pulumi_cli, "READ_TIMEOUT", 0.5 if name == "no end" else 120)
        lines.append(f"{name}:\n  {message(read_outputs, stack)}\n")

    (folder / "Pulumi.yaml").unlink()
    lines.append(f"no project:\n  {message(read_outputs, 'dev')}\n")
    golden("pulumi_cli.txt", "".join(lines).replace(str(folder), "FOLDER"))


PLAN = {"steps": [{"op": "same"}]}
FAILED_PLAN = {"diagnostics": [{"severity": "error", "message": "denied"}]}


def test_a_preview_changes_nothing_and_calls_aws_like_the_command(install_pulumi):
    call = install_pulumi(PLAN, code="import os; assert os.environ['AWS_PROFILE'] == 'ops'")
    for refresh, option in ((True, ["--refresh"]), (False, [])):
        document = preview("prod", refresh=refresh, env={"AWS_PROFILE": "ops"})
        assert document == PLAN
        options = "--stack prod --non-interactive --color never"
        assert call() == ["preview", "--json", *option, *options.split()]


def test_a_preview_that_failed_has_its_errors_or_the_reason_of_the_cli(install_pulumi, monkeypatch):
    failure = "sys.stderr.write('error: no passphrase\\n'); "
    end = "import atexit, os; atexit.register(os._exit, 1)"
    for printed, code, expected in (
        (FAILED_PLAN, f"{failure}{end}", FAILED_PLAN),
        ({"config": {}}, f"{failure}{end}", "no passphrase"),
        ({}, f"{failure}sys.exit(255)", "no passphrase"),
        ({}, "print('Welcome to pulumi!')", "it gives no reason"),
    ):
        install_pulumi(printed, code=code)
        if isinstance(expected, str):
            assert message(preview_of, "prod") == expected
        else:
            assert preview_of("prod") == expected

    monkeypatch.setattr(pulumi_cli, "PREVIEW_TIMEOUT", 0.5)
    install_pulumi(code="import time; time.sleep(60)")
    late = "the Pulumi CLI has not read stack prod within 0.5 seconds; try again, or see "
    late += "what `pulumi preview --refresh` says"
    assert message(preview_of, "prod") == late


def preview_of(stack):
    return preview(stack, refresh=True, env={})


def test_the_state_of_a_stack_is_what_the_cli_exports(install_pulumi):
    call = install_pulumi({"version": 3, "deployment": {"resources": []}})
    assert read_state("prod") == {"resources": []}
    assert call()[:2] == ["stack", "export"]


@pytest.mark.usefixtures("folder")
def test_the_file_and_the_defaults_of_the_project_are_read():
    args = read_args("prod")
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
        lines.append(f"{name}:\n  {message(read_args, stack)}\n")

    (folder / "Pulumi.prod.yaml").unlink()
    lines.append(f"no stacks at all:\n  {message(read_args, 'qa')}\n")
    golden("configs.txt", "".join(lines).replace(f"{folder}/", ""))


def test_the_cli_resolves_an_environment_and_secrets_stay_encrypted(folder, install_pulumi):
    document = {"environment": ["prod"], "config": texts({})}
    (folder / "Pulumi.prod.yaml").write_text(json.dumps(document))
    entries = {key: {"value": value, "secret": False} for key, value in texts({}).items()}
    token = {"datadog:apiKey": {"value": "", "secret": True}}
    call = install_pulumi({**entries, **token})
    with open_readable_project("prod") as resolved:
        assert read_project(resolved, "prod", {}).config.items() >= texts({}).items()
        document = json.loads((resolved / "Pulumi.prod.yaml").read_text())
        assert document["config"]["datadog:apiKey"] == {"secure": ""}
        main = json.loads((resolved / "Pulumi.yaml").read_text())["main"]
        assert main == str(ROOT)

    assert call()[:2] == ["config", "--open"]
    assert not resolved.exists()
