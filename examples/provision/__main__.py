"""Creates a dataset group of Personalize with a solution, and the pipeline that retrains it.

The campaign follows later, as README.md says, because it needs a version that a run has trained.
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
from pulumi_command import local

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
    """Create the solution, and turn its automatic training off.

    This resource has no such property, and by default Personalize trains each week, for the first
    time within an hour. A replaced solution keeps its ARN, so `replace_with` repeats the command.
    """
    solution = Solution(
        NAME,
        name=NAME,
        dataset_group_arn=group.dataset_group_arn,
        recipe_arn=RECIPE,
        opts=pulumi.ResourceOptions(depends_on=datasets),
    )
    turn_off = "aws personalize update-solution --no-perform-auto-training --solution-arn"
    local.Command(
        "no-automatic-training",
        create=pulumi.Output.concat(turn_off, " ", solution.solution_arn),
        opts=pulumi.ResourceOptions(replace_with=[solution]),
    )
    return solution


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
        solutions=[SolutionArgs(solution_arn=solution.solution_arn, campaigns=campaigns)],
        # A run is refused if the command above has not turned it off.
        auto_training="refuse",
        retraining_rate="cron(0 3 ? * MON *)",
    ),
)
pulumi.export("state_machine_arn", pipeline.state_machine_arn)
pulumi.export("tracking_id", tracker.tracking_id)
