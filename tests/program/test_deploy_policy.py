"""Proves that the policy in docs/deployment.md has actions that exist and fit their resources.

`tests/engine/test_life.py` compares the actions with those that a deployment calls.
"""

import json
import re

from tests.components.test_policies import IAM, fits, resource_patterns
from tests.program.sample_stack import ROOT


def documented():
    """Return each action of the policy in the guide, with its resources."""
    section = (ROOT / "docs" / "deployment.md").read_text().partition("## Permissions to deploy")[2]
    statements = json.loads(re.search(r"```json\n(.*?)```", section, re.DOTALL)[1])["Statement"]
    lists = [
        [
            value if isinstance(value, list) else [value]
            for value in (one["Action"], one["Resource"])
        ]
        for one in statements
    ]

    return {action: resources for actions, resources in lists for action in actions}


def test_each_action_of_the_guide_exists_and_supports_a_resource_of_its_statement():
    for action, resources in documented().items():
        assert IAM.actions.action_exists(*action.split(":")), action
        patterns = resource_patterns(action)
        supported = not patterns or any(
            fits(resource, pattern) for resource in resources for pattern in patterns
        )
        assert supported, f"{action} does not support {resources}"
