"""Proves that the quotas of the account count, and AWS's defaults if the account's are unknown."""

from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber

from retrain.check.quotas import CAMPAIGNS, SERVICE, SOLUTIONS, TRAININGS, check_quotas
from tests.program.sample_stack import REGION

GROUP = f"arn:aws:personalize:{REGION}:123456789012:dataset-group/movies"
SOLUTION = f"arn:aws:personalize:{REGION}:123456789012:solution/movies-for-you"
POLICY_COMMAND = "retrain doctor --policy"
PAGE = {"maxResults": 100}


def rows(count, status):
    """Return items of a list, all with a status."""
    return [{"status": status} for _ in range(count)]


@pytest.fixture
def findings():
    """Return a function that runs the check with a response, or an error, of Service Quotas.

    Three of four listed trainings are running. The group has two solutions, of which one is ACTIVE.
    """
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    quotas, personalize = (
        boto3.client(name, region_name=REGION, **keys) for name in ("service-quotas", SERVICE)
    )

    def find(quota_rows=(), error=None):
        with Stubber(quotas) as service_quotas, Stubber(personalize) as lists:
            request = {"ServiceCode": SERVICE}
            if error:
                service_quotas.add_client_error(
                    "list_service_quotas", error, expected_params=request
                )
            else:
                response = {"Quotas": [*quota_rows]}
                service_quotas.add_response("list_service_quotas", response, request)
            versions = [*rows(3, "CREATE IN_PROGRESS"), *rows(1, "ACTIVE")]
            solutions = [
                {"solutionArn": SOLUTION, "status": "ACTIVE"},
                {"solutionArn": f"{SOLUTION}-2", "status": "CREATE FAILED"},
            ]
            lists.add_response("list_dataset_import_jobs", {"datasetImportJobs": []}, PAGE)
            lists.add_response("list_solution_versions", {"solutionVersions": versions}, PAGE)
            of_group, of_solution = {"datasetGroupArn": GROUP}, {"solutionArn": SOLUTION}
            lists.add_response("list_solutions", {"solutions": solutions}, {**of_group, **PAGE})
            campaigns = {"campaigns": rows(2, "ACTIVE")}
            lists.add_response("list_campaigns", campaigns, {**of_solution, **PAGE})
            access = SimpleNamespace(
                session=SimpleNamespace(client=lambda *_, **__: quotas),
                client_options={},
                personalize=personalize,
            )
            settings = {"datasets": [None] * 3, "solutions": [None]}
            pipeline = SimpleNamespace(settings=settings, command=lambda *_: POLICY_COMMAND)
            world = SimpleNamespace(dataset_groups={GROUP: {}})
            account = SimpleNamespace(
                access=access, pipeline=pipeline, view=SimpleNamespace(world=world)
            )
            return [tuple(row) for row in check_quotas(account)]

    return find


def test_the_quotas_of_the_account_count(findings):
    values = {SOLUTIONS: 30.0, CAMPAIGNS: 25.0, TRAININGS: 3.0, "L-14011066": 5.0}
    assert findings([{"QuotaCode": code, "Value": value} for code, value in values.items()]) == [
        ("ok", "0 of 5 imports of the region are running", None),
        (
            "warn",
            "3 of 3 trainings of the region are running, and a run needs 1",
            "nothing; a run waits until others have ended",
        ),
        ("ok", "movies has 1 of 30 solutions and 2 of 25 campaigns", None),
    ]


DEFAULTS = [
    ("ok", "0 of 5 imports of the region are running", None),
    ("ok", "3 of 20 trainings of the region are running (AWS's default quota)", None),
    ("ok", "movies has 1 of 10 solutions and 2 of 5 campaigns (AWS's default quota)", None),
]


def test_a_quota_that_is_not_returned_has_its_default(findings):
    rows = findings([{"QuotaCode": SOLUTIONS, "Value": 10.0}])
    assert rows == DEFAULTS, "the second quota of the last line is a default"


@pytest.mark.parametrize(
    ("error", "more"),
    [
        ("ServiceException", []),
        (
            "AccessDeniedException",
            [("warn", "these credentials may not read the account's quotas", POLICY_COMMAND)],
        ),
    ],
)
def test_without_the_quotas_of_the_account_the_defaults_count(findings, error, more):
    assert findings(error=error) == [*DEFAULTS, *more]
