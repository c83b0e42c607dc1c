"""Build the dataset group that a test works with: its exports, its pipeline, and how to create it.

    MOVIES                                                  # three datasets, a solution, a campaign
    small = MOVIES.with_datasets("interactions", min_relative_size=0.1)
    probed = MOVIES.with_solutions(solution("taste", campaigns=[campaign("home", user_id="u1")]))
    short = MOVIES.with_options(limits=LimitsArgs(max_import_hours=1))
    books = DatasetGroup("books").with_solutions(solution("novels", campaigns=["shelf"]))

    small.args          # the arguments of the pipeline (`RetrainingPipelineArgs`)
    small.settings()    # the document that every execution gets (`components/workflow_settings.py`)
    small.create(client, sleep)                             # create the group in Personalize

A dataset group never changes: every `with_...` method returns a new dataset group. A test starts
from `MOVIES` and changes only what it is about.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from components.args import (
    MAX_CAMPAIGNS,
    MAX_GATE_RULES,
    MAX_SOLUTIONS,
    MAX_TAGS,
    BakeArgs,
    BatchJobArgs,
    CampaignArgs,
    DatasetArgs,
    DatasetsArgs,
    LimitsArgs,
    ProbeArgs,
    QualityRuleArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
)
from components.rules.several_settings import CHARACTERS_PER_BATCH_JOB, MAX_LONG_VALUES_CHARACTERS
from components.rules.single_settings import METRIC_NAMES
from components.workflow_settings import build_workflow_settings
from functions.constants import PIPELINE_TAG

ACCOUNT = "123456789012"
REGION = "eu-west-1"
PERSONALIZE = f"arn:aws:personalize:{REGION}:{ACCOUNT}"
RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization"
POPULARITY = "arn:aws:personalize:::recipe/aws-popularity-count"
IMPORT_ROLE = f"arn:aws:iam::{ACCOUNT}:role/import"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:reports"
DASHBOARD = f"https://{REGION}.console.aws.amazon.com/cloudwatch/home#dashboards/dashboard/movies"
PREFIX = "0a1b2c3d"
"""The first part of every job's name."""
PIPELINE = "retraining"
"""The name of every pipeline."""
HOUR = 3600
FIRST_EVENT = 1_790_000_000
"""The time of the first interaction, in seconds since 1970."""

SCHEMAS = {
    "INTERACTIONS": {"USER_ID": "string", "ITEM_ID": "string", "TIMESTAMP": "long"},
    "ITEMS": {"ITEM_ID": "string", "GENRE": "string"},
    "USERS": {"USER_ID": "string", "AGE": "int"},
    "ACTIONS": {"ACTION_ID": "string", "VALUE": "long"},
    "ACTION_INTERACTIONS": {
        "USER_ID": "string",
        "ACTION_ID": "string",
        "EVENT_TYPE": "string",
        "TIMESTAMP": "long",
    },
}
"""The columns of each dataset type, with their types in Avro."""


def dataset_arn(dataset_type: str = "interactions", *, group: str = "movies") -> str:
    """Return the ARN of a dataset."""
    return f"{PERSONALIZE}:dataset/{group}/{dataset_type.upper()}"


def solution_arn(name: str = "taste") -> str:
    """Return the ARN of a solution."""
    return f"{PERSONALIZE}:solution/{name}"


def campaign_arn(name: str = "home") -> str:
    """Return the ARN of a campaign."""
    return f"{PERSONALIZE}:campaign/{name}"


def campaign(name: str = "home", *, bake: BakeArgs | None = None, **probe: object) -> CampaignArgs:
    """Return a campaign. It has a probe if fields of `ProbeArgs` are given."""
    return CampaignArgs(
        campaign_arn=campaign_arn(name), probe=ProbeArgs(**probe) if probe else None, bake=bake
    )


def alarm_arn(name: str) -> str:
    """Return the ARN of a CloudWatch alarm."""
    return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"


def solution(
    name: str = "taste", *, campaigns: Sequence[str | CampaignArgs] = ("home",), **changes: object
) -> SolutionArgs:
    """Return a solution with campaigns, which may be names. `changes` are fields of the args."""
    return SolutionArgs(
        solution_arn=solution_arn(name),
        campaigns=[
            item if isinstance(item, CampaignArgs) else campaign(item) for item in campaigns
        ],
        **changes,
    )


