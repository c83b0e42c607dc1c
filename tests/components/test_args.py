"""The arguments by themselves: rules, outputs awaited, the settings of the workflow."""

import json
from dataclasses import replace
from datetime import date

import pulumi
import pytest
from pulumi.output import UNKNOWN

from components.args import (
    CampaignArgs,
    DatasetArgs,
    DatasetsArgs,
    LimitsArgs,
    ProbeArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    camel_case,
    document,
    problems,
    resolved,
    warnings,
)

PLACE = "arn:aws:personalize:eu-west-1:123456789012"
TODAY = date(2026, 11, 24)

ARGS = RetrainingPipelineArgs(
    datasets=DatasetsArgs(
        interactions=DatasetArgs(
            dataset_arn=f"{PLACE}:dataset/movies/INTERACTIONS",
            data_location="s3://bucket/interactions/",
            import_mode="INCREMENTAL",
            ready_marker="s3://bucket/_SUCCESS",
        ),
        action_interactions=DatasetArgs(
            dataset_arn=f"{PLACE}:dataset/movies/ACTION_INTERACTIONS",
            data_location="s3://bucket/action-interactions.csv",
            min_relative_size=0.8,
        ),
    ),
    solutions=(
        SolutionArgs(
            solution_arn=f"{PLACE}:solution/movies",
            campaigns=(
                CampaignArgs(campaign_arn=f"{PLACE}:campaign/movies"),
                CampaignArgs(
                    campaign_arn=f"{PLACE}:campaign/mail",
                    probe=ProbeArgs(user_id="u1", min_results=5),
                ),
            ),
        ),
        SolutionArgs(
            solution_arn=f"{PLACE}:solution/updated", training_mode="UPDATE", quality_gate=False
        ),
        SolutionArgs(
            solution_arn=f"{PLACE}:solution/rarely", training_mode="UPDATE", full_every="30 days"
        ),
    ),
    limits=LimitsArgs(max_import_hours=0.5, max_training_hours=8, max_campaign_hours=1),
    tags={"team": "recommendations"},
)
GATE = [{"metric": "normalized_discounted_cumulative_gain_at_10", "maxDrop": 0.25}]
"""The default one."""
DOCUMENT = {
    "prefix": "0a1b2c3d",
    "importRoleArn": "arn:aws:iam::123456789012:role/import",
    "datasets": [
        {
            "type": "interactions",
            "datasetArn": f"{PLACE}:dataset/movies/INTERACTIONS",
            "dataLocation": "s3://bucket/interactions/",
            "importMode": "INCREMENTAL",
            "minRelativeSize": 0.5,
            "readyMarker": "s3://bucket/_SUCCESS",
        },
        {
            "type": "actionInteractions",
            "datasetArn": f"{PLACE}:dataset/movies/ACTION_INTERACTIONS",
            "dataLocation": "s3://bucket/action-interactions.csv",
            "importMode": "FULL",
            "minRelativeSize": 0.8,
            "readyMarker": None,
        },
    ],
    "solutions": [
        {
            "solutionArn": f"{PLACE}:solution/movies",
            "trainingMode": "FULL",
            "qualityGate": GATE,
            "campaigns": [
                {"campaignArn": f"{PLACE}:campaign/movies", "probe": None},
                {
                    "campaignArn": f"{PLACE}:campaign/mail",
                    "probe": {"userId": "u1", "minResults": 5, "minutes": 10},
                },
            ],
        },
        {
            "solutionArn": f"{PLACE}:solution/updated",
            "trainingMode": "UPDATE",
            "fullEveryDays": 7,
            "qualityGate": [],
            "campaigns": [],
        },
        {
            "solutionArn": f"{PLACE}:solution/rarely",
            "trainingMode": "UPDATE",
            "fullEveryDays": 30,
            "qualityGate": GATE,
            "campaigns": [],
        },
    ],
    "limits": {
        "maxImportHours": 0.5,
        "maxTrainingHours": 8,
        "maxCampaignHours": 1,
        "maxTrainingsPerMonth": None,
    },
    "skipWhenUnchanged": True,
    "autoTraining": "warn",
    "tags": {"team": "recommendations"},
}


class NoResources(pulumi.runtime.Mocks):
    """These tests create none."""

    def new_resource(self, args):
        """Refuse it."""
        raise AssertionError(args.name)

    def call(self, args):
        """Refuse it."""
        raise AssertionError(args.token)


@pytest.fixture
def engine():
    pulumi.runtime.set_mocks(NoResources(), preview=False)


