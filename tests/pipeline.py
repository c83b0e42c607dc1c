"""The whole pipeline in one process: workflow, functions and Personalize on one virtual clock."""

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from unittest.mock import patch

import boto3
from botocore.stub import Stubber
from moto.core.models import botocore_stubber

from components.args import (
    CampaignArgs,
    DatasetArgs,
    DatasetsArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    document,
)
from components.steps import STEPS
from components.workflow import definition
from emulator.personalize import Caller, NoSuchKey, Personalize, attach
from functions import personalize as clients
from functions import runs
from tests.interpreter import ACCOUNT, REGION, Execution, Handler, Machine, Running, VirtualClock
from tests.interpreter import World as StepFunctions

PERSONALIZE = f"arn:aws:personalize:{REGION}:{ACCOUNT}"
RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization"
IMPORT_ROLE = f"arn:aws:iam::{ACCOUNT}:role/import"
PREFIX = "0a1b2c3d"
START = datetime(2026, 11, 22, tzinfo=UTC)
SLOT = "2026-11-29T03:00:00Z"
RUN = "20261129T030000Z"

SCHEMAS = {
    "INTERACTIONS": [("USER_ID", "string"), ("ITEM_ID", "string"), ("TIMESTAMP", "long")],
    "ITEMS": [("ITEM_ID", "string"), ("GENRE", "string")],
    "USERS": [("USER_ID", "string"), ("AGE", "int")],
}
SECONDS = {
    f"{PREFIX}-{RUN}-interactions-1": 930,
    f"{PREFIX}-{RUN}-items-1": 745,
    f"{PREFIX}-{RUN}-users-1": 1245,
    "solution-version": 5430,
    "campaign-update": 930,
}
"""How long a job takes, by the end of its ARN or by its kind; any other takes ten minutes."""


def settings(**changes: object) -> RetrainingPipelineArgs:
    """A group with three datasets, one solution and one campaign."""
    standard: dict[str, object] = {
        "import_role_arn": IMPORT_ROLE,
        "datasets": DatasetsArgs(
            interactions=dataset("INTERACTIONS"), items=dataset("ITEMS"), users=dataset("USERS")
        ),
        "solutions": [solution()],
    }
    return RetrainingPipelineArgs(**{**standard, **changes})


def dataset(kind: str, **changes: object) -> DatasetArgs:
    standard = {
        "dataset_arn": f"{PERSONALIZE}:dataset/movies/{kind}",
        "data_location": f"s3://exports/{kind.lower()}.csv",
    }
    return DatasetArgs(**{**standard, **changes})


def solution(name: str = "taste", campaigns: tuple[str, ...] = ("home",), **changes: object):
    arns = [CampaignArgs(campaign_arn=f"{PERSONALIZE}:campaign/{each}") for each in campaigns]
    return SolutionArgs(
        **{"solution_arn": f"{PERSONALIZE}:solution/{name}", "campaigns": arns, **changes}
    )


def exports(interactions: int = 1200, shift: int = 0) -> dict[str, bytes]:
    """The CSV files in the bucket `exports`: 40 users who each like every fifth item."""
    rows = [
        f"u{n % 40},i{(n * 5 + n % 40 % 5 + shift) % 60},{1_790_000_000 + n}"
        for n in range(interactions)
    ]
    return {
        "interactions.csv": "\n".join(["USER_ID,ITEM_ID,TIMESTAMP", *rows]).encode(),
        "items.csv": "\n".join(["ITEM_ID,GENRE", *(f"i{n},g{n % 5}" for n in range(60))]).encode(),
        "users.csv": "\n".join(["USER_ID,AGE", *(f"u{n},{20 + n}" for n in range(40))]).encode(),
    }


@dataclass
class Bucket:
    """The objects of the bucket `exports`, readable by every role."""

    objects: dict[str, bytes]

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        del bucket, role_arn
        return sorted(
            key
            for key in self.objects
            if key == prefix or (prefix.endswith("/") and key.startswith(prefix))
        )

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        del role_arn
        if key not in self.objects:
            raise NoSuchKey(f"s3://{bucket}/{key} does not exist")
        return self.objects[key]


