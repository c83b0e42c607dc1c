"""Proves the messages about each ARN, and about all ARNs together."""

import pytest

from tests.program.sample_stack import (
    ACCOUNT,
    CAMPAIGN,
    CONFIG,
    EXAMPLE,
    GROUP,
    HOME,
    INTERACTIONS,
    ITEMS,
    PARTITION,
    PROJECT,
    REGION,
    ROLE_EXAMPLE,
    SOLUTION,
    USERS,
    Refused,
    changed,
    error_of,
    one_problem,
    refused,
)

KEY_EXAMPLE = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
IAM = f"arn:{PARTITION}:iam::{ACCOUNT}"
KMS = f"arn:{PARTITION}:kms:{REGION}:{ACCOUNT}"
LONG_ROLE = f"{IAM}:role/{'x' * 300}"
FIRST = "datasets.interactions.datasetArn"
DATASETS = CONFIG["datasets"]
OTHER_REGION = (
    f"is in region us-east-1, but {FIRST} is in region {REGION}; correct one of the ARNs, because "
    "all of them need the same region"
)
OTHER_ACCOUNT = (
    f"is in account 210987654321, but {FIRST} is in account {ACCOUNT}; correct one of the ARNs, "
    f"because all of them need the same account"
)
REFUSED = {
    "text that is not an ARN": refused(
        "solutions[0].solutionArn",
        "movies",
        f"is not an ARN; expected the ARN of a solution, for example '{EXAMPLE}:solution/movies'",
    ),
    "an ARN without a region": refused(
        "solutions[0].solutionArn",
        f"arn:aws:personalize::{ACCOUNT}:solution/x",
        (f"is not a valid ARN of a solution; expected for example '{EXAMPLE}:solution/movies'"),
    ),
    "a long ARN": refused(
        "importRoleArn",
        LONG_ROLE,
        f"is {len(LONG_ROLE)} characters long; use an ARN of at most 256",
    ),
    "a solution version": refused(
        "solutions[0].solutionArn",
        f"{SOLUTION}/1a2b3c",
        f"is a solution version; name the solution, '{SOLUTION}'",
    ),
    "a campaign as solution": refused(
        "solutions[0].solutionArn",
        f"{HOME}:campaign/x",
        f"is a campaign; expected a solution, for example '{EXAMPLE}:solution/movies'",
    ),
    "a solution as campaign": refused(
        "solutions[0].campaigns[0].campaignArn",
        SOLUTION,
        f"is a solution; expected a campaign, for example '{EXAMPLE}:campaign/movies'",
    ),
    "a dataset of another type": Refused(
        {"datasets": {"items": {"datasetArn": USERS, "dataLocation": "s3://bucket/items.csv"}}},
        (
            f"datasets.items.datasetArn: '{USERS}' is a USERS dataset; "
            f"name the ITEMS dataset, '{HOME}:dataset/{GROUP}/ITEMS'"
        ),
    ),
    "interactions as action interactions": Refused(
        {
            "datasets.actionInteractions.datasetArn": INTERACTIONS,
            "datasets.actionInteractions.dataLocation": "s3://bucket/x.csv",
        },
        (
            f"datasets.actionInteractions.datasetArn: '{INTERACTIONS}' is an INTERACTIONS dataset; "
            f"name the ACTION_INTERACTIONS dataset, '{HOME}:dataset/{GROUP}/ACTION_INTERACTIONS'"
        ),
    ),
    "a dataset group": refused(
        "datasets.users.datasetArn",
        f"{HOME}:dataset-group/{GROUP}",
        f"is a dataset group; name the USERS dataset, '{USERS}'",
    ),
    "an import job": refused(
        "datasets.users.datasetArn",
        f"{HOME}:dataset-import-job/x",
        (
            "is a dataset import job; "
            f"expected a USERS dataset, for example '{EXAMPLE}:dataset/movies/USERS'"
        ),
    ),
    "a resource of another service": refused(
        "datasets.users.datasetArn",
        "arn:aws:s3:::bucket/users.csv",
        (
            "is a resource of s3; "
            f"expected a USERS dataset, for example '{EXAMPLE}:dataset/movies/USERS'"
        ),
    ),
    "a user as import role": refused(
        "importRoleArn",
        f"{IAM}:user/me",
        f"is a user; expected a role, for example '{ROLE_EXAMPLE}'",
    ),
    "a role whose name is not ASCII": refused(
        "importRoleArn",
        f"{IAM}:role/\u00fcni",
        f"is not a valid ARN of a role; expected for example '{ROLE_EXAMPLE}'",
    ),
    "a role as permissions boundary": refused(
        "permissionsBoundaryArn",
        f"{IAM}:role/boundary",
        "is a role; expected a policy, for example 'arn:aws:iam::123456789012:policy/boundary'",
    ),
    "an alias of a key": refused(
        "kmsKeyArn",
        f"{KMS}:alias/logs",
        ("is a key alias; name its key, which `aws kms describe-key --key-id alias/logs` shows"),
    ),
    "the id of a key": refused(
        "dataKmsKeyArn",
        "1234abcd",
        f"is not an ARN; expected the ARN of a key, for example '{KEY_EXAMPLE}'",
    ),
    "a solution in another region": refused(
        "solutions[0].solutionArn", SOLUTION.replace(REGION, "us-east-1"), OTHER_REGION
    ),
    "a dataset in another account": refused(
        "datasets.items.datasetArn", ITEMS.replace(ACCOUNT, "210987654321"), OTHER_ACCOUNT
    ),
    "a role in another partition": refused(
        "importRoleArn",
        f"arn:aws-cn:iam::{ACCOUNT}:role/x",
        (
            f"is in partition aws-cn, but {FIRST} is in partition {PARTITION}; "
            "correct one of the ARNs, because all of them need the same partition"
        ),
    ),
    "a role in another account": refused(
        "importRoleArn", f"arn:{PARTITION}:iam::210987654321:role/x", OTHER_ACCOUNT
    ),
    "a key in another region": refused(
        "kmsKeyArn", KMS.replace(REGION, "us-east-1") + ":key/1", OTHER_REGION
    ),
    "a dataset of another group": refused(
        "datasets.items.datasetArn",
        f"{HOME}:dataset/books/ITEMS",
        (
            f"is in dataset group books, but {FIRST} is in dataset group {GROUP}; correct the "
            f"ARN, or give books a stack of its own"
        ),
    ),
    "a repeated solution": Refused(
        {"solutions[1]": {"solutionArn": SOLUTION}},
        (
            f"solutions[1].solutionArn: '{SOLUTION}' is also the value of "
            f"solutions[0].solutionArn; correct or remove one of the two settings"
        ),
    ),
    "a repeated campaign": Refused(
        {
            "solutions[1]": {
                "solutionArn": f"{HOME}:solution/x",
                "campaigns": [{"campaignArn": CAMPAIGN}],
            }
        },
        (
            f"solutions[1].campaigns[0].campaignArn: '{CAMPAIGN}' is also the value of "
            f"solutions[0].campaigns[0].campaignArn; correct or remove one of the two settings"
        ),
    ),
}


