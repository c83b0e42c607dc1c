"""Proves what is derived from arguments: the settings of the functions, and the time of a run."""

import re
from dataclasses import fields, replace
from types import UnionType
from typing import (
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import pulumi
import pytest
from pulumi.output import UNKNOWN

from components.args import (
    BakeArgs,
    CampaignArgs,
    DatasetArgs,
    DatasetsArgs,
    LimitsArgs,
    QualityRuleArgs,
    SolutionArgs,
    to_config,
)
from components.rules.several_settings import check_args
from components.rules.single_settings import NumberRange
from components.state_machine.definition import compute_execution_timeout_seconds
from components.workflow_settings import build_workflow_settings
from functions.contract import Settings
from tests.components.sample import ALARM, IMPORT_ROLE, PERSONALIZE, complete, minimal
from tests.world import campaign, solution

SOLUTION = f"{PERSONALIZE}:solution/movies"
RULE = QualityRuleArgs(metric="coverage", minimum=0.2)
USERS = DatasetArgs(
    dataset_arn=f"{PERSONALIZE}:dataset/movies/USERS", data_location="s3://bucket/users/"
)


def settings_of(args):
    return build_workflow_settings(
        args, job_prefix="0a1b2c3d", import_role_arn=IMPORT_ROLE, topic_arn="t", dashboard_url="d"
    )


def with_solution(**fields):
    """Return arguments with one solution that has these fields."""
    return minimal(solutions=[SolutionArgs(solution_arn=SOLUTION, **fields)])


def with_users(**changes):
    """Return arguments with one dataset, changed."""
    return minimal(datasets=DatasetsArgs(users=replace(USERS, **changes)))


# --- settings ------------------------------------------------------------------------------------


def shape_problems(type_, value, path):
    """Yield each place at which a document differs from its type, with the keys that lead there."""
    origin = get_origin(type_)
    arguments = get_args(type_)
    if origin in (Union, UnionType, NotRequired):
        if all(list(shape_problems(member, value, path)) for member in arguments):
            yield f"{path} is {value!r}"
    elif is_typeddict(type_):
        if not isinstance(value, dict):
            yield f"{path} is {value!r}"
            return
        members = get_type_hints(type_, include_extras=True)
        yield from (f"{path}.{key} is unknown" for key in value if key not in members)
        yield from (f"{path}.{key} is missing" for key in type_.__required_keys__ - {*value})
        for key in members.keys() & value.keys():
            yield from shape_problems(members[key], value[key], f"{path}.{key}")
    elif origin is list and isinstance(value, list):
        for index, element in enumerate(value):
            yield from shape_problems(arguments[0], element, f"{path}[{index}]")
    elif not (
        value in arguments
        if origin is Literal
        else isinstance(value, (int, float) if type_ is float else origin or type_)
    ):
        yield f"{path} is {value!r}"


@pytest.mark.parametrize("args", [minimal(), complete()], ids=["minimal", "complete"])
def test_the_settings_have_the_shape_that_the_functions_expect(args):
    settings = settings_of(args)
    assert list(shape_problems(Settings, settings, "settings")) == []
    settings["datasets"][0]["minRelativeSize"] = "half"
    del settings["limits"]["maxCampaignHours"]
    assert sorted(shape_problems(Settings, settings, "settings")) == [
        "settings.datasets[0].minRelativeSize is 'half'",
        "settings.limits.maxCampaignHours is missing",
    ], "the check can fail"


@pytest.mark.parametrize(
    "rate, limit, expected",
    [
        ("7 days", None, 12),
        ("30 days", None, 4),
        ("cron(0 3 ? * MON *)", None, 12),
        ("cron(0 3 * * ? *)", None, 62),
        ("7 days", 5, 5),
        ("7 days", 0, 0),
    ],
)
def test_the_limit_of_trainings_is_derived_from_the_rate_unless_it_is_set(rate, limit, expected):
    args = minimal(retraining_rate=rate, limits=LimitsArgs(max_trainings_per_month=limit))
    assert settings_of(args)["limits"]["maxTrainingsPerMonth"] == expected


@pytest.mark.parametrize(
    "rate, limits, days",
    [
        ("7 days", {}, 7 * 1.5 + 1),
        ("7 days", {"max_training_hours": 48}, 7 * 1.5 + 2),
        ("rate(1 hour)", {}, 1.06),
        ("cron(0 3 ? * MON-FRI *)", {}, 3 * 1.5 + 1),
        ("cron(0 3 1 * ? *)", {}, 31 * 1.5 + 1),
        ("cron(0 3 1 JAN,FEB ? *)", {}, 335 * 1.5 + 1),
        ("cron(0 3 1 JAN ? *)", {}, 366 * 1.5 + 1),
        ("7 days", {"max_model_age_days": 3}, 3),
    ],
)
def test_the_age_of_the_alarm_is_derived_from_the_longest_gap_unless_it_is_set(rate, limits, days):
    args = minimal(retraining_rate=rate, limits=LimitsArgs(**limits))
    assert settings_of(args)["limits"]["maxModelAgeDays"] == days


@pytest.mark.parametrize("rate, days", [("2 days", 9 * 1.5 + 1), ("14 days", 21 * 1.5 + 1)])
def test_a_model_of_personalize_may_get_as_old_as_automatic_training_lets_it(rate, days):
    solutions = [SolutionArgs(solution_arn=SOLUTION, trained_by="personalize")]
    args = minimal(retraining_rate=rate, solutions=solutions)
    assert settings_of(args)["limits"]["maxModelAgeDays"] == days


@pytest.mark.parametrize("rules", [[RULE], []])
def test_a_gate_that_is_switched_off_has_no_rules_in_the_settings(rules):
    args = with_solution(quality_gate=rules, quality_gate_enabled=False)
    assert check_args(args).problems == []
    (solution,) = settings_of(args)["solutions"]
    assert solution["qualityGate"] == []


# --- outputs -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("engine")
@pulumi.runtime.test
def test_resolved_arguments_stay_secret():
    args = minimal(solutions=[SolutionArgs(solution_arn=pulumi.Output.secret(SOLUTION))])

    async def check():
        assert await pulumi.Output.from_input(to_config(args)).is_secret() is True

    return pulumi.Output.from_input(check())


@pytest.mark.usefixtures("engine")
@pulumi.runtime.test
def test_one_unknown_input_makes_all_arguments_unknown():
    location = pulumi.Output.from_input(UNKNOWN)

    async def check():
        assert await location.is_known() is False
        assert (
            await pulumi.Output.from_input(to_config(with_users(data_location=location))).is_known()
            is False
        )

    return pulumi.Output.from_input(check())


# --- deadlines -----------------------------------------------------------------------------------


WAITS_TRIALS_AND_SPARE_HOURS = 26 + 2 * 24 + 2


def timeout_hours(args, **limits):
    """Return the hours after which the state machine ends an execution, with these limits."""
    return compute_execution_timeout_seconds(replace(args, limits=LimitsArgs(**limits))) / 3600


def test_the_state_machine_runs_longer_than_all_deadlines():
    limits = {"max_import_hours": 0.5, "max_training_hours": 8, "max_campaign_hours": 1.5}
    assert timeout_hours(minimal(), **limits) == (
        WAITS_TRIALS_AND_SPARE_HOURS + 3 * 0.5 + 2 * 8 + 2 * 1.5
    ), "a job waits as long as it may run, and a training also for imports"

    baked = solution(campaigns=[campaign(bake=BakeArgs(hours=hours)) for hours in (1, 12)])
    longer = timeout_hours(minimal(solutions=[baked])) - timeout_hours(minimal())
    assert longer == 2 * 12, "of parallel bakes, the longest counts"


def largest_value(field):
    """Return the largest number that the rule of a field allows."""
    (rule,) = field.type.__metadata__
    assert isinstance(rule, NumberRange)
    return rule.maximum


def test_the_longest_deadlines_together_fit_into_the_year_of_a_state_machine():
    limits = {
        each.name: largest_value(each)
        for each in fields(LimitsArgs)
        if re.fullmatch("max_.*_hours", each.name)
    }

    assert check_args(replace(minimal(), limits=LimitsArgs(**limits))).problems == []
    assert timeout_hours(minimal(), **limits) <= 365 * 24


@pytest.mark.usefixtures("engine")
@pulumi.runtime.test
def test_alarms_of_a_bake_need_the_name_of_their_campaign():
    arn = pulumi.Output.from_input(f"{PERSONALIZE}:campaign/for-you")
    for bake, problems in (
        (BakeArgs(hours=1, create_alarms=True), ["solutions[0].campaigns[0].campaignArn"]),
        (BakeArgs(hours=1, alarms=[ALARM]), []),
    ):
        campaign_args = CampaignArgs(campaign_arn=arn, bake=bake)
        args = minimal(solutions=[SolutionArgs(solution_arn=SOLUTION, campaigns=[campaign_args])])
        assert [problem.key for problem in check_args(args).problems] == problems
