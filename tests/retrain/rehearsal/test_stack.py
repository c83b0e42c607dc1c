"""Proves which stacks can be rehearsed, and with which settings."""

import json
import os

import pytest

from retrain.account import pulumi_cli, stack_config
from retrain.account.errors import OperatorError
from retrain.account.project_files import read_project
from retrain.rehearsal.stack import open_stack
from tests.program.sample_stack import CONFIG, ROOT, texts
from tests.sample_data import sample_data

PROBE = "solutions[0].campaigns[0].probe"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Let the command be called in the folder of the project."""
    monkeypatch.setattr(pulumi_cli, "PROJECT_DIR", tmp_path)


def error_message(folder, name="dev", data_dir=None):
    with pytest.raises(OperatorError) as caught, open_stack(name, data_dir) as stack:
        pytest.fail(f"{stack.name} was read")
    return str(caught.value).replace(f"{folder}/", "")


def test_a_rehearsal_has_short_probes_and_bakes_old_events_and_no_filters_themes_or_limit(project):
    kept = {"input": "s3://batch/users.json", "output": "s3://batch/out/", "numResults": 5}
    named = {"filterArn": "arn:aws:personalize:eu-west-1:123456789012:filter/x", "themes": "TITLE"}
    alarm = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:orders"
    options = {
        PROBE: {"userId": "42", "minutes": 10},
        "solutions[0].campaigns[0].bake": {"hours": 2, "alarms": [alarm]},
        "solutions[0].batchJobs": [{**kept, **named}],
        "datasets.interactions.maxEventAge": "3 days",
        "limits": {"maxTrainingsPerMonth": 3, "maxImportHours": 5},
        "paused": True,
    }
    project(**options)
    with open_stack("dev", None) as stack:
        read_project(stack.folder, "dev", stack.overrides)
        rehearsed = {key: json.loads(value) for key, value in stack.overrides.items()}

    assert list(rehearsed) == ["datasets", "solutions", "limits", "paused"]
    interactions = rehearsed["datasets"]["interactions"]
    assert interactions.items() >= CONFIG["datasets"]["interactions"].items()
    assert "maxEventAge" not in interactions

    (solution,) = rehearsed["solutions"]
    assert solution["solutionArn"] == CONFIG["solutions"][0]["solutionArn"]
    (campaign,) = solution["campaigns"]
    assert campaign["probe"] == {"userId": "42", "minResults": 1, "minutes": 0.02}
    assert campaign["bake"] == {"hours": 0.0015, "createAlarms": True}
    (job,) = solution["batchJobs"]
    assert kept.items() <= job.items()
    assert not named.keys() & job.keys()

    limits = rehearsed["limits"]
    assert (limits["maxTrainingsPerMonth"], limits["maxImportHours"]) == (0, 5)
    assert rehearsed["paused"] is False, "the schedule has to start the runs"
    assert stack.args.limits.max_trainings_per_month == 3, "the settings of the file are checked"


def test_the_csv_files_of_the_user_replace_the_sample_data(tmp_path, project):
    data = sample_data()
    for key in CONFIG["datasets"]:
        (tmp_path / f"{key}.csv").write_bytes(data.older[key.upper()])
    project()
    with open_stack("dev", tmp_path) as stack:
        assert stack.data.newer["USERS"] == data.newer["USERS"]
        assert stack.data.newer["INTERACTIONS"] == data.older["INTERACTIONS"]


def test_nothing_in_a_rehearsal_reaches_a_real_account(project, monkeypatch):
    before = {"AWS_PROFILE": "prod", "AWS_REGION": "eu-west-1", "https_proxy": "http://proxy"}
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    project()
    with open_stack("dev", None):
        assert not before.keys() & os.environ.keys()
        assert os.environ["AWS_CONFIG_FILE"] == os.environ["AWS_SHARED_CREDENTIALS_FILE"]
        assert os.environ["AWS_CONFIG_FILE"] == os.devnull

    assert before.items() <= os.environ.items(), "the caller's environment is restored"


def test_a_stack_that_cannot_be_read_is_refused(project, tmp_path):
    project()
    assert error_message(tmp_path, "acme/dev").startswith("--stack 'acme/dev': a stack's name has")
    config = json.dumps({"config": texts({})}).replace("arn:aws:", "arn:aws-cn:")
    (tmp_path / "Pulumi.cn.yaml").write_text(config.replace("eu-west-1", "cn-north-1"))
    assert error_message(tmp_path, "cn").startswith("stack cn is in the partition aws-cn, but")

    problems = error_message(project(retrainingRate="7 dayz", paused="maybe")).splitlines()
    assert problems[0] == "2 problems in the configuration of stack dev:"


@pytest.mark.usefixtures("project")
def test_a_stack_that_imports_environments_is_rehearsed_with_their_values(tmp_path, monkeypatch):
    (tmp_path / "Pulumi.dev.yaml").write_text("environment:\n  - retraining/dev\n")
    resolved = {**texts({"tags.cost": "42"}), "aws:accessKey": {"secure": ""}}
    monkeypatch.setattr(stack_config, "read_resolved_config", lambda *_: resolved)
    with open_stack("dev", None) as stack:
        project = read_project(stack.folder, "dev", {})

    assert (project.config, project.program) == (texts({"tags.cost": "42"}), ROOT)
    assert stack.args.tags["cost"] == "42"
    assert not stack.folder.exists(), "the copy is deleted"
