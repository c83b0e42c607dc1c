"""Proves that the policy in docs/deployment.md has actions that exist and fit their resources.

`tests/engine/test_life.py` compares the actions with those that a deployment calls.
"""

import json
import re

from tests.components.test_policies import IAM, fits, resource_patterns
from tests.program.sample_stack import ROOT


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


def test_each_action_of_the_guide_exists_and_supports_a_resource_of_its_statement():
    for statement in documented_statements():
        resources = as_list(statement["Resource"])
        for action in as_list(statement["Action"]):
            patterns = resource_patterns(action)
            supported = not patterns or any(
                fits(resource, pattern) for resource in resources for pattern in patterns
            )
            assert supported, f"{action} does not support {resources}"
            assert IAM.actions.action_exists(*action.split(":")), action
