"""Outputs where a plain value is needed: each of these settings refuses one by its name."""

from dataclasses import fields, is_dataclass, replace

import pulumi
import pytest

from components.args import CampaignArgs, ProbeArgs, QualityRuleArgs, SolutionArgs, camel_case
from components.rules.pipeline import problems
from components.rules.plain import IS_OUTPUT
from components.rules.values import Problem
from tests.components.sample import IMPORT_ROLE, PERSONALIZE, complete

SOLUTION = SolutionArgs(
    solution_arn=f"{PERSONALIZE}:solution/for-you",
    training_mode="UPDATE",
    full_every="14 days",
    campaigns=[
        CampaignArgs(
            campaign_arn=f"{PERSONALIZE}:campaign/for-you",
            probe=ProbeArgs(user_id="u1", input_list=["i1", "i2"], min_results=2),
        ),
        CampaignArgs(campaign_arn=f"{PERSONALIZE}:campaign/similar", probe=ProbeArgs(item_id="i1")),
    ],
    quality_gate=[QualityRuleArgs(metric="coverage", max_drop=0.25, minimum=0.2)],
)
ALL = complete(solutions=[SOLUTION], import_role_arn=IMPORT_ROLE)
"""Arguments with at least one of each class, and no problem."""


def settings(value, path=()):
    """Yield the path of each setting in the arguments, with those of its parts."""
    if is_dataclass(value):
        parts = [(each.name, getattr(value, each.name)) for each in fields(value)]
    elif isinstance(value, list | tuple):
        parts = list(enumerate(value))
    else:
        parts = list(value.items()) if isinstance(value, dict) else []
    for name, part in parts:
        yield (*path, name)
        yield from settings(part, (*path, name))


def key_of(path):
    """Return the key of a setting as messages write it."""
    steps = [f"[{each}]" if isinstance(each, int) else f".{camel_case(each)}" for each in path]
    return "".join(steps)[1:]


def changed(value, path, new):
    """Return the arguments with another value for one setting."""
    if not path:
        return new
    first, *rest = path
    if is_dataclass(value):
        return replace(value, **{first: changed(getattr(value, first), rest, new)})
    if isinstance(value, dict):
        return {**value, first: changed(value[first], rest, new)}
    return [changed(each, rest, new) if at == first else each for at, each in enumerate(value)]


PATHS = {key_of(path): path for path in settings(ALL)}
INPUTS = [
    *(f"datasets.{each}.datasetArn" for each in ("interactions", "items")),
    *(f"datasets.{each}.dataLocation" for each in ("interactions", "items")),
    *(f"datasets.{each}.readyMarker" for each in ("interactions", "items")),
    "solutions[0].solutionArn",
    *(f"solutions[0].campaigns[{each}].campaignArn" for each in (0, 1)),
    *("importRoleArn", "permissionsBoundaryArn", "kmsKeyArn", "dataKmsKeyArn"),
]


pytestmark = pytest.mark.usefixtures("engine")


def test_the_arguments_of_these_tests_have_no_problem_and_all_classes():
    assert problems(ALL) == []
    assert {"limits", "datasets.users", "solutions[0].campaigns[0].probe.inputList[1]"} < set(PATHS)


@pytest.mark.parametrize("key", sorted(set(PATHS) - set(INPUTS)))
def test_a_setting_that_is_no_input_refuses_an_output(key):
    args = changed(ALL, PATHS[key], pulumi.Output.from_input(None))
    assert problems(args) == [Problem(key, None, IS_OUTPUT)], "and nothing follows from it"


@pytest.mark.parametrize("key", INPUTS)
def test_an_input_takes_an_output(key):
    args = changed(ALL, PATHS[key], pulumi.Output.from_input("known later"))
    assert problems(args) == []


def test_an_output_in_place_of_a_whole_part_or_of_an_element_is_refused_too():
    output = pulumi.Output.from_input(None)
    args = replace(
        ALL,
        datasets=replace(ALL.datasets, users=output),
        solutions=[SOLUTION, output],
        limits=output,
    )
    assert [str(each) for each in problems(args)] == [
        f"datasets.users: {IS_OUTPUT}",
        f"limits: {IS_OUTPUT}",
        f"solutions[1]: {IS_OUTPUT}",
    ]


def test_all_problems_are_told_at_once():
    args = replace(
        ALL,
        paused=pulumi.Output.from_input(False),
        retraining_rate=pulumi.Output.from_input("7 days"),
        tags={"team": pulumi.Output.from_input("discovery")},
        timezone="Europe/Berlim",
    )
    plain = "is an Output; the program needs this value when it runs, so give a plain value"
    assert [str(each) for each in problems(args)] == [
        f"paused: {plain}",
        f"retrainingRate: {plain}",
        f"tags.team: {plain}",
        "timezone: 'Europe/Berlim' is not an IANA time zone; did you mean Europe/Berlin?",
    ]
