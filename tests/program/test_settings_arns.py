"""ARNs that are wrong, each by itself and all together: the whole message of each."""

import pytest

import settings
from tests.program.sample_stack import (
    ACCOUNT,
    CAMPAIGN,
    GROUP,
    HOME,
    INTERACTIONS,
    ITEMS,
    PARTITION,
    REGION,
    SOLUTION,
    USERS,
    changed,
    one_problem,
)

EXAMPLE = "arn:aws:personalize:eu-west-1:123456789012"
ROLE_EXAMPLE = "arn:aws:iam::123456789012:role/personalize-import"
KEY_EXAMPLE = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
IAM = f"arn:{PARTITION}:iam::{ACCOUNT}"
KMS = f"arn:{PARTITION}:kms:{REGION}:{ACCOUNT}"
LONG_ROLE = f"{IAM}:role/{'x' * 300}"
BROKEN = {
    # ARNs.
    "an ARN has an ARN's shape": (
        {"solutions[0].solutionArn": "movies"},
        (
            "solutions[0].solutionArn: 'movies' is not an ARN; "
            f"expected the ARN of a solution, for example '{EXAMPLE}:solution/movies'"
        ),
    ),
    "an ARN names its region": (
        {"solutions[0].solutionArn": f"arn:aws:personalize::{ACCOUNT}:solution/x"},
        (
            f"solutions[0].solutionArn: 'arn:aws:personalize::{ACCOUNT}:solution/x' "
            f"is no valid ARN of a solution; expected one like '{EXAMPLE}:solution/movies'"
        ),
    ),
    "an ARN is short": (
        {"importRoleArn": LONG_ROLE},
        (
            f"importRoleArn: '{LONG_ROLE}' is {len(LONG_ROLE)} characters long; "
            "an ARN here has at most 256"
        ),
    ),
    "a solution is no solution version": (
        {"solutions[0].solutionArn": f"{SOLUTION}/1a2b3c"},
        (
            f"solutions[0].solutionArn: '{SOLUTION}/1a2b3c' is a solution version; "
            f"name the solution, '{SOLUTION}'"
        ),
    ),
    "a solution is no campaign": (
        {"solutions[0].solutionArn": f"{HOME}:campaign/x"},
        (
            f"solutions[0].solutionArn: '{HOME}:campaign/x' is a campaign; "
            f"expected a solution, for example '{EXAMPLE}:solution/movies'"
        ),
    ),
    "a campaign is no solution": (
        {"solutions[0].campaigns[0].campaignArn": SOLUTION},
        (
            f"solutions[0].campaigns[0].campaignArn: '{SOLUTION}' is a solution; "
            f"expected a campaign, for example '{EXAMPLE}:campaign/movies'"
        ),
    ),
    "a dataset is of its key's type": (
        {"datasets": {"items": {"datasetArn": USERS, "dataLocation": "s3://bucket/items.csv"}}},
        (
            f"datasets.items.datasetArn: '{USERS}' is a USERS dataset; "
            f"name the ITEMS dataset, '{HOME}:dataset/{GROUP}/ITEMS'"
        ),
    ),
    "the action interactions are of their type": (
        {
            "datasets.actionInteractions.datasetArn": INTERACTIONS,
            "datasets.actionInteractions.dataLocation": "s3://bucket/x.csv",
        },
        (
            f"datasets.actionInteractions.datasetArn: '{INTERACTIONS}' is an INTERACTIONS dataset; "
            f"name the ACTION_INTERACTIONS dataset, '{HOME}:dataset/{GROUP}/ACTION_INTERACTIONS'"
        ),
    ),
    "a dataset is no dataset group": (
        {"datasets.users.datasetArn": f"{HOME}:dataset-group/{GROUP}"},
        (
            f"datasets.users.datasetArn: '{HOME}:dataset-group/{GROUP}' is a dataset group; "
            f"name the USERS dataset, '{USERS}'"
        ),
    ),
    "a dataset is no import job": (
        {"datasets.users.datasetArn": f"{HOME}:dataset-import-job/x"},
        (
            f"datasets.users.datasetArn: '{HOME}:dataset-import-job/x' is a dataset import job; "
            f"expected a USERS dataset, for example '{EXAMPLE}:dataset/movies/USERS'"
        ),
    ),
    "a dataset is nothing of another service": (
        {"datasets.users.datasetArn": "arn:aws:s3:::bucket/users.csv"},
        (
            "datasets.users.datasetArn: 'arn:aws:s3:::bucket/users.csv' is a resource of s3; "
            f"expected a USERS dataset, for example '{EXAMPLE}:dataset/movies/USERS'"
        ),
    ),
    "the import role is a role": (
        {"importRoleArn": f"{IAM}:user/me"},
        f"importRoleArn: '{IAM}:user/me' is a user; expected a role, for example '{ROLE_EXAMPLE}'",
    ),
    "a role's name is ASCII": (
        {"importRoleArn": f"{IAM}:role/\u00fcni"},
        (
            f"importRoleArn: '{IAM}:role/\u00fcni' is no valid ARN of a role; "
            f"expected one like '{ROLE_EXAMPLE}'"
        ),
    ),
    "the permissions boundary is a policy": (
        {"permissionsBoundaryArn": f"{IAM}:role/boundary"},
        (
            f"permissionsBoundaryArn: '{IAM}:role/boundary' is a role; "
            "expected a policy, for example 'arn:aws:iam::123456789012:policy/boundary'"
        ),
    ),
    "a key is no alias": (
        {"kmsKeyArn": f"{KMS}:alias/logs"},
        (
            f"kmsKeyArn: '{KMS}:alias/logs' is a key alias; "
            "name its key, which `aws kms describe-key --key-id alias/logs` shows"
        ),
    ),
    "a data key is an ARN": (
        {"dataKmsKeyArn": "1234abcd"},
        (
            "dataKmsKeyArn: '1234abcd' is not an ARN; "
            f"expected the ARN of a key, for example '{KEY_EXAMPLE}'"
        ),
    ),
    # All ARNs together.
    "one region": (
        {"solutions[0].solutionArn": SOLUTION.replace(REGION, "us-east-1")},
        (
            f"solutions[0].solutionArn: '{SOLUTION.replace(REGION, 'us-east-1')}' is in region "
            f"us-east-1, but datasets.interactions.datasetArn is in {REGION}; all share one"
        ),
    ),
    "one account": (
        {"datasets.items.datasetArn": ITEMS.replace(ACCOUNT, "210987654321")},
        (
            f"datasets.items.datasetArn: '{ITEMS.replace(ACCOUNT, '210987654321')}' is in account "
            f"210987654321, but datasets.interactions.datasetArn is in {ACCOUNT}; all share one"
        ),
    ),
    "one partition": (
        {"importRoleArn": f"arn:aws-cn:iam::{ACCOUNT}:role/x"},
        (
            f"importRoleArn: 'arn:aws-cn:iam::{ACCOUNT}:role/x' is in partition aws-cn, "
            f"but datasets.interactions.datasetArn is in {PARTITION}; all share one"
        ),
    ),
    "the import role's account": (
        {"importRoleArn": f"arn:{PARTITION}:iam::210987654321:role/x"},
        (
            f"importRoleArn: 'arn:{PARTITION}:iam::210987654321:role/x' is in account "
            f"210987654321, but datasets.interactions.datasetArn is in {ACCOUNT}; all share one"
        ),
    ),
    "a key's region": (
        {"kmsKeyArn": KMS.replace(REGION, "us-east-1") + ":key/1"},
        (
            f"kmsKeyArn: '{KMS.replace(REGION, 'us-east-1')}:key/1' is in region us-east-1, "
            f"but datasets.interactions.datasetArn is in {REGION}; all share one"
        ),
    ),
    "one dataset group": (
        {"datasets.items.datasetArn": f"{HOME}:dataset/books/ITEMS"},
        (
            f"datasets.items.datasetArn: '{HOME}:dataset/books/ITEMS' is of dataset group books, "
            f"but datasets.interactions.datasetArn is of {GROUP}; "
            "one stack retrains one dataset group"
        ),
    ),
    "a solution once": (
        {"solutions[1]": {"solutionArn": SOLUTION}},
        (
            f"solutions[1].solutionArn: '{SOLUTION}' is named twice; "
            "solutions[0].solutionArn is the same"
        ),
    ),
    "a campaign once": (
        {
            "solutions[1]": {
                "solutionArn": f"{HOME}:solution/x",
                "campaigns": [{"campaignArn": CAMPAIGN}],
            }
        },
        (
            f"solutions[1].campaigns[0].campaignArn: '{CAMPAIGN}' is named twice; "
            "solutions[0].campaigns[0].campaignArn is the same"
        ),
    ),
}


@pytest.mark.parametrize(("changes", "line"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_told_with_its_key_the_value_and_the_way_out(changes, line):
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(changed(changes))
    assert str(caught.value) == one_problem(line), "the whole message, and no other problem"
