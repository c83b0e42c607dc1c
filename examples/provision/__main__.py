"""Creates a dataset group of Personalize with a solution, and the pipeline that keeps it fresh.

The campaign follows later, as README.md says, because it needs a version.
"""

import json
from collections.abc import Mapping

import pulumi
from personalize_retraining import (
    CampaignArgs,
    DatasetArgs,
    DatasetsArgs,
    ProbeArgs,
    RetrainingPipeline,
    RetrainingPipelineArgs,
    SolutionArgs,
)
from pulumi_aws_native.personalize import (
    Campaign,
    Dataset,
    DatasetGroup,
    DatasetType,
    EventTracker,
    Filter,
    Schema,
    Solution,
)

NAME = "movies"
RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization-v2"
COLUMNS: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "Interactions": {
        "USER_ID": {"type": "string"},
        "ITEM_ID": {"type": "string"},
        "EVENT_TYPE": {"type": "string"},
        "TIMESTAMP": {"type": "long"},
    },
    "Items": {
        "ITEM_ID": {"type": "string"},
        "GENRES": {"type": ["null", "string"], "categorical": True},
    },
}
"""Type of a dataset -> the columns of its export."""


def create_dataset(dataset_type: DatasetType, group: DatasetGroup) -> Dataset:
    """Create a dataset and its schema. It is empty until the first run of the pipeline."""
    kind = dataset_type.value
    fields = [{"name": name, **type_} for name, type_ in COLUMNS[kind].items()]
    avro = {
        "type": "record",
        "name": kind,
        "namespace": "com.amazonaws.personalize.schema",
        "fields": fields,
        "version": "1.0",
    }
    name = f"{NAME}-{kind.lower()}"
    schema = Schema(name, name=name, schema=json.dumps(avro))
    return Dataset(
        name,
        name=name,
        dataset_type=dataset_type,
        dataset_group_arn=group.dataset_group_arn,
        schema_arn=schema.schema_arn,
    )


def create_solution(group: DatasetGroup, datasets: list[Dataset]) -> Solution:
    """Create the solution, which Personalize trains by itself.

    This resource has no property for automatic training, and by default it is on, every 7 days.
    """
    return Solution(
        NAME,
        name=NAME,
        dataset_group_arn=group.dataset_group_arn,
        recipe_arn=RECIPE,
        opts=pulumi.ResourceOptions(depends_on=datasets),
    )


def create_campaign(version_arn: str) -> Campaign:
    """Create the campaign with its first version. From then on, the pipeline moves it."""
    return Campaign(
        NAME,
        name=NAME,
        solution_version_arn=version_arn,
        min_provisioned_tps=1,
        opts=pulumi.ResourceOptions(ignore_changes=["solutionVersionArn"]),
    )


config = pulumi.Config()
bucket, first_version = config.require("bucket"), config.get("firstVersion")
group = DatasetGroup(NAME, name=NAME)
interactions = create_dataset(DatasetType.INTERACTIONS, group)
items = create_dataset(DatasetType.ITEMS, group)
solution = create_solution(group, [interactions, items])
tracker = EventTracker(
    NAME,
    name=NAME,
    dataset_group_arn=group.dataset_group_arn,
    opts=pulumi.ResourceOptions(depends_on=[interactions]),
)
unseen = Filter(
    "unseen",
    name=f"{NAME}-unseen",
    dataset_group_arn=group.dataset_group_arn,
    filter_expression='EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("watch")',
    opts=pulumi.ResourceOptions(depends_on=[interactions, items]),
)
campaigns = [
    CampaignArgs(
        campaign_arn=create_campaign(version).campaign_arn,
        probe=ProbeArgs(user_id=config.require("probeUser"), filter_arn=unseen.filter_arn),
    )
    for version in filter(None, [first_version])
]
pipeline = RetrainingPipeline(
    NAME,
    RetrainingPipelineArgs(
        datasets=DatasetsArgs(
            interactions=DatasetArgs(
                dataset_arn=interactions.dataset_arn,
                data_location=f"s3://{bucket}/interactions/",
            ),
            items=DatasetArgs(dataset_arn=items.dataset_arn, data_location=f"s3://{bucket}/items/"),
        ),
        solutions=[
            SolutionArgs(
                solution_arn=solution.solution_arn,
                trained_by="personalize",
                campaigns=campaigns,
            )
        ],
        # Each run imports what is new, and deploys what Personalize has trained since the last one.
        retraining_rate="cron(0 3 * * ? *)",
    ),
)
pulumi.export("state_machine_arn", pipeline.state_machine_arn)
pulumi.export("tracking_id", tracker.tracking_id)
pulumi.export("solution_arn", solution.solution_arn)
