"""A stack that imports Pulumi ESC environments is rehearsed with what the Pulumi CLI prints.

Does not prove that the real CLI prints it so: a program in its place does.
"""

import json
import os
import stat
import sys

import pytest

from emulator.deployer.configuration import read_project
from emulator.deployer.errors import DeploymentError
from retrain.rehearsal import changes, environments, rehearse
from retrain.rehearsal.data.world import RehearsalError
from tests.program.sample_stack import PROJECT, PROJECT_FILE, ROOT, one_problem, texts

BY_HAND = "or copy the values into a stack file without environment"


@pytest.fixture
def project(tmp_path):
    """Write a project whose stack `dev` only has an environment. Return its folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(json.dumps({**PROJECT_FILE, "main": str(ROOT)}))
    (folder / "Pulumi.dev.yaml").write_text("environment:\n  - retraining/dev\n")
    return folder


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Return a function that replaces the Pulumi CLI by a program that prints a config."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(config=None, code=""):
        document = {key: {"value": each, "secret": False} for key, each in (config or {}).items()}
        document |= {f"{each}:accessKey": {"secret": True} for each in ("aws", "datadog")}
        program = folder / "pulumi"
        program.write_text(
            f"#!{sys.executable}\nimport json, os, sys\n{code}\n"
            f"open({str(tmp_path / 'called')!r}, 'w').write(\n"
            "    json.dumps([sys.argv[1:], os.getcwd(), os.environ['AWS_PROFILE']])\n)\n"
            f"print({json.dumps(document)!r})\n"
        )
        program.chmod(stat.S_IRWXU)
        return lambda: json.loads((tmp_path / "called").read_text())

    return put


def refusal(folder):
    with pytest.raises(RehearsalError) as caught, environments.resolved(folder, "dev"):
        pytest.fail("it was resolved")
    return str(caught.value).replace(f"{folder}/", "")


def test_the_config_is_what_the_cli_prints_in_the_callers_surroundings(project, cli, monkeypatch):
    called = cli(texts({"tags.cost": 42}))
    monkeypatch.setenv("AWS_PROFILE", "the-callers")
    with environments.resolved(project, "dev") as folder:
        read = read_project(folder, "dev", {})
        assert folder != project
    assert read.config == texts({"tags.cost": 42}), "without anybody's access key"
    assert called() == [
        ["config", "--json", "--open", "--stack", "dev", "--non-interactive", "--color", "never"],
        str(project),
        "the-callers",
    ]
    assert not folder.exists(), "the copy is gone"
    assert sorted(each.name for each in project.iterdir()) == ["Pulumi.dev.yaml", "Pulumi.yaml"]


def test_the_whole_rehearsal_reads_the_resolved_config(project, cli, monkeypatch, capsys):
    cli(texts({"paused": "no"}))
    monkeypatch.setenv("AWS_PROFILE", "the-callers")
    assert rehearse.rehearse("dev", project_dir=project) == 2
    assert capsys.readouterr().err == (
        one_problem("paused: 'no' is text; expected true or false") + "\n"
    )
    assert os.environ["AWS_PROFILE"] == "the-callers"


def test_a_setting_that_is_secret_in_an_environment_is_refused(project, monkeypatch):
    printed = {f"{PROJECT}:tags": {"secret": True}}
    monkeypatch.setattr(environments, "_config", lambda *_: printed)
    with (
        environments.resolved(project, "dev") as folder,
        pytest.raises(DeploymentError) as caught,
    ):
        rehearse.settings_of(folder, "dev", changes.nothing)
    assert str(caught.value) == (
        f"{folder}/Pulumi.dev.yaml: {PROJECT}:tags: is encrypted, and the emulator has no key; "
        "set it again with --plaintext"
    )


def test_a_program_beside_the_project_file_is_found_from_the_copy(project, cli, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "the-callers")
    cli(texts({}))
    (project / "Pulumi.yaml").write_text(json.dumps({**PROJECT_FILE, "main": "program"}))
    with environments.resolved(project, "dev") as folder:
        document = json.loads((folder / "Pulumi.yaml").read_text())
    assert document == {**PROJECT_FILE, "main": str(project / "program")}


def test_a_stack_without_environment_needs_no_cli(project, monkeypatch):
    monkeypatch.setenv("PATH", "")
    (project / "Pulumi.dev.yaml").write_text(json.dumps({"config": texts({})}))
    with environments.resolved(project, "dev") as folder:
        assert folder == project


def test_a_stack_without_file_is_left_to_who_knows_the_others(project):
    with environments.resolved(project, "prod") as folder:
        assert folder == project


def test_without_the_cli_the_way_out_is_named(project, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert refusal(project) == (
        "Pulumi.dev.yaml: imports an environment, which only the Pulumi CLI can read; "
        f"install it and run pulumi login, {BY_HAND}"
    )


def test_what_the_cli_says_is_passed_on(project, cli):
    cli(code="sys.exit('error: PULUMI_ACCESS_TOKEN must be set')")
    assert refusal(project) == (
        "Pulumi.dev.yaml: the Pulumi CLI cannot read its config: "
        f"error: PULUMI_ACCESS_TOKEN must be set; run pulumi login, {BY_HAND}"
    )


def test_a_cli_that_does_not_answer_is_not_waited_for_for_ever(project, cli, monkeypatch):
    cli(code="import time; time.sleep(60)")
    monkeypatch.setattr(environments, "PATIENCE_SECONDS", 0.5)
    assert refusal(project) == (
        "Pulumi.dev.yaml: the Pulumi CLI has not printed its config within 0.5 seconds; "
        f"try it again, {BY_HAND}"
    )
