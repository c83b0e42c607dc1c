"""Every scenario of the rehearsal ends as designed with the real pipeline, one after the other."""

import os
from datetime import date

import pytest

from retrain.account.access import Access
from retrain.account.target import find_target
from retrain.rehearsal.play import DeployedStack
from retrain.rehearsal.resources import StackResources
from retrain.rehearsal.scenarios import SCENARIOS
from retrain.rehearsal.stack import open_stack


@pytest.fixture(scope="module")
def deployed(stack):
    """Return the sample stack as the rehearsal uses it."""
    with open_stack("dev", None) as rehearsed:
        os.environ.update(stack.emulator.exports)
        resources = StackResources(stack.emulator, rehearsed.args, rehearsed.data)
        # The stack has imported the first of these exports already.
        resources.write_newer_exports(date(2026, 1, 1))
        target = find_target("dev", stack.output("state_machine_arn"), Access())
        yield DeployedStack(rehearsed, resources, target, stack.output("schedule_arn"))


WITHOUT_BAKE = [scenario for scenario in SCENARIOS if "bake" not in scenario.needs]
"""The sample stack has no bake (`test_bakes.py`)."""


@pytest.mark.parametrize("scenario", WITHOUT_BAKE, ids=lambda scenario: scenario.name)
def test_a_scenario_ends_as_designed(deployed, scenario):
    result = deployed.play(scenario)
    assert [check.text for check in result.checks if not check.is_met] == []
    assert result.is_as_designed