def as_outputs(args):
    """Give the arguments with every ARN and location an output, as a host program may."""
    output = pulumi.Output.from_input

    def dataset(each):
        return replace(
            each, dataset_arn=output(each.dataset_arn), data_location=output(each.data_location)
        )

    return replace(
        args,
        datasets=DatasetsArgs(
            interactions=dataset(args.datasets.interactions),
            action_interactions=dataset(args.datasets.action_interactions),
        ),
        solutions=[
            replace(
                each,
                solution_arn=output(each.solution_arn),
                campaigns=[
                    replace(campaign, campaign_arn=output(campaign.campaign_arn))
                    for campaign in each.campaigns
                ],
            )
            for each in args.solutions
        ],
        import_role_arn=output("arn:aws:iam::123456789012:role/import"),
    )


def unknown():
    """Give an output as it is in a preview, before its resource exists."""
    return pulumi.Output.from_input(UNKNOWN)


def written(document_):
    """Give a document as the state machine's definition holds it."""
    return pulumi.Output.json_dumps(document_).apply(json.loads)


def test_camel_case_is_the_api_s():
    assert [camel_case(name) for name in ("datasets", "import_role_arn", "max_import_hours")] == [
        "datasets",
        "importRoleArn",
        "maxImportHours",
    ]


def test_the_document_holds_what_the_workflow_needs():
    given = document(
        ARGS, job_prefix="0a1b2c3d", import_role_arn="arn:aws:iam::123456789012:role/import"
    )
    assert given == DOCUMENT


@pytest.mark.usefixtures("engine")
@pulumi.runtime.test
def test_a_document_of_outputs_says_the_same():
    args = as_outputs(ARGS)
    given = document(
        args,
        job_prefix=pulumi.Output.from_input("0a1b2c3d"),
        import_role_arn=args.import_role_arn,
    )

    def check(known):
        assert known == DOCUMENT

    return written(given).apply(check)


@pytest.mark.usefixtures("engine")
@pulumi.runtime.test
def test_resolved_arguments_have_strings_for_outputs():
    def check(known):
        assert known == replace(ARGS, import_role_arn="arn:aws:iam::123456789012:role/import")

    return resolved(as_outputs(ARGS)).apply(check)


@pytest.mark.usefixtures("engine")
@pulumi.runtime.test
def test_resolved_arguments_stay_secret():
    arn = pulumi.Output.secret(f"{PLACE}:solution/movies")
    known = resolved(replace(ARGS, solutions=[SolutionArgs(solution_arn=arn)]))

    async def check():
        assert await known.is_secret() is True

    return pulumi.Output.from_input(check())


@pytest.mark.usefixtures("engine")
@pulumi.runtime.test
def test_the_rules_judge_outputs_once_they_are_known():
    version = f"{PLACE}:solution/movies/1a2b3c"
    args = replace(ARGS, solutions=[SolutionArgs(solution_arn=pulumi.Output.from_input(version))])
    assert problems(args) == [], "what is not known yet breaks no rule"

    def check(known):
        assert [str(each) for each in problems(known)] == [
            (
                f"solutions[0].solutionArn: '{version}' is a solution version; "
                f"name the solution, '{PLACE}:solution/movies'"
            )
        ]

    return resolved(args).apply(check)


@pytest.mark.usefixtures("engine")
@pulumi.runtime.test
def test_one_unknown_input_makes_the_arguments_unknown():
    location = unknown()
    known = resolved(
        replace(
            ARGS,
            datasets=DatasetsArgs(
                users=DatasetArgs(
                    dataset_arn=f"{PLACE}:dataset/movies/USERS", data_location=location
                )
            ),
        )
    )

    async def check():
        assert await location.is_known() is False
        assert await known.is_known() is False

    return pulumi.Output.from_input(check())


def test_arguments_without_any_known_arn_break_no_rule():
    async def later():
        raise AssertionError

    pending = later()
    args = RetrainingPipelineArgs(
        datasets=DatasetsArgs(users=DatasetArgs(dataset_arn=pending, data_location=pending)),
        solutions=[SolutionArgs(solution_arn=pending)],
    )
    try:
        assert problems(args) == []
    finally:
        pending.close()


def test_the_state_machine_outlives_every_deadline():
    assert ARGS.backstop_seconds == (2 * 0.5 + 8 + 2 * 1 + 2) * 3600


def test_a_skipped_hour_is_told_with_the_day_and_the_way_out():
    args = replace(ARGS, retraining_rate="cron(30 2 * * ? *)", timezone="Europe/Berlin")
    assert [str(each) for each in warnings(args, today=TODAY)] == [
        (
            "retrainingRate: 'cron(30 2 * * ? *)' will not run on 2027-03-28, when daylight "
            "saving in Europe/Berlin skips 02:30; choose an hour that every day has"
        )
    ]


def test_a_rate_that_no_clock_change_skips_is_no_warning():
    assert warnings(ARGS, today=TODAY) == []
