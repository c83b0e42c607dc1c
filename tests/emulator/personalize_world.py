"""A Personalize of one's own for a test: real boto3 clients, a clock moved by hand, a few files."""

from collections import UserDict
from datetime import UTC, datetime, timedelta
from functools import cached_property

import boto3
from botocore.config import Config

from emulator.personalize import Caller, NoSuchKey, Personalize, attach
from retrain.rehearsal.data.sample_data import sample_data, schema, to_csv

ACCOUNT, REGION = "123456789012", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/import"
ME = Caller(ACCOUNT, REGION, f"arn:aws:iam::{ACCOUNT}:role/me")
RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization"
ARN = f"arn:aws:personalize:{REGION}:{ACCOUNT}:"


class Files(UserDict):
    """Objects by (bucket, key), readable by whoever asks; reads are remembered."""

    def __init__(self):
        super().__init__()
        self.reads = []

    def keys(self, bucket, prefix, role_arn):
        """The key, or what is below the prefix."""
        self.reads.append((bucket, prefix, role_arn))
        inside = [key for owner, key in self.data if owner == bucket]
        return [
            k for k in inside if k == prefix or (prefix[-1:] in ("", "/") and k.startswith(prefix))
        ]

    def read(self, bucket, key, role_arn):
        """The object."""
        self.reads.append((bucket, key, role_arn))
        if (bucket, key) not in self:
            raise NoSuchKey(f"s3://{bucket}/{key} does not exist")
        return self[bucket, key]


class World:
    """Clients of one caller, and shortcuts that leave a test its subject."""

    def __init__(self, caller=ME, **options):
        self.now = datetime(2026, 11, 1, tzinfo=UTC)
        self.files = Files()
        self.personalize = Personalize(objects=self.files, clock=lambda: self.now, **options)
        self.client = self.connect(caller)

    def connect(self, caller=ME, service="personalize", attempts=1):
        """A client that leaves checking to the service, and does not try again unless told to."""
        client = boto3.client(
            service,
            region_name=caller.region,
            aws_access_key_id="AKIA",
            aws_secret_access_key="secret",  # noqa: S106 - nobody checks it
            config=Config(retries={"total_max_attempts": attempts}, parameter_validation=False),
        )
        attach(client, self.personalize, caller)
        return client

    @cached_property
    def runtime(self):
        """A client of the runtime."""
        return self.connect(service="personalize-runtime")

    def wait(self, seconds=60):
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def group(self, name="movies", **fields):
        """An ACTIVE dataset group: its ARN."""
        arn = self.client.create_dataset_group(name=name, **fields)["datasetGroupArn"]
        self.wait()
        return arn

    def dataset(self, group, kind="INTERACTIONS", text=None):
        """An ACTIVE dataset with a schema of its own: its ARN."""
        name = f"{group.rpartition('/')[2]}-{kind}"
        schema_arn = self.client.create_schema(name=name, schema=text or schema(kind))["schemaArn"]
        arn = self.client.create_dataset(
            name=name, schemaArn=schema_arn, datasetGroupArn=group, datasetType=kind
        )["datasetArn"]
        self.wait()
        return arn

    def put(self, key, data):
        """Put an object into the bucket of exports."""
        self.files["exports", key] = data

    def start_import(self, dataset, name, key="interactions.csv", **fields):
        """The ARN of an import that begins."""
        return self.client.create_dataset_import_job(
            jobName=name,
            datasetArn=dataset,
            dataSource={"dataLocation": f"s3://exports/{key}"},
            roleArn=ROLE,
            **fields,
        )["datasetImportJobArn"]

    def describe_import(self, arn):
        """What DescribeDatasetImportJob shows."""
        answer = self.client.describe_dataset_import_job(datasetImportJobArn=arn)
        return answer["datasetImportJob"]

    def imported(self, dataset, name, key="interactions.csv", **fields):
        """The import when it has ended."""
        arn = self.start_import(dataset, name, key, **fields)
        self.wait()
        return self.describe_import(arn)

    def solution(self, group, name="for-you", recipe=RECIPE, **fields):
        """An ACTIVE solution: its ARN."""
        arn = self.client.create_solution(
            name=name, datasetGroupArn=group, recipeArn=recipe, **fields
        )["solutionArn"]
        self.wait()
        return arn

    def start_version(self, solution, **fields):
        """The ARN of a training that begins."""
        answer = self.client.create_solution_version(solutionArn=solution, **fields)
        return answer["solutionVersionArn"]

    def describe_version(self, arn):
        """What DescribeSolutionVersion shows."""
        answer = self.client.describe_solution_version(solutionVersionArn=arn)
        return answer["solutionVersion"]

    def version(self, solution, **fields):
        """The ARN of a version that has been trained."""
        arn = self.start_version(solution, **fields)
        self.wait()
        return arn

    def campaign(self, version, name="live", **fields):
        """An ACTIVE campaign: its ARN."""
        arn = self.client.create_campaign(name=name, solutionVersionArn=version, **fields)[
            "campaignArn"
        ]
        self.wait()
        return arn

    def describe_campaign(self, arn):
        """What DescribeCampaign shows."""
        return self.client.describe_campaign(campaignArn=arn)["campaign"]

    def movies(self, recipe=RECIPE):
        """A group whose interactions are imported, and a solution: its ARN."""
        group = self.group()
        self.put("interactions.csv", interactions())
        self.imported(self.dataset(group), "first")
        return self.solution(group, recipe=recipe)


_DATA = {}


def interactions():
    """The sample data's interactions, made once for all tests."""
    if not _DATA:
        _DATA.update(sample_data())
    return _DATA["INTERACTIONS"]


def some_interactions(number, users=50):
    """So many interactions, of users who watch one film after the other."""
    rows = [(f"user-{i % users}", f"film-{i // users}", "watch", i) for i in range(number)]
    return to_csv(("USER_ID", "ITEM_ID", "EVENT_TYPE", "TIMESTAMP"), rows)


def refused(call, **request):
    """Code and message of the error with which a call is refused."""
    try:
        call(**request)
    except call.__self__.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"{call.__name__} was not refused")