@dataclass
class Pipeline:
    """A dataset group and the workflow that retrains it; made by `pipeline()`."""

    clock: VirtualClock
    step_functions: StepFunctions
    personalize: Personalize
    args: RetrainingPipelineArgs
    bucket: Bucket
    seconds: dict[str, float]
    handlers: dict[str, Handler] = field(default_factory=dict)
    schedule_changed_at: datetime = START

    @cached_property
    def api(self):
        """A client of Personalize for the test itself."""
        return self.client("personalize")

    def client(self, service: str, **options: object):
        """What `boto3.client` gives inside this world."""
        made = REAL_CLIENT(service, region_name=REGION, **options)
        if service == "personalize":
            # moto's own Personalize knows schemas only, and would answer first.
            made.meta.events.unregister("before-send", botocore_stubber)
            attach(made, self.personalize, Caller(ACCOUNT, REGION, f"arn:aws:iam::{ACCOUNT}:root"))
        if service == "scheduler":
            self._answer_get_schedule(made)
        return made

    @cached_property
    def machine(self) -> Machine:
        """The state machine with the functions as they are when it is first used."""
        return self.step_functions.machine(
            self.definition,
            {**{step: handler(step) for step in STEPS}, **self.handlers},
            timeouts={name: step.timeout_seconds for name, step in STEPS.items()},
        )

    @property
    def definition(self) -> Mapping[str, object]:
        arns = {step: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{step}:1" for step in STEPS}
        return definition(
            arns, document(self.args, job_prefix=PREFIX, import_role_arn=IMPORT_ROLE), self.args
        )

    def run(self, **request: object) -> Execution:
        """Start an execution as the schedule does, with overrides, and wait for its end."""
        return self.start(**request).wait()

    def start(self, **request: object) -> Running:
        given = {"trigger": "schedule", "scheduledTime": SLOT, "scheduleArn": SCHEDULE}
        return self.machine.start({**given, **request})

    def served(self, campaign: str = "home") -> str:
        """The version that a campaign serves now."""
        arn = f"{PERSONALIZE}:campaign/{campaign}"
        return self.api.describe_campaign(campaignArn=arn)["campaign"]["solutionVersionArn"]

    def versions(self, name: str = "taste") -> list[str]:
        """The ARNs of a solution's versions, oldest first."""
        arn = f"{PERSONALIZE}:solution/{name}"
        found = self.api.list_solution_versions(solutionArn=arn)["solutionVersions"]
        ordered = sorted(found, key=lambda each: each["creationDateTime"])
        return [each["solutionVersionArn"] for each in ordered]

    def started(self, operation: str) -> list[Mapping[str, object]]:
        """The requests of one operation that reached Personalize since the group was made."""
        return [
            call.request
            for call in self.personalize.calls
            if call.operation == operation and call not in self._made
        ]

    def let_pass(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def _answer_get_schedule(self, client) -> None:
        stubber = Stubber(client)
        times = {
            "CreationDate": self.schedule_changed_at,
            "LastModificationDate": self.schedule_changed_at,
        }
        stubber.add_response("get_schedule", times, {"GroupName": "group", "Name": "weekly"})
        stubber.activate()

    def make_group(self) -> None:
        """Make everything that the settings name, with a first version and campaigns on it."""
        api = self.api
        api.create_dataset_group(name="movies")
        group = f"{PERSONALIZE}:dataset-group/movies"
        self.let_pass(600)
        for kind, fields in SCHEMAS.items():
            schema = {
                "type": "record",
                "name": kind.title(),
                "namespace": "com.amazonaws.personalize.schema",
                "fields": [{"name": name, "type": type_} for name, type_ in fields],
                "version": "1.0",
            }
            schema_arn = api.create_schema(name=f"movies-{kind.lower()}", schema=json.dumps(schema))
            api.create_dataset(
                name=f"movies-{kind.lower()}",
                schemaArn=schema_arn["schemaArn"],
                datasetGroupArn=group,
                datasetType=kind.title(),
            )
        self.let_pass(600)
        for kind in SCHEMAS:
            api.create_dataset_import_job(
                jobName=f"first-{kind.lower()}",
                datasetArn=f"{PERSONALIZE}:dataset/movies/{kind}",
                dataSource={"dataLocation": f"s3://exports/{kind.lower()}.csv"},
                roleArn=IMPORT_ROLE,
            )
        self.let_pass(3600)
        for each in self.args.solutions:
            name = str(each.solution_arn).rpartition("/")[2]
            api.create_solution(
                name=name, datasetGroupArn=group, recipeArn=RECIPE, performAutoTraining=False
            )
            self.let_pass(600)
            version = api.create_solution_version(solutionArn=each.solution_arn)
            self.let_pass(3 * 3600)
            for campaign in each.campaigns:
                api.create_campaign(
                    name=str(campaign.campaign_arn).rpartition("/")[2],
                    solutionVersionArn=version["solutionVersionArn"],
                    minProvisionedTPS=2,
                )
        self.clock.sleep((datetime.fromisoformat(SLOT) - self.clock.now()).total_seconds())
        self._made = list(self.personalize.calls)


SCHEDULE = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/group/weekly"
REAL_CLIENT = boto3.client


@contextmanager
def pipeline(
    args: RetrainingPipelineArgs | None = None,
    *,
    seconds: Mapping[str, float] | None = None,
    handlers: Mapping[str, Handler] | None = None,
    **options: object,
) -> Iterator[Pipeline]:
    """Make a world in which the group exists and a week has passed since; the clock shows `SLOT`.

    `options` go to the Personalize emulator, `handlers` replace functions by name.
    """
    clock = VirtualClock(START)
    durations = {**SECONDS, **(seconds or {})}
    bucket = Bucket(exports())
    personalize = Personalize(
        objects=bucket,
        clock=clock.now,
        **{
            "timings": lambda kind, arn: (60, _seconds(durations, kind, arn) - 60),
            **options,
        },
    )
    with StepFunctions(clock) as step_functions:
        made = Pipeline(
            clock=clock,
            step_functions=step_functions,
            personalize=personalize,
            args=args or settings(),
            bucket=bucket,
            seconds=durations,
            handlers=dict(handlers or {}),
        )
        with (
            patch("boto3.client", made.client),
            patch("functions.clock.now", clock.now),
            patch("functions.clock.sleep", clock.sleep),
        ):
            forget_clients()
            made.make_group()
            yield made
            forget_clients()


def forget_clients() -> None:
    for cached in (clients.reader, clients.writer, runs.executions):
        cached.cache_clear()


def handler(step: str) -> Callable[[dict, object], object]:
    """The real function of a step."""
    return importlib.import_module(f"functions.{step}").handler


def _seconds(durations: Mapping[str, float], kind: str, arn: str) -> float:
    return durations.get(arn.rpartition("/")[2], durations.get(kind, 600))
