"""An event for which the schedule cannot start a run is kept in the dead-letter queue."""

import pytest

from emulator import EmulatorError
from tests.end_to_end.conftest import SLOT


def test_an_event_whose_execution_has_ended_already_becomes_a_dead_letter(films):
    films.dead_letters()
    with pytest.raises(EmulatorError, match="ExecutionAlreadyExists"):
        films.fire(SLOT)
    (letter,) = films.dead_letters()

    assert letter["ERROR_CODE"] == "ExecutionAlreadyExists"
    assert letter["body"] == {
        "trigger": "schedule",
        "scheduledTime": SLOT,
        "scheduleArn": films.output("schedule_arn"),
    }, "the input of the run, to start it by hand"
