"""Proves that the permissions of a command, as `doctor --policy` prints them, are enough for it.

The emulator denies everything that no policy allows. Each command runs in a role of its own.
"""

import json
from contextlib import contextmanager

import boto3
import pytest

from components import settings
from emulator.deployer.configuration import read_project
from retrain.account import permissions
from retrain.account.access import Access
from retrain.check.examined_pipeline import find_pipeline
from retrain.rehearsal.data.exports import policy_document
from retrain.rehearsal.data.resources import create_resources
from retrain.rehearsal.data.sample_data import SampleData
from tests.end_to_end.stack import deploy_stack, eventually
from tests.end_to_end.test_messages import create_queue
from tests.program.sample_stack import ROOT
from tests.retrain.operator.account.conftest import FILMS

SONGS = FILMS.replace("films", "songs").replace("# approval:", "approval:")
SONGS = SONGS.replace("      #   timeoutHours: 72", "        timeoutHours: 72")
"""The file of a stack whose versions a person approves."""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AccessKeyId",
    "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
    "AWS_SESSION_TOKEN": "SessionToken",
}
"""Variable -> its key in the answer of AssumeRole."""


@pytest.fixture(scope="module")
def songs(emulator, tmp_path_factory):
    """Deploy the stack `songs`. Its campaign serves a version that no run has trained."""
    folder = tmp_path_factory.mktemp("songs")
    project_file = (ROOT / "Pulumi.yaml").read_text()
    (folder / "Pulumi.yaml").write_text(f"{project_file}\nmain: {ROOT}\n")
    (folder / "Pulumi.songs.yaml").write_text(SONGS)
    project = read_project(folder, "songs", {})
    args = settings.parse_stack(project.name, "songs", project.config)
    create_resources(emulator, args, lambda _: None, SampleData())
    return deploy_stack(emulator, "songs", folder)


@pytest.fixture
def pipeline(songs, project_dir, emulator):
    """Return the deployed pipeline, as the commands find it."""
    (project_dir / "Pulumi.songs.yaml").write_text(SONGS)
    access = Access("eu-west-1", None, emulator.endpoint)
    return find_pipeline("songs", songs.output("state_machine_arn"), access)


@pytest.fixture
def allowed(run, emulator, pipeline, songs, monkeypatch):
    """Return a function that runs a command in a role that may do what the command's row says."""

    def run_command(command, *arguments, pipeline_option=True):
        grants = permissions.COMMANDS[command]
        policy = json.dumps(permissions.policy_of(pipeline, grants))
        machine = ("--state-machine-arn", songs.output("state_machine_arn"))
        with (
            role(emulator, f"may-{command}", policy) as credentials,
            monkeypatch.context() as patch,
        ):
            for name, key in CREDENTIALS.items():
                patch.setenv(name, credentials[key])
            result = run(command, *arguments, *(machine if pipeline_option else ()))
        assert "may not call" not in result.err + result.out
        return result

    return run_command


@contextmanager
def role(emulator, name, policy):
    """Create a role with a policy, and yield credentials for it."""
    iam, sts = (boto3.client(service, **emulator.connection) for service in ("iam", "sts"))
    trust = policy_document(
        Principal={"AWS": f"arn:aws:iam::{emulator.account}:root"}, Action="sts:AssumeRole"
    )
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=policy)
    try:
        yield sts.assume_role(RoleArn=arn, RoleSessionName="person")["Credentials"]
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="policy")
        iam.delete_role(RoleName=name)


@pytest.fixture
def asked(songs):
    """Run the pipeline, and return the version that waits for an approval."""
    run = songs.run(force=True, skipImport=True)
    assert run.report["outcome"] == "AWAITING_APPROVAL"
    return run.version_arn


def test_a_group_can_be_adopted_with_ids_for_its_probes(allowed, project_dir, songs):
    group = songs.solution_arn.replace(":solution/songs-for-you", ":dataset-group/songs")
    result = allowed(
        *("adopt", "--dataset-group-arn", group, "--stack", "copy"), pipeline_option=False
    )
    assert result.code == 0, result.err
    assert "\n            userId: " in (project_dir / "Pulumi.copy.yaml").read_text()


def test_the_account_is_checked_and_a_run_planned_without_a_denied_call(allowed, emulator):
    emulator.control("DELETE", "calls")
    assert allowed("doctor").code == 0
    assert allowed("plan").code == 0
    denied = [call for call in emulator.calls() if call["status"] == 403]
    assert denied == []


def test_a_run_is_started_watched_stopped_and_listed(allowed, songs, emulator):
    fault = {"fault": "hang", "job": "solution-version"}
    emulator.control("POST", "faults", fault)
    started = allowed("start", "--skip-import", "--force", "--json")
    assert started.code == 0
    states = songs.client("stepfunctions")
    execution = started.document["executionArn"]
    eventually(lambda: songs.read_run(execution).states, lambda names: "Train solution" in names)
    assert allowed("stop", "--yes").code == 0
    emulator.control("DELETE", "faults")
    assert states.describe_execution(executionArn=execution)["status"] == "ABORTED"
    assert allowed("watch").code == 1
    assert allowed("history").code == 0


def test_a_version_is_approved_traced_and_left_again(allowed, songs, asked):
    result = allowed("approve", asked, "--yes", "--json")
    assert result.code == 0, result.err
    assert songs.wait_for(result.document["executionArn"]).status == "SUCCEEDED"
    assert songs.served_version() == asked
    assert allowed("history", "--version", asked).code == 0
    assert allowed("rollback", "--yes").code == 0
    assert songs.served_version() != asked


def test_a_version_is_refused(allowed, asked):
    assert allowed("approve", "--reject", asked, "--yes").code == 0


def test_an_alarm_notifies_the_confirmed_subscribers(allowed, songs):
    sns, topic = songs.client("sns"), songs.output("topic_arn")
    nobody = allowed("test-alarm")
    assert nobody.code == 1
    assert nobody.err.endswith(
        f"the alarm has notified {topic}, but nobody has subscribed and confirmed; add an address "
        "with notifications.emails\n"
    )
    url, arn = create_queue(songs, "pager", "sns.amazonaws.com", topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    result = allowed("test-alarm")
    assert (result.code, result.out) == (0, f"{topic} notifies {arn}\n"), result.err
    sqs = songs.client("sqs")
    messages = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), bool)
    text = json.loads(messages[0]["Body"])["Message"]
    assert "A test of retrain test-alarm" in text, "the person on call need not wake up"


def test_an_alarm_that_cannot_notify_is_named(allowed, songs):
    sns, topic = songs.client("sns"), songs.output("topic_arn")
    sns.delete_topic(TopicArn=topic)
    result = allowed("test-alarm")
    assert result.code == 1
    assert f"could not notify {topic}: Resource does not exist; " in result.err