@dataclass(frozen=True)
class DatasetGroup:
    """A dataset group with its pipeline.

    Args:
        name: the name of the group, which is also a part of its datasets' ARNs.
        datasets: the changed fields of `DatasetArgs` for each dataset ("action_interactions").
        solutions: the solutions with their campaigns.
        options: the other fields of `RetrainingPipelineArgs`.
        recipe: the recipe of every solution.
        baseline: the name of a solution with the recipe aws-popularity-count instead.
        campaign_config: the campaignConfig of every campaign.
        domain: the domain of a Domain dataset group.
    """

    name: str = "movies"
    datasets: Mapping[str, Mapping[str, object]] = field(
        default_factory=lambda: {"interactions": {}, "items": {}, "users": {}}
    )
    solutions: Sequence[SolutionArgs] = (solution(),)
    options: Mapping[str, object] = field(default_factory=dict)
    recipe: str = RECIPE
    baseline: str | None = None
    campaign_config: Mapping[str, object] = field(default_factory=dict)
    domain: str | None = None

    def with_datasets(self, *dataset_types: str, **changes: object) -> "DatasetGroup":
        """Return the group with only these datasets, each with the same changed fields."""
        return replace(self, datasets=dict.fromkeys(dataset_types, changes))

    def with_dataset(self, dataset_type: str, **changes: object) -> "DatasetGroup":
        """Return the group with one dataset added, or with changed fields of that dataset."""
        return replace(self, datasets={**self.datasets, dataset_type: changes})

    def with_solutions(self, *solutions: SolutionArgs) -> "DatasetGroup":
        """Return the group with only these solutions."""
        return replace(self, solutions=solutions)

    def with_options(self, **options: object) -> "DatasetGroup":
        """Return the group with other fields of `RetrainingPipelineArgs`."""
        return replace(self, options={**self.options, **options})

    @property
    def args(self) -> RetrainingPipelineArgs:
        """Return the arguments of the pipeline that retrains this group."""
        datasets = {
            dataset_type: self._dataset(dataset_type, changes)
            for dataset_type, changes in self.datasets.items()
        }
        standard = {
            "datasets": DatasetsArgs(**datasets),
            "solutions": self.solutions,
            "import_role_arn": IMPORT_ROLE if datasets else None,
        }

        return RetrainingPipelineArgs(**{**standard, **self.options})

    def settings(self, prefix: str = PREFIX) -> dict[str, object]:
        """Return the settings that the state machine of the pipeline is deployed with."""
        return build_workflow_settings(
            replace(self.args, tags={**self.args.tags, PIPELINE_TAG: PIPELINE}),
            job_prefix=prefix,
            import_role_arn=IMPORT_ROLE if self.datasets else None,
            topic_arn=TOPIC,
            dashboard_url=DASHBOARD,
            batch_role_arn=IMPORT_ROLE if any(row.batch_jobs for row in self.solutions) else None,
        )

    def create(self, client, sleep: Callable[[float], None]) -> None:
        """Create the group in Personalize, with a first version that every campaign serves.

        The first version needs interactions, so this dataset is created even if the pipeline does
        not import it. `sleep` is called with the seconds that each step takes, some hours in total.
        """
        domain = {"domain": self.domain} if self.domain else {}
        client.create_dataset_group(name=self.name, **domain)
        sleep(600)
        dataset_types = sorted({"interactions", *self.datasets})
        for dataset_type in dataset_types:
            self.create_dataset(client, dataset_type)
        sleep(600)
        for dataset_type in dataset_types:
            self._import(client, dataset_type)
        sleep(HOUR)
        for args in self.solutions:
            name = _name(args.solution_arn)
            client.create_solution(
                name=name,
                datasetGroupArn=self.arn,
                recipeArn=POPULARITY if name == self.baseline else self.recipe,
                performAutoTraining=args.trained_by == "personalize",
            )
        sleep(600)
        versions = {
            args.solution_arn: client.create_solution_version(solutionArn=args.solution_arn)
            for args in self.solutions
        }
        sleep(3 * HOUR)
        for args in self.solutions:
            for campaign_args in args.campaigns:
                client.create_campaign(
                    name=_name(campaign_args.campaign_arn),
                    solutionVersionArn=versions[args.solution_arn]["solutionVersionArn"],
                    minProvisionedTPS=2,
                    campaignConfig=self.campaign_config,
                )
        sleep(HOUR)

    def create_dataset(self, client, dataset_type: str) -> None:
        """Create a dataset and its schema in Personalize. It is ACTIVE after some minutes."""
        name = f"{self.name}-{dataset_type}"
        columns = SCHEMAS[dataset_type.upper()]
        schema = {
            "type": "record",
            "name": dataset_type.title(),
            "namespace": "com.amazonaws.personalize.schema",
            "fields": [{"name": column, "type": avro} for column, avro in columns.items()],
            "version": "1.0",
        }
        client.create_dataset(
            name=name,
            schemaArn=client.create_schema(name=name, schema=json.dumps(schema))["schemaArn"],
            datasetGroupArn=self.arn,
            datasetType=dataset_type.title(),
        )

    @property
    def arn(self) -> str:
        """Return the ARN of the dataset group."""
        return f"{PERSONALIZE}:dataset-group/{self.name}"

    def _dataset(self, dataset_type: str, changes: Mapping[str, object]) -> DatasetArgs:
        standard = {
            "dataset_arn": dataset_arn(dataset_type, group=self.name),
            "data_location": f"s3://exports/{dataset_type}.csv",
        }
        return DatasetArgs(**{**standard, **changes})

    def _import(self, client, dataset_type: str) -> None:
        """Start the first import of a dataset, from the file that `exports` writes for its type."""
        client.create_dataset_import_job(
            jobName=f"{self.name}-first-{dataset_type}",
            datasetArn=dataset_arn(dataset_type, group=self.name),
            dataSource={"dataLocation": f"s3://exports/{dataset_type}.csv"},
            roleArn=IMPORT_ROLE,
        )


