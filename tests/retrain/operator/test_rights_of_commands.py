"""Proves that a command works with the permissions that its row lists, and needs all of them.

The emulator enforces the policy of the caller's role.
"""

import json

import pytest

from retrain.account.access import Access
from retrain.account.permissions import COMMANDS, policy_of
from retrain.account.target import find_target
from retrain.check.examined_pipeline import ExaminedPipeline
from tests.end_to_end.stack import eventually

pytestmark = pytest.mark.usefixtures("idle")
KEYS = {
    "AccessKeyId": "AWS_ACCESS_KEY_ID",
    "SecretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "SessionToken": "AWS_SESSION_TOKEN",
}


@pytest.fixture
def pipeline(stack):
    """Return the deployed pipeline."""
    access = Access("eu-west-1", None, stack.emulator.endpoint)
    target = find_target("dev", stack.output("state_machine_arn"), access)
    return ExaminedPipeline(target.settings, access, "dev", "dev", None, target, None)


@pytest.fixture
def become(stack, pipeline, monkeypatch):
    """Return a function that lets the next commands run as a role with the rights of a command.

    It returns a function that lists the actions that the role has called.
    """
    iam, sts = stack.client("iam"), stack.client("sts")
    roles = []

    def assume(command):
        trust = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{stack.emulator.account}:root"},
            "Action": "sts:AssumeRole",
        }
        document = {"Version": "2012-10-17", "Statement": [trust]}
        name = f"{command}-{len(roles)}"
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))
        roles.append(name)
        policy = policy_of(pipeline, COMMANDS[command])
        iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
        session = sts.assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="person")
        for key, name in KEYS.items():
            monkeypatch.setenv(name, session["Credentials"][key])
        caller = session["AssumedRoleUser"]["Arn"]
        return lambda: {
            call["action"] for call in stack.emulator.calls() if call["caller"] == caller
        }

    yield assume
    for name in roles:
        iam.delete_role_policy(RoleName=name, PolicyName="rights")
        iam.delete_role(RoleName=name)


def actions_of(command):
    """Return all actions that the row of a command allows."""
    return {action for actions in COMMANDS[command].values() for action in actions}


def test_history_needs_the_rights_of_its_row(first_run, retrain, become):
    called = become("history")
    arn = first_run.version_arn
    for options in ([], ["--version", arn], ["--version", arn.rpartition("/")[2]]):
        result = retrain("history", "--json", *options)
        assert result.code == 0, result.err
    assert actions_of("history") - called() == {"states:GetExecutionHistory"}, (
        "only the history of a run without an output is read, and no right is superfluous"
    )


def test_watch_needs_the_rights_of_its_row(first_run, retrain, become):
    called = become("watch")
    for run in (first_run.arn, first_run.id):
        result = retrain("watch", "--json", "--run", run)
        assert result.code == 0, result.err
    assert actions_of("watch") - called() == set()


def test_start_and_stop_need_the_rights_of_their_rows(stack, retrain, become, hanging):
    with hanging("solution-version"):
        started_calls = become("start")
        result = retrain("start", "--skip-import", "--force", "--json")
        assert result.code == 0, result.err
        arn = json.loads(result.out)["executionArn"]
        eventually(lambda: stack.read_run(arn).states, lambda states: "Train solution" in states)
        stopped_calls = become("stop")
        result = retrain("stop", "--yes", "--json")
        assert result.code == 0, result.err
        assert len(json.loads(result.out)["stoppedVersions"]) == 1
    assert actions_of("start") - started_calls() <= {
        "states:DescribeExecution",
        "states:GetExecutionHistory",
    }, "an execution is read only with --watch"
    assert actions_of("stop") - stopped_calls() == set()


def test_without_a_right_the_message_names_it(retrain, become):
    become("watch")
    result = retrain("start")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("these credentials may not call StartExecution: ")
    assert result.err.endswith(
        "; `retrain doctor --policy` prints the permissions that the commands need\n"
    )
