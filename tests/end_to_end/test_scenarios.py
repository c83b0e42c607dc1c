"""Scenarios of the rehearsal end as designed with the real pipeline."""

import pytest
from rich.console import Console

from retrain.rehearsal.deployed_stack import DeployedStack
from retrain.rehearsal.play import play
from retrain.rehearsal.scenarios import Name, select
from retrain.rehearsal.stacks import open_stack
from tests.end_to_end.stack import PROJECT


@pytest.fixture(scope="module")
def deployed(stack):
    """Return the sample stack as the rehearsal uses it."""
    with open_stack(PROJECT, "dev", None) as rehearsed:
        yield DeployedStack(rehearsed, stack.emulator, Console(quiet=True), stack.deployment)


@pytest.mark.parametrize(
    "name",
    [
        # This one imports the export that the last one finds again.
        Name.DUPLICATE_EVENT,
        Name.TRUNCATED_EXPORT,
        Name.WRONG_HEADER,
        Name.NOTHING_NEW,
        # ABORTED_RUN takes 45 s, and test_closing.py proves the same.
        Name.FOREIGN_IMPORT,
        Name.REWRITTEN_EXPORT,
    ],
)
def test_a_scenario_ends_as_designed(deployed, name):
    (scenario,) = select([name])
    expectations = play(deployed, scenario).expectations
    assert [expectation.text for expectation in expectations if not expectation.is_met] == []
