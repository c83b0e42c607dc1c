"""Proves that docs/deploy-policy.json has actions that exist and fit their resources.

`tests/engine/test_life.py` compares the actions with those that a deployment calls.
"""

import json

from tests.components.test_policies import IAM, fits, resource_patterns
from tests.program.sample_stack import ROOT


def documented():
    """Return each action of the policy in the guide, with its resources."""
    statements = json.loads((ROOT / "docs" / "deploy-policy.json").read_text())["Statement"]
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