MOVIES = DatasetGroup()
"""The dataset group that most tests start from."""


def largest_group(
    name_characters: int = 63, filters: int = 0, location_characters: int = 0, bake_hours: int = 1
) -> DatasetGroup:
    """Return a group with the largest pipeline that the rules allow, and names of this length.

    A number of probes has filters, which leave less room for the texts of batch jobs. The locations
    of the exports have at least `location_characters`.
    """

    def name(start: str) -> str:
        return start.ljust(name_characters, "x")

    def filtered(number: int) -> dict[str, str]:
        has_filter = number < filters
        return {"filter_arn": f"{PERSONALIZE}:filter/{name(f'f{number}')}"} if has_filter else {}

    count = MAX_SOLUTIONS * MAX_CAMPAIGNS
    bake = BakeArgs(hours=bake_hours, alarms=[alarm_arn("a")])
    texts = MAX_LONG_VALUES_CHARACTERS - count * len(f"u{alarm_arn('a')}")
    texts -= sum(len(arn) for number in range(filters) for arn in filtered(number).values())
    datasets = {
        key: {"data_location": f"s3://exports/{key}".ljust(location_characters - 4, "x") + ".csv"}
        for key in ("interactions", "items", "users", "actions", "action_interactions")
    }
    batch_jobs = [
        BatchJobArgs(input=f"s3://exports/i/{number}", output=f"s3://exports/o/{number}/")
        for number in range(texts // (CHARACTERS_PER_BATCH_JOB + len("s3://exports/i/1" * 2) + 1))
    ]
    solutions = [
        SolutionArgs(
            solution_arn=solution_arn(name(f"s{index}")),
            quality_gate=[
                QualityRuleArgs(metric=metric, max_drop=1)
                for metric in METRIC_NAMES[:MAX_GATE_RULES]
            ],
            campaigns=[
                campaign(
                    name(f"c{index}-{number}"),
                    bake=bake,
                    user_id="u",
                    minutes=5,
                    **filtered(index * MAX_CAMPAIGNS + number),
                )
                for number in range(MAX_CAMPAIGNS)
            ],
            batch_jobs=batch_jobs[index : index + 1],
        )
        for index in range(MAX_SOLUTIONS)
    ]
    return (
        replace(MOVIES, datasets=datasets)
        .with_solutions(*solutions)
        .with_options(
            tags={f"{key:k<128}": "v" * 256 for key in range(MAX_TAGS)},
            limits=LimitsArgs(max_campaign_hours=0.05),
        )
    )


def exports(
    interactions: int = 1200, *, shift: int = 0, shuffled: bool = False
) -> dict[str, bytes]:
    """Return the CSV file of each dataset type, by the file's name ("interactions.csv").

    There are 40 users, and each of them likes every fifth of 200 items. A user does not meet an
    item twice in 40 interactions. `shift` changes the item with which each user begins, and makes
    each event this many seconds newer. If the histories are `shuffled`, a model cannot learn
    anything from them.
    """
    users = [number % 40 for number in range(interactions)]
    items = [
        user % 5 + 5 * ((number // 40 * 7 + user * 11 + shift) % 40)
        for number, user in enumerate(users)
    ]
    if shuffled:
        Random(1).shuffle(items)  # noqa: S311 - test data
    interaction_rows = [
        f"u{user},i{item},{FIRST_EVENT + number + shift}"
        for number, (user, item) in enumerate(zip(users, items, strict=True))
    ]
    tables = {
        "interactions": ["USER_ID,ITEM_ID,TIMESTAMP", *interaction_rows],
        "items": ["ITEM_ID,GENRE", *(f"i{number},g{number % 5}" for number in range(200))],
        "users": ["USER_ID,AGE", *(f"u{number},{20 + number}" for number in range(40))],
        "actions": ["ACTION_ID,VALUE", "a1,5", "a2,9"],
        "action_interactions": ["USER_ID,ACTION_ID,EVENT_TYPE,TIMESTAMP", "u1,a1,taken,1790000000"],
    }

    return {f"{name}.csv": "\n".join(rows).encode() for name, rows in tables.items()}


def interactions(rows: int = 1200, *, shift: int = 0, shuffled: bool = False) -> bytes:
    """Return the CSV file of the interactions, as `exports` writes it."""
    return exports(rows, shift=shift, shuffled=shuffled)["interactions.csv"]


def _name(arn: object) -> str:
    return str(arn).rpartition("/")[2]
