"""The world of a test: a Personalize in this process, boto3 clients, a clock and a few files."""

import re
from collections import UserDict
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import NamedTuple

import boto3
from botocore.config import Config

from emulator.personalize import Caller, JobFailed, Personalize, attach
from retrain.rehearsal.data import to_csv
from tests.sample_data import sample_data

ACCOUNT = "123456789012"
REGION = "eu-west-1"
CALLER = Caller(ACCOUNT, REGION, f"arn:aws:iam::{ACCOUNT}:role/caller")
IMPORT_ROLE = f"arn:aws:iam::{ACCOUNT}:role/import"
ARN = f"arn:aws:personalize:{REGION}:{ACCOUNT}:"
GROUP = f"{ARN}dataset-group/movies"
INTERACTIONS = f"{ARN}dataset/movies/INTERACTIONS"
INTERACTION_COLUMNS = ("USER_ID", "ITEM_ID", "EVENT_TYPE", "TIMESTAMP")
BATCH = {
    "jobInput": {"s3DataSource": {"path": "s3://exports/users.json"}},
    "jobOutput": {"s3DataDestination": {"path": "s3://exports/out/"}},
    "roleArn": IMPORT_ROLE,
}
"""The locations and the role of a batch job."""
FIRST_TIME = 1_700_000_000
"""The TIMESTAMP of the first numbered interaction."""


def recipe_arn(name):
    return f"arn:aws:personalize:::recipe/aws-{name}"


RECIPE = recipe_arn("user-personalization")


def long(text, versions):
    """Return a text of a golden file as Personalize has it: `<campaign/live>` is an ARN."""
    text = re.sub(r"\{(.)\*(\d+)\}", lambda match: match[1] * int(match[2]), text)
    text = re.sub(r"<(recipe/[^>]+)>", r"arn:aws:personalize:::\1", text)
    return re.sub(r"<([^>]+)>", lambda match: versions.get(match[1], ARN + match[1]), text)


def short(text, versions):
    """Return a text of Personalize as a golden file has it."""
    for name, arn in versions.items():
        text = text.replace(arn, f"<{name}>")
    text = re.sub(rf"{ARN}([\w/$-]+)", r"<\1>", text)
    text = re.sub(r"arn:aws:personalize:::(recipe/[\w-]+)", r"<\1>", text)
    return re.sub(r"(.)\1{59,}", lambda match: f"{{{match[1]}*{len(match[0])}}}", text)


class Error(NamedTuple):
    """The code and the message of an error response."""

    code: str
    message: str


def error_of(call, **request):
    """Return the error of a call. Fail if the call succeeds."""
    try:
        call(**request)
    except call.__self__.exceptions.ClientError as error:
        return Error(error.response["Error"]["Code"], error.response["Error"]["Message"])
    raise AssertionError(f"{call.__name__} succeeded")


class Files(UserDict):
    """S3 objects by (bucket, key). Every role may read them, and `reads` lists the reads."""

    def __init__(self):
        super().__init__()
        self.reads = []

    def keys(self, bucket, prefix, role_arn):
        """Return the keys that begin with the prefix."""
        self.reads.append((bucket, prefix, role_arn))
        keys = [key for key_bucket, key in self.data if key_bucket == bucket]
        return [key for key in keys if key.startswith(prefix)]

    def read(self, bucket, key, role_arn):
        """Return the bytes of an object."""
        self.reads.append((bucket, key, role_arn))
        if (bucket, key) not in self:
            raise JobFailed(f"s3://{bucket}/{key} does not exist")
        return self[bucket, key]

    def write(self, bucket, key, content, role_arn):
        """Write an object. The role `none` may not write."""
        if role_arn.endswith("/none"):
            raise JobFailed(f"{role_arn} may not write s3://{bucket}/{key}")
        self[bucket, key] = content


def describer(field):
    """Return a method that describes a resource, which is this field of the response."""
    operation = re.sub("([A-Z])", r"_\1", f"describe_{field}").lower()

    def describe(self, arn):
        return getattr(self.client, operation)(**{f"{field}Arn": arn})[field]

    return describe


