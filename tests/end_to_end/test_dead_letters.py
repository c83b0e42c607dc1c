"""An event for which the schedule cannot start a run is kept in the dead-letter queue."""

import pytest

from emulator import EmulatorError
from tests.end_to_end.statements import roles, statements, without

SLOT = "2031-01-20T03:00:00Z"


def test_an_event_whose_run_may_not_be_started_becomes_a_dead_letter(films):
    films.dead_letters()
    schedule_statements = statements(films, roles(films)["schedule"])
    start = [each for each in schedule_statements if each.actions == ("states:StartExecution",)]
    with (
        without(films, *start),
        pytest.raises(EmulatorError, match=r"AccessDenied.*states:StartExecution"),
    ):
        films.fire(SLOT)
    schedule_arn = films.output("schedule_arn")
    (letter,) = films.dead_letters()
    assert letter["body"] == {
        "trigger": "schedule",
        "scheduledTime": SLOT,
        "scheduleArn": schedule_arn,
    }, "the input of the run, to start it by hand"
    assert letter["ERROR_CODE"] == "AccessDeniedException"
    assert letter["SCHEDULE_ARN"] == schedule_arn
    assert letter["TARGET_ARN"] == films.output("state_machine_arn")
