"""Proves that a stack with environments of Pulumi ESC gets the config that the CLI prints.

A program replaces the CLI. Does not prove that the real CLI prints the config in this form.
"""

import json
import os
import stat
import sys

import pytest

from emulator.deployer.configuration import read_project
from emulator.deployer.errors import DeploymentError
from retrain.rehearsal import environments, rehearse, stacks
from retrain.rehearsal.errors import RehearsalError
from tests.program.sample_stack import PROJECT, PROJECT_FILE, ROOT, one_problem, texts

ALTERNATIVE = "or copy the values into a stack file without environment"


@pytest.fixture
def project(tmp_path):
    """Write a project whose stack `dev` only has an environment. Return its folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(json.dumps({**PROJECT_FILE, "main": str(ROOT)}))
    (folder / "Pulumi.dev.yaml").write_text("environment:\n  - retraining/dev\n")
    return folder


@pytest.fixture
def install_cli(tmp_path, monkeypatch):
    """Return a function that installs a program as the CLI. It prints a config.

    The function returns a function that reads the arguments, the folder and the profile of the
    last call.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("AWS_PROFILE", "the-callers")

    def install(config=None, code=""):
        document = {key: {"value": value, "secret": False} for key, value in (config or {}).items()}
        document |= {f"{name}:accessKey": {"secret": True} for name in ("aws", "datadog")}
        program = folder / "pulumi"
        program.write_text(
            f"#!{sys.executable}\nimport json, os, sys\n{code}\n"
            f"open({str(tmp_path / 'call')!r}, 'w').write(\n"
            "    json.dumps([sys.argv[1:], os.getcwd(), os.environ['AWS_PROFILE']])\n)\n"
            f"print({json.dumps(document)!r})\n"
        )
        program.chmod(stat.S_IRWXU)
        return lambda: json.loads((tmp_path / "call").read_text())

    return install


def error_message(folder):
    with pytest.raises(RehearsalError) as caught, environments.without_environments(folder, "dev"):
        pytest.fail("no error was raised")
    return str(caught.value).replace(f"{folder}/", "")


def test_the_config_is_what_the_cli_prints_in_the_caller_s_environment(project, install_cli):
    last_call = install_cli(texts({"tags.cost": 42}))
    with environments.without_environments(project, "dev") as folder:
        config = read_project(folder, "dev", {}).config
        assert folder != project
    assert config == texts({"tags.cost": 42}), "without the access keys"
    assert last_call() == [
        ["config", "--json", "--open", "--stack", "dev", "--non-interactive", "--color", "never"],
        str(project),
        "the-callers",
    ]
    assert not folder.exists(), "the copy is deleted"
    assert sorted(path.name for path in project.iterdir()) == ["Pulumi.dev.yaml", "Pulumi.yaml"]


def test_a_rehearsal_reads_the_resolved_config(project, install_cli, capsys):
    install_cli(texts({"paused": "no"}))
    assert rehearse.rehearse("dev", project_dir=project) == 2
    problem = one_problem("paused: 'no' is not true or false")
    assert capsys.readouterr().err == f"{problem}\n"
    assert os.environ["AWS_PROFILE"] == "the-callers"


def test_a_setting_that_is_secret_in_an_environment_is_refused(project, monkeypatch):
    printed = {f"{PROJECT}:tags": {"secret": True}}
    monkeypatch.setattr(environments, "_resolved_config", lambda *_: printed)
    with pytest.raises(DeploymentError) as caught, stacks.open_stack(project, "dev", None):
        pytest.fail("the stack was opened")
    assert str(caught.value).partition("/Pulumi.dev.yaml: ")[2] == (
        f"{PROJECT}:tags: is encrypted, and the emulator has no key; set it again with --plaintext"
    )


def test_the_copy_names_the_program_of_the_project(project, install_cli):
    install_cli(texts({}))
    (project / "Pulumi.yaml").write_text(json.dumps({**PROJECT_FILE, "main": "program"}))
    with environments.without_environments(project, "dev") as folder:
        document = json.loads((folder / "Pulumi.yaml").read_text())
    assert document == {**PROJECT_FILE, "main": str(project / "program")}


@pytest.mark.parametrize("stack", ["dev", "prod"], ids=["no environment", "no file"])
def test_a_stack_without_environment_needs_no_cli(project, monkeypatch, stack):
    monkeypatch.setenv("PATH", "")
    (project / "Pulumi.dev.yaml").write_text(json.dumps({"config": texts({})}))
    with environments.without_environments(project, stack) as folder:
        assert folder == project


def test_without_the_cli_the_message_says_to_install_it(project, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert error_message(project) == (
        "Pulumi.dev.yaml: imports an environment, which only the Pulumi CLI can read; "
        f"install it and run pulumi login, {ALTERNATIVE}"
    )


def test_the_message_contains_the_error_of_the_cli(project, install_cli):
    install_cli(code="sys.exit('error: PULUMI_ACCESS_TOKEN must be set')")
    assert error_message(project) == (
        "Pulumi.dev.yaml: the Pulumi CLI cannot read the config: "
        f"error: PULUMI_ACCESS_TOKEN must be set; run pulumi login, {ALTERNATIVE}"
    )


def test_the_cli_has_a_time_limit(project, install_cli, monkeypatch):
    install_cli(code="import time; time.sleep(60)")
    monkeypatch.setattr(environments, "CLI_SECONDS", 0.5)
    assert error_message(project) == (
        "Pulumi.dev.yaml: the Pulumi CLI has not printed the config within 0.5 seconds; "
        f"start the command again, {ALTERNATIVE}"
    )
