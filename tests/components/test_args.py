"""The arguments by themselves: outputs awaited and judged, the settings of the workflow."""

import json
from dataclasses import fields, is_dataclass, replace
from datetime import date
from types import NoneType, UnionType
from typing import Union, get_args, get_origin

import pulumi
import pytest
from pulumi.output import UNKNOWN

import components
from components.args import (
    CampaignArgs,
    DatasetArgs,
    DatasetsArgs,
    LimitsArgs,
    ProbeArgs,
    QualityRuleArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    camel_case,
    resolved,
)
from components.document import document
from components.rules.pipeline import LONGEST, MOST_MINUTES, problems, warnings

PLACE = "arn:aws:personalize:eu-west-1:123456789012"
TODAY = date(2026, 11, 24)

ARGS = RetrainingPipelineArgs(
    datasets=DatasetsArgs(
        interactions=DatasetArgs(
            dataset_arn=f"{PLACE}:dataset/movies/INTERACTIONS",
            data_location="s3://bucket/interactions/{date}/",
            import_mode="INCREMENTAL",
            ready_marker="s3://bucket/interactions/{date}.SUCCESS",
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
            quality_gate=(
                QualityRuleArgs(metric="coverage", minimum=0.2),
                QualityRuleArgs(metric="precision_at_5", max_drop=0),
            ),
            campaigns=(
                CampaignArgs(campaign_arn=f"{PLACE}:campaign/movies"),
                CampaignArgs(
                    campaign_arn=f"{PLACE}:campaign/mail",
                    probe=ProbeArgs(user_id="u1", min_results=5),
                ),
                CampaignArgs(
                    campaign_arn=f"{PLACE}:campaign/search",
                    probe=ProbeArgs(user_id="u1", input_list=("i1", "i2"), minutes=0.5),
                ),
            ),
        ),
        SolutionArgs(
            solution_arn=f"{PLACE}:solution/updated",
            training_mode="UPDATE",
            quality_gate_enabled=False,
        ),
        SolutionArgs(
            solution_arn=f"{PLACE}:solution/rarely", training_mode="UPDATE", full_every="30 days"
        ),
    ),
    limits=LimitsArgs(
        max_import_hours=0.5, max_training_hours=8, max_campaign_hours=1, max_trainings_per_month=9
    ),
    skip_when_unchanged=False,
    auto_training="refuse",
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
            "dataLocation": "s3://bucket/interactions/{date}/",
            "importMode": "INCREMENTAL",
            "minRelativeSize": 0.5,
            "readyMarker": "s3://bucket/interactions/{date}.SUCCESS",
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
            "qualityGate": [
                {"metric": "coverage", "minimum": 0.2},
                {"metric": "precision_at_5", "maxDrop": 0},
            ],
            "campaigns": [
                {"campaignArn": f"{PLACE}:campaign/movies", "probe": None},
                {
                    "campaignArn": f"{PLACE}:campaign/mail",
                    "probe": {"userId": "u1", "minResults": 5, "minutes": 10},
                },
                {
                    "campaignArn": f"{PLACE}:campaign/search",
                    "probe": {
                        "userId": "u1",
                        "inputList": ["i1", "i2"],
                        "minResults": 1,
                        "minutes": 0.5,
                    },
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
        "maxTrainingsPerMonth": 9,
    },
    "skipWhenUnchanged": False,
    "autoTraining": "refuse",
    "tags": {"team": "recommendations"},
}


def as_outputs(args):
    """Give the arguments with every ARN and location an output, as a host program may."""
    output = pulumi.Output.from_input

    def dataset(each):
        return replace(
            each,
            dataset_arn=output(each.dataset_arn),
            data_location=output(each.data_location),
            ready_marker=each.ready_marker and output(each.ready_marker),
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
def test_a_marker_that_is_an_output_is_judged_once_it_is_known():
    users = DatasetArgs(
        dataset_arn=f"{PLACE}:dataset/movies/USERS",
        data_location=pulumi.Output.from_input("s3://bucket/users/"),
        ready_marker=pulumi.Output.from_input("s3://bucket/users/_SUCCESS"),
    )
    args = replace(ARGS, datasets=DatasetsArgs(users=users))
    assert problems(args) == [], "what is not known yet breaks no rule"

    def check(known):
        assert [str(each) for each in problems(known)] == [
            (
                "datasets.users.readyMarker: 's3://bucket/users/_SUCCESS' lies inside "
                "datasets.users.dataLocation, where every file is imported; "
                "keep it beside, for example 's3://bucket/users.SUCCESS'"
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
        datasets=DatasetsArgs(
            users=DatasetArgs(
                dataset_arn=pending,
                data_location=pending,
                ready_marker=pending,
                import_mode="INCREMENTAL",
            )
        ),
        solutions=[SolutionArgs(solution_arn=pending)],
    )
    try:
        assert problems(args) == []
        assert warnings(args, today=TODAY) == []
    finally:
        pending.close()


def test_the_state_machine_outlives_every_deadline():
    unprobed = replace(ARGS, solutions=ARGS.solutions[1:])
    imported_and_trained = 2 * 0.5 + 8
    assert unprobed.backstop_seconds == (imported_and_trained + 2 * 1 + 2) * 3600, (
        "an update waits for its campaign as long as it may run"
    )
    assert ARGS.backstop_seconds == (imported_and_trained + 2 * 1 + 2 * 1 + 2) * 3600 + 10 * 60, (
        "the longest probe, and a rollback that waits as an update does"
    )


def test_the_longest_deadlines_together_fit_into_a_state_machines_year():
    longest = LimitsArgs(**{name: most for name, (most, _) in LONGEST.items()})
    probe = ProbeArgs(user_id="u1", minutes=MOST_MINUTES)
    campaign = CampaignArgs(campaign_arn=f"{PLACE}:campaign/movies", probe=probe)
    solution = SolutionArgs(solution_arn=f"{PLACE}:solution/movies", campaigns=[campaign])
    args = replace(ARGS, limits=longest, solutions=[solution])
    assert problems(args) == []
    assert args.backstop_seconds <= 365 * 24 * 3600


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


@pytest.mark.parametrize("location", ["s3://bucket/new/", "s3://bucket/new.csv"])
def test_appending_from_the_same_place_every_time_is_told_with_the_way_out(location):
    users = DatasetArgs(
        dataset_arn=f"{PLACE}:dataset/movies/USERS",
        data_location=location,
        import_mode="INCREMENTAL",
    )
    daily = "s3://bucket/new/{date}/" if location.endswith("/") else "s3://bucket/{date}/"
    args = replace(ARGS, datasets=DatasetsArgs(users=users))
    assert [str(each) for each in warnings(args, today=TODAY)] == [
        (
            f"datasets.users.dataLocation: '{location}' is the same place for every run: "
            "INCREMENTAL would append what was imported before again, so a run that finds any of "
            "it is refused; export to a place of its own each day, for example "
            f"'{daily}'"
        )
    ]


def test_a_gate_that_was_asked_for_where_there_is_no_campaign_is_told_with_the_way_out():
    rule = QualityRuleArgs(metric="coverage", minimum=0.2)
    solution = SolutionArgs(solution_arn=f"{PLACE}:solution/movies", quality_gate=[rule])
    args = replace(ARGS, solutions=[*ARGS.solutions[:2], solution])
    assert [str(each) for each in warnings(args, today=TODAY)] == [
        (
            "solutions[2].qualityGate: has nothing to compare with: a new version is judged for "
            "each campaign, and this solution has none; add campaigns or leave the gate out"
        )
    ]


def test_a_gate_that_nobody_asked_for_is_no_warning():
    solutions = [
        SolutionArgs(solution_arn=f"{PLACE}:solution/default"),
        SolutionArgs(solution_arn=f"{PLACE}:solution/off", quality_gate_enabled=False),
    ]
    assert warnings(replace(ARGS, solutions=solutions), today=TODAY) == []


def test_no_setting_is_of_two_types_since_generated_sdks_know_no_unions():
    plain = {NoneType, *get_args(pulumi.Input[str])[1:]}
    classes = [each for each in vars(components).values() if is_dataclass(each)]
    several = {
        f"{cls.__name__}.{each.name}"
        for cls in classes
        for each in fields(cls)
        if get_origin(each.type) in (Union, UnionType) and len({*get_args(each.type)} - plain) != 1
    }
    assert len(classes) == 8, "these are all classes of arguments"
    assert several == set()


def test_the_forms_of_earlier_releases_are_answered_with_the_new_ones():
    limits = LimitsArgs(max_trainings_per_month=None)
    solution = SolutionArgs(solution_arn=f"{PLACE}:solution/movies", quality_gate=False)
    args = replace(ARGS, solutions=[solution], limits=limits)
    assert [str(each) for each in problems(args)] == [
        "limits.maxTrainingsPerMonth: null is the old form; write 'maxTrainingsPerMonth: 0'",
        "solutions[0].qualityGate: false is the old form; write 'qualityGateEnabled: false'",
    ]


def test_rules_beside_a_gate_that_is_switched_off_are_no_problem_and_reach_no_workflow():
    rule = QualityRuleArgs(metric="coverage", minimum=0.2)
    for rules in ([rule], []):
        solution = SolutionArgs(
            solution_arn=f"{PLACE}:solution/movies", quality_gate=rules, quality_gate_enabled=False
        )
        args = replace(ARGS, solutions=[solution])
        assert problems(args) == []
        (told,) = document(args, job_prefix="p", import_role_arn="r")["solutions"]
        assert told["qualityGate"] == []
