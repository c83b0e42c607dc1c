"""A dataset group in the Personalize emulator, made as a pipeline's settings name it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from random import Random
from types import SimpleNamespace

from botocore.exceptions import ClientError
from botocore.hooks import HierarchicalEmitter

from components.args import (
    CampaignArgs,
    DatasetArgs,
    DatasetsArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
)
from emulator.personalize import NoSuchKey
from tests.workflow.interpreter import ACCOUNT, REGION

PERSONALIZE = f"arn:aws:personalize:{REGION}:{ACCOUNT}"
RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization"
BEGINNING = datetime(2026, 11, 1, tzinfo=UTC)
IMPORT_ROLE = f"arn:aws:iam::{ACCOUNT}:role/import"

SCHEMAS = {
    "INTERACTIONS": [("USER_ID", "string"), ("ITEM_ID", "string"), ("TIMESTAMP", "long")],
    "ITEMS": [("ITEM_ID", "string"), ("GENRE", "string")],
    "USERS": [("USER_ID", "string"), ("AGE", "int")],
    "ACTIONS": [("ACTION_ID", "string"), ("VALUE", "long")],
    "ACTION_INTERACTIONS": [
        *[("USER_ID", "string"), ("ACTION_ID", "string")],
        *[("EVENT_TYPE", "string"), ("TIMESTAMP", "long")],
    ],
}


def settings(**changes: object) -> RetrainingPipelineArgs:
    """A group with three datasets, one solution and one campaign."""
    standard: dict[str, object] = {
        "import_role_arn": IMPORT_ROLE,
        "datasets": datasets("interactions", "items", "users"),
        "solutions": [solution()],
    }
    return RetrainingPipelineArgs(**{**standard, **changes})


def datasets(*keys: str, group: str = "movies", **changes: object) -> DatasetsArgs:
    """The datasets of these types (`action_interactions`), all with the same changes."""
    return DatasetsArgs(**{key: dataset(key.upper(), group, **changes) for key in keys})


def dataset(kind: str, group: str = "movies", **changes: object) -> DatasetArgs:
    standard = {
        "dataset_arn": f"{PERSONALIZE}:dataset/{group}/{kind}",
        "data_location": f"s3://exports/{kind.lower()}.csv",
    }
    return DatasetArgs(**{**standard, **changes})


def solution(name: str = "taste", campaigns: tuple[str, ...] = ("home",), **changes: object):
    arns = [CampaignArgs(campaign_arn=f"{PERSONALIZE}:campaign/{each}") for each in campaigns]
    return SolutionArgs(
        **{"solution_arn": f"{PERSONALIZE}:solution/{name}", "campaigns": arns, **changes}
    )


def exports(
    interactions: int = 1200, shift: int = 0, *, shuffled: bool = False
) -> dict[str, bytes]:
    """The CSV files in the bucket `exports`: 40 users who each like every fifth of 200 items.

    A user never meets an item twice in 40 interactions; `shift` moves where each begins.
    `shuffled`, nobody's history tells anything, and a model can learn nothing from it.
    """
    met = [(n % 40, 5 * ((n // 40 * 7 + n % 40 * 11 + shift) % 40)) for n in range(interactions)]
    items = [first + user % 5 for user, first in met]
    if shuffled:
        Random(1).shuffle(items)  # noqa: S311 - test data
    rows = [
        f"u{user},i{item},{1_790_000_000 + n}"
        for n, ((user, _), item) in enumerate(zip(met, items, strict=True))
    ]
    tables = {
        "interactions": ["USER_ID,ITEM_ID,TIMESTAMP", *rows],
        "items": ["ITEM_ID,GENRE", *(f"i{n},g{n % 5}" for n in range(200))],
        "users": ["USER_ID,AGE", *(f"u{n},{20 + n}" for n in range(40))],
        "actions": ["ACTION_ID,VALUE", "a1,5", "a2,9"],
        "action_interactions": ["USER_ID,ACTION_ID,EVENT_TYPE,TIMESTAMP", "u1,a1,taken,1790000000"],
    }
    return {f"{name}.csv": "\n".join(rows).encode() for name, rows in tables.items()}


@dataclass
class Bucket:
    """The objects of the bucket `exports`, readable by every role; also as a client of S3."""

    objects: dict[str, bytes]
    now: Callable[[], datetime]
    modified: dict[str, datetime] = field(default_factory=dict)
    meta: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(events=HierarchicalEmitter())
    )
    """Where a client of boto3 takes handlers of its events, of which there are none here."""

    def put(self, key: str, content: bytes) -> None:
        """Write an object now; those given at the beginning are of the beginning of time."""
        self.objects[key] = content
        self.modified[key] = self.now()

    def get_paginator(self, operation: str):
        """The only one there is: of the objects, a thousand a page."""
        assert operation == "list_objects_v2"
        return SimpleNamespace(paginate=self._list)

    def get_object(self, *, Bucket: str, Key: str, Range: str):  # noqa: N803 - S3's words
        """The first bytes of an object, as S3 gives them."""
        assert (Bucket, Range.partition("=")[0]) == ("exports", "bytes")
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        return {"Body": BytesIO(self.objects[Key][first : last + 1])}

    def _list(self, *, Bucket: str, Prefix: str):  # noqa: N803 - (as above)
        if Bucket != "exports":
            answer = {"Error": {"Code": "NoSuchBucket", "Message": "it does not exist"}}
            raise ClientError(answer, "ListObjectsV2")
        keys = sorted(key for key in self.objects if key.startswith(Prefix))
        for start in range(0, max(len(keys), 1), 1000):
            yield {
                "Contents": [
                    {
                        "Key": key,
                        "Size": len(self.objects[key]),
                        "ETag": f'"{hashlib.md5(self.objects[key]).hexdigest()}"',  # noqa: S324 - as S3
                        "LastModified": self.modified.get(key, BEGINNING),
                    }
                    for key in keys[start : start + 1000]
                ]
            }

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        """What `emulator.personalize.Objects` says."""
        del bucket, role_arn
        return sorted(
            key
            for key in self.objects
            if key == prefix or (prefix.endswith("/") and key.startswith(prefix))
        )

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        """What `emulator.personalize.Objects` says."""
        del role_arn
        if key not in self.objects:
            raise NoSuchKey(f"s3://{bucket}/{key} does not exist")
        return self.objects[key]


def make_group(
    api,
    args: RetrainingPipelineArgs,
    let_pass: Callable[[float], None],
    *,
    recipe: str = RECIPE,
    campaign_config: dict[str, object] | None = None,
    domain: str | None = None,
) -> None:
    """Make everything that the settings name, with a first version and campaigns on it.

    `api` is a client of Personalize. Some hours pass, `let_pass` is called with their seconds.
    """
    kinds = {str(each.dataset_arn).rpartition("/")[2] for _, each in args.datasets.configured()}
    name = str(next(args.datasets.configured())[1].dataset_arn).split("/")[1]
    of_domain = {"domain": domain} if domain else {}
    group = api.create_dataset_group(name=name, **of_domain)["datasetGroupArn"]
    let_pass(600)
    for kind in sorted(kinds | {"INTERACTIONS"}):
        make_dataset(api, group, name, kind)
    let_pass(600)
    for kind in sorted(kinds | {"INTERACTIONS"}):
        api.create_dataset_import_job(
            jobName=f"{name}-first-{kind.lower()}",
            datasetArn=f"{PERSONALIZE}:dataset/{name}/{kind}",
            dataSource={"dataLocation": f"s3://exports/{kind.lower()}.csv"},
            roleArn=IMPORT_ROLE,
        )
    let_pass(3600)
    for each in args.solutions:
        api.create_solution(
            name=str(each.solution_arn).rpartition("/")[2],
            datasetGroupArn=group,
            recipeArn=recipe,
            performAutoTraining=False,
        )
    let_pass(600)
    for each in args.solutions:
        api.create_solution_version(solutionArn=each.solution_arn)
    let_pass(3 * 3600)
    for each in args.solutions:
        version = api.list_solution_versions(solutionArn=each.solution_arn)["solutionVersions"][0]
        for campaign in each.campaigns:
            api.create_campaign(
                name=str(campaign.campaign_arn).rpartition("/")[2],
                solutionVersionArn=version["solutionVersionArn"],
                minProvisionedTPS=2,
                campaignConfig=campaign_config or {},
            )
    let_pass(3600)


def make_dataset(api, group: str, name: str, kind: str) -> None:
    """Make the dataset of a type, with its schema, in the group of that ARN and name."""
    record = {
        "type": "record",
        "name": kind.title(),
        "namespace": "com.amazonaws.personalize.schema",
        "fields": [{"name": field, "type": type_} for field, type_ in SCHEMAS[kind]],
        "version": "1.0",
    }
    schema = api.create_schema(name=f"{name}-{kind.lower()}", schema=json.dumps(record))
    api.create_dataset(
        name=f"{name}-{kind.lower()}",
        schemaArn=schema["schemaArn"],
        datasetGroupArn=group,
        datasetType=kind.title(),
    )