class World:
    """A Personalize with one caller. `options` are arguments of Personalize.

    The methods return ARNs, and those without `start` in their names wait for the end of the job.
    """

    describe_import = describer("datasetImportJob")
    describe_version = describer("solutionVersion")
    describe_campaign = describer("campaign")

    def __init__(self, **options):
        self.now = datetime(2026, 11, 1, tzinfo=UTC)
        self.files = Files()
        self.personalize = Personalize(objects=self.files, clock=lambda: self.now, **options)
        self.client = self.connect()

    def connect(self, caller=CALLER, service="personalize", attempts=1):
        """Return a client that does not check requests and makes this number of attempts."""
        client = boto3.client(
            service,
            region_name=caller.region,
            aws_access_key_id="AKIA",
            aws_secret_access_key="secret",  # noqa: S106 - nothing checks it
            config=Config(retries={"total_max_attempts": attempts}, parameter_validation=False),
        )
        attach(client, self.personalize, caller)

        return client

    @cached_property
    def runtime(self):
        """The client of personalize-runtime."""
        return self.connect(service="personalize-runtime")

    def wait(self, seconds=60):
        """Move the clock forward."""
        self.now += timedelta(seconds=seconds)

    def inject(self, fault, **fields):
        """Inject a fault and return its id."""
        return self.personalize.faults.inject({"fault": fault, **fields})

    def create_group(self, name="movies", **fields):
        """Create a dataset group."""
        arn = self.client.create_dataset_group(name=name, **fields)["datasetGroupArn"]
        self.wait()
        return arn

    def create_schema(self, dataset_type, name="schema"):
        """Create the schema of the sample data for a type of dataset."""
        schema = sample_data().schemas[dataset_type]
        return self.client.create_schema(name=name, schema=schema)["schemaArn"]

    def create_dataset(self, group=None, dataset_type="INTERACTIONS", avro=None):
        """Create a dataset with its schema, by default in a new group."""
        group = group or self.create_group()
        name = f"{group.rpartition('/')[2]}-{dataset_type}"
        schema = avro or sample_data().schemas[dataset_type]
        created = self.client.create_schema(name=name, schema=schema)
        arn = self.client.create_dataset(
            name=name,
            schemaArn=created["schemaArn"],
            datasetGroupArn=group,
            datasetType=dataset_type,
        )["datasetArn"]
        self.wait()

        return arn

    def put(self, key, data):
        """Put an object into the bucket of the exports."""
        self.files["exports", key] = data

    def import_request(self, dataset, name="first", key="interactions.csv", **fields):
        """Return the arguments of CreateDatasetImportJob."""
        return {
            "jobName": name,
            "datasetArn": dataset,
            "dataSource": {"dataLocation": f"s3://exports/{key}"},
            "roleArn": IMPORT_ROLE,
            **fields,
        }

    def start_import(self, *args, **fields):
        """Start an import job. The arguments are those of `import_request`."""
        request = self.import_request(*args, **fields)
        return self.client.create_dataset_import_job(**request)["datasetImportJobArn"]

    def import_file(self, *args, **fields):
        """Run an import job to its end, and return its description."""
        arn = self.start_import(*args, **fields)
        self.wait()
        return self.describe_import(arn)

    def create_solution(self, group=None, name="for-you", recipe=RECIPE, **fields):
        """Create a solution, by default in a new group without data."""
        arn = self.client.create_solution(
            name=name, datasetGroupArn=group or self.create_group(), recipeArn=recipe, **fields
        )["solutionArn"]
        self.wait()
        return arn

    def create_trainable_solution(self, recipe=RECIPE, data=None):
        """Create a solution in a group with interactions."""
        group = self.create_group()
        self.put("interactions.csv", data or numbered_interactions(1000))
        self.import_file(self.create_dataset(group))
        return self.create_solution(group, recipe=recipe)

    def start_training(self, solution, **fields):
        """Start the training of a solution version."""
        response = self.client.create_solution_version(solutionArn=solution, **fields)
        return response["solutionVersionArn"]

    def train(self, solution, **fields):
        """Train a solution version to its end."""
        arn = self.start_training(solution, **fields)
        self.wait()
        return arn

    def create_campaign(self, version, name="live", **fields):
        """Create a campaign."""
        response = self.client.create_campaign(name=name, solutionVersionArn=version, **fields)
        self.wait()
        return response["campaignArn"]

    def start_update(self, campaign, version=None, **fields):
        """Start an update of a campaign. Return nothing."""
        versions = {} if version is None else {"solutionVersionArn": version}
        self.client.update_campaign(campaignArn=campaign, **versions, **fields)


@cache
def interactions():
    """Return the interactions of the sample data as CSV."""
    return sample_data().newer["INTERACTIONS"]


@cache
def numbered_interactions(number, users=50):
    """Return a CSV with this number of interactions. Each user watches film-0, film-1, ..."""
    rows = [
        (f"user-{position % users}", f"film-{position // users}", "watch", FIRST_TIME + position)
        for position in range(number)
    ]
    return to_csv(INTERACTION_COLUMNS, rows)