@pytest.mark.parametrize(("changes", "line"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_arn_is_refused(changes, line):
    assert error_of(changed(changes)) == one_problem(line)


def elsewhere(*keys):
    """Return changes that move these ARNs of the sample stack to us-east-1."""
    arns = {
        "solutions[0].solutionArn": SOLUTION,
        "solutions[0].campaigns[0].campaignArn": CAMPAIGN,
        **{f"datasets.{key}.datasetArn": row["datasetArn"] for key, row in DATASETS.items()},
    }
    return {key: arn.replace(REGION, "us-east-1") for key, arn in arns.items() if key in keys}


def test_without_a_region_of_the_stack_the_region_of_most_arns_is_taken_as_the_right_one():
    changes = elsewhere(*(f"datasets.{key}.datasetArn" for key in DATASETS))
    assert error_of(changed({**changes, "solutions[0].campaigns": []})) == one_problem(
        f"solutions[0].solutionArn: '{SOLUTION}' is in region {REGION}, but {FIRST} is in "
        "region us-east-1; correct one of the ARNs, because all of them need the same region"
    )


@pytest.mark.parametrize(
    "keys",
    [
        [FIRST],
        # Most of the ARNs.
        [f"datasets.{key}.datasetArn" for key in DATASETS],
        ["solutions[0].solutionArn", "kmsKeyArn"],
    ],
    ids=["one", "most", "two"],
)
def test_only_the_arns_outside_the_region_of_the_stack_are_wrong(keys):
    changes = {**elsewhere(*keys), "kmsKeyArn": f"{KMS}:key/1"}
    if "kmsKeyArn" in keys:
        changes["kmsKeyArn"] = changes["kmsKeyArn"].replace(REGION, "us-east-1")
    assert error_of(changed(changes), region=REGION).splitlines()[1:] == [
        f"  {PROJECT}:{key}: '{changes[key]}' is in region us-east-1, but the stack's aws:region "
        f"is {REGION}; correct the ARN"
        for key in sorted(keys)
    ]


def test_the_account_is_that_of_the_arns_in_the_region_of_the_stack():
    changes = elsewhere(*(f"datasets.{key}.datasetArn" for key in DATASETS))
    changes = {key: arn.replace(ACCOUNT, "210987654321") for key, arn in changes.items()}
    lines = error_of(changed(changes), region=REGION).splitlines()[1:]
    assert [line.split(": ")[0].strip() for line in lines] == [
        f"{PROJECT}:{key}" for key in sorted(changes) for _ in ("region", "account")
    ]


def test_the_region_of_the_stack_must_be_the_region_of_the_arns():
    assert error_of(changed({}), region="us-east-1") == one_problem(
        f"{FIRST}: '{INTERACTIONS}' is in region {REGION}, but the stack's aws:region is "
        "us-east-1; correct the ARN, or set aws:region to eu-west-1 in the stack's file"
    )
