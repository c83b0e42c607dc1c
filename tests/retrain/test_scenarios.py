"""Proves which scenarios a stack can play, and that the emulator knows their faults."""

import inspect

import pytest

from components.args import ProbeArgs
from emulator.personalize.faults import Faults
from functions.planning import resource_guards
from retrain.rehearsal.scenarios import SCENARIOS, Name, select
from tests.retrain.builders import CAMPAIGN, campaign_args, pipeline_args

OBSTACLES = {str(scenario.name): scenario.obstacle for scenario in SCENARIOS}
PROBED = campaign_args(probe=ProbeArgs(user_id="1"))
NOT_PROBED = campaign_args(f"{CAMPAIGN}-2")
ALL_KEYS = ("interactions", "items", "users", "actions", "action_interactions")
NO_INTERACTIONS = (
    "the stack has no FULL import of interactions; set importMode to FULL in datasets.interactions"
)
NO_CAMPAIGNS = "the stack has no campaigns; add the campaigns of a solution in the config"
PAUSED = "the stack is paused; set paused to false"
DAILY = (
    "the stack's locations contain {date}, so the export of each day is new, and this scenario "
    "needs an export that has not changed"
)
BY_HAND = (
    "the stack's locations contain {date}, so a run by hand imports the export of today, and this "
    "scenario needs two runs for one export"
)
NO_FULL_IMPORT = "the stack has no FULL import; set importMode to FULL in a dataset"
NO_PROBE = "no campaign has a probe; set solutions[].campaigns[].probe.userId of a campaign"


@pytest.mark.parametrize(
    ("names", "selected"),
    [
        ([Name.BAD_PROBE, Name.WORSE_MODEL, Name.BAD_PROBE], ["worse-model", "bad-probe"]),
        ([Name.HAPPY_PATH], []),
        ([Name.HAPPY_PATH, Name.ALL], list(OBSTACLES)),
    ],
)
def test_scenarios_are_selected_once_and_in_the_order_of_the_rows(names, selected):
    assert [scenario.name for scenario in select(names)] == selected


def test_the_guard_against_automatic_training_uses_the_words_that_the_scenario_expects():
    """The scenario needs a deployment of its own, so no test plays it."""
    assert "also trains automatically" in inspect.getsource(resource_guards)


def test_the_emulator_knows_the_faults():
    faults = Faults()
    injected = [fault for scenario in SCENARIOS for fault in scenario.faults]
    for fault in injected:
        faults.inject(fault)
    assert len(faults.list()) == len(injected) > 0


@pytest.mark.parametrize(
    ("name", "args", "obstacle"),
    [
        ("truncated-export", pipeline_args(), None),
        ("truncated-export", pipeline_args(import_mode="INCREMENTAL"), NO_INTERACTIONS),
        ("wrong-header", pipeline_args(keys=["users"]), NO_INTERACTIONS),
        ("worse-model", pipeline_args(keys=["users"]), NO_INTERACTIONS),
        ("worse-model", pipeline_args(), NO_CAMPAIGNS),
        ("bad-probe", pipeline_args(campaigns=[PROBED]), None),
        ("bad-probe", pipeline_args(), NO_CAMPAIGNS),
        ("bad-probe", pipeline_args(campaigns=[NOT_PROBED]), NO_PROBE),
        ("bad-probe", pipeline_args(campaigns=[NOT_PROBED, PROBED]), None),
        ("duplicate-event", pipeline_args(), None),
        ("duplicate-event", pipeline_args(paused=True), PAUSED),
        ("duplicate-event", pipeline_args(data_location="s3://bucket/{date}/"), BY_HAND),
        ("nothing-new", pipeline_args(data_location="s3://bucket/{date}/"), DAILY),
        ("nothing-new", pipeline_args(), None),
        ("aborted-run", pipeline_args(campaigns=[PROBED]), None),
        ("aborted-run", pipeline_args(campaigns=[NOT_PROBED]), NO_PROBE),
        ("foreign-import", pipeline_args(), None),
        ("foreign-import", pipeline_args(import_mode="INCREMENTAL"), NO_FULL_IMPORT),
        ("rewritten-export", pipeline_args(paused=True), None),
        ("two-stacks", pipeline_args(), None),
        ("two-stacks", pipeline_args(paused=True), PAUSED),
        (
            "two-stacks",
            pipeline_args(keys=ALL_KEYS),
            "a region has 5 import slots, and the stack uses them all",
        ),
        ("auto-training", pipeline_args(paused=True), None),
    ],
)
def test_a_stack_that_cannot_play_a_scenario_gets_the_reason(name, args, obstacle):
    assert OBSTACLES[name](args) == obstacle
