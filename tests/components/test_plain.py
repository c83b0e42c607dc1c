"""Proves that each setting that is not an input refuses an Output by its name."""

from dataclasses import fields, is_dataclass, replace

import pulumi
import pytest

from components.args import (
    CampaignArgs,
    ProbeArgs,
    QualityRuleArgs,
    SolutionArgs,
    TriggerArgs,
    camel_case,
)
from components.rules.pipeline import problems
from components.rules.plain import IS_OUTPUT
from components.rules.values import Problem
from tests.components.sample import IMPORT_ROLE, PERSONALIZE, complete

pytestmark = pytest.mark.usefixtures("engine")

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
ALL = complete(solutions=[SOLUTION], import_role_arn=IMPORT_ROLE, trigger=TriggerArgs())
"""Arguments with every field and no problem."""


def paths(value, path=()):
    """Yield the path of each setting in the arguments, also of the settings inside it."""
    if is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, list | tuple):
        parts = dict(enumerate(value))
    else:
        parts = value if isinstance(value, dict) else {}
    for name, part in parts.items():
        yield (*path, name)
        yield from paths(part, (*path, name))


def key_of(path):
    """Return the key of a setting as messages write it."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{camel_case(part)}" for part in path]
    return "".join(parts).removeprefix(".")


def changed(value, path, new_value):
    """Return the arguments with a new value for one setting."""
    if not path:
        return new_value
    first, *rest = path
    if is_dataclass(value):
        return replace(value, **{first: changed(getattr(value, first), rest, new_value)})
    if isinstance(value, dict):
        return {**value, first: changed(value[first], rest, new_value)}
    return [
        changed(element, rest, new_value) if index == first else element
        for index, element in enumerate(value)
    ]


PATHS = {key_of(path): path for path in paths(ALL)}
INPUTS = [
    *(f"datasets.{key}.datasetArn" for key in ("interactions", "items")),
    *(f"datasets.{key}.dataLocation" for key in ("interactions", "items")),
    *(f"datasets.{key}.readyMarker" for key in ("interactions", "items")),
    "solutions[0].solutionArn",
    *(f"solutions[0].campaigns[{index}].campaignArn" for index in (0, 1)),
    *("importRoleArn", "permissionsBoundaryArn", "kmsKeyArn", "dataKmsKeyArn"),
    "notifications.topicArn",
]


def test_the_arguments_of_these_tests_have_no_problem_and_nested_settings():
    assert problems(ALL) == []
    assert {"limits", "datasets.users", "solutions[0].campaigns[0].probe.inputList[1]"} < set(PATHS)


@pytest.mark.parametrize("key", sorted(set(PATHS) - set(INPUTS)))
def test_a_setting_that_is_not_an_input_refuses_an_output(key):
    args = changed(ALL, PATHS[key], pulumi.Output.from_input(None))
    assert problems(args) == [Problem(key, IS_OUTPUT)]


@pytest.mark.parametrize("key", INPUTS)
def test_an_input_accepts_an_output(key):
    args = changed(ALL, PATHS[key], pulumi.Output.from_input("known later"))
    assert problems(args) == []


def test_an_output_in_place_of_an_element_is_refused():
    args = replace(ALL, solutions=[SOLUTION, pulumi.Output.from_input(None)])
    assert problems(args) == [Problem("solutions[1]", IS_OUTPUT)]


def test_outputs_and_other_problems_are_reported_together():
    args = replace(
        ALL,
        paused=pulumi.Output.from_input(False),
        tags={"team": pulumi.Output.from_input("discovery")},
        timezone="Europe/Berlim",
    )
    assert [str(problem) for problem in problems(args)] == [
        (
            "paused: is an Output; give a plain value, because the program needs it before it "
            "creates resources"
        ),
        f"tags.team: {IS_OUTPUT}",
        "timezone: 'Europe/Berlim' is not an IANA time zone; did you mean Europe/Berlin?",
    ]
