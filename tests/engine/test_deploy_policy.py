"""Proves that the policy in docs/deployment.md allows each call of a stack's whole life.

The emulator's provider deploys the stack. What the official provider calls besides is listed here.
"""

import json
import re

from tests.components.sample import BOUNDARY, KEY
from tests.components.test_policies import IAM, fits, resource_patterns
from tests.engine.stacks import ROOT

OFFICIAL_PROVIDER = {
    # These policies and profiles are removed before a role is deleted.
    "iam:ListAttachedRolePolicies",
    "iam:ListInstanceProfilesForRole",
    "iam:ListRolePolicies",
    # These attributes are read after each change.
    "lambda:GetFunctionCodeSigningConfig",
    "lambda:GetFunctionConfiguration",
    "lambda:ListTags",
    "states:ListStateMachineVersions",
    # The definition is checked in a preview.
    "states:ValidateStateMachineDefinition",
}
"""Actions that only the official AWS provider needs (hashicorp/terraform-provider-aws)."""
LATER_RELEASES = {"iam:UpdateAssumeRolePolicy", "lambda:UpdateFunctionConfiguration"}
"""Actions that an update needs only if a release changes a trust policy, a timeout or a memory."""
ONLY_ON_ALL = {"cloudwatch:PutCompositeAlarm", "cloudwatch:DescribeAlarms"}
"""Actions that work for composite alarms only if they are allowed on `*`:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html"""
NO_PERMISSION_NEEDED = {"sts:GetCallerIdentity"}
"""https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""


def documented_statements():
    """Return the statements of the policy in the guide."""
    page = (ROOT / "docs" / "deployment.md").read_text()
    section = page.partition("## Permissions to deploy")[2]
    return json.loads(re.search(r"```json\n(.*?)```", section, re.DOTALL)[1])["Statement"]


def as_list(value):
    """Return the actions or the resources of a statement, which may be a single text."""
    return [value] if isinstance(value, str) else value


def documented_actions():
    """Return the actions of the policy in the guide."""
    return {
        action for statement in documented_statements() for action in as_list(statement["Action"])
    }


def test_the_guide_allows_each_call_of_a_deployment_and_nothing_else(stack, emulator):
    allow_all = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    emulator.client("iam").create_policy(
        PolicyName="boundary",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow_all]}),
    )
    emulator.control("DELETE", "calls")
    stack.up()
    for key, value in {
        "tags.team": "other",
        "notifications.emails[0]": "team@example.com",
        "kmsKeyArn": KEY,
        "permissionsBoundaryArn": BOUNDARY,
        "retrainingRate": "cron(0 4 ? * MON *)",
        "logRetentionDays": "30",
    }.items():
        stack.set(key, value)
    module = stack.folder / "functions" / "clock.py"
    module.write_text(f"{module.read_text()}# changed\n")
    stack.up()
    for key in ("kmsKeyArn", "permissionsBoundaryArn", "tags.environment"):
        stack.remove(key)
    stack.up()
    stack.refresh()
    stack.destroy()
    called = {
        call["action"] for call in emulator.calls() if call["caller"].endswith(":root")
    } - NO_PERMISSION_NEEDED
    assert called - documented_actions() == set(), "these actions are missing in the guide"
    # A role is passed by the calls that name it.
    unused = documented_actions() - called - {"iam:PassRole"}
    assert unused == OFFICIAL_PROVIDER | LATER_RELEASES, "the guide allows nothing else"


def test_each_action_of_the_guide_exists_and_supports_a_resource_of_its_statement():
    for statement in documented_statements():
        resources = as_list(statement["Resource"])
        for action in as_list(statement["Action"]):
            if action in ONLY_ON_ALL:
                assert resources == ["*"], action
                continue
            patterns = resource_patterns(action)
            supported = not patterns or any(
                fits(resource, pattern) for resource in resources for pattern in patterns
            )
            assert supported, f"{action} does not support {resources}"
            assert IAM.actions.action_exists(*action.split(":")), action
