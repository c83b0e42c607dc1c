"""A start that the schedule could not make is kept in the dead-letter queue."""

import pytest

from emulator import EmulatorError
from tests.end_to_end.statements import roles, statements, without

SLOT = "2031-01-20T03:00:00Z"


def test_a_start_that_is_denied_becomes_a_dead_letter(films):
    films.dead_letters()
    role = roles(films)["schedule"]
    start = [each for each in statements(films, role) if each.actions == ("states:StartExecution",)]
    machine, schedule = films.output("state_machine_arn"), films.output("schedule_arn")
    with (
        without(films, *start),
        pytest.raises(EmulatorError, match=r"AccessDenied.*states:StartExecution"),
    ):
        films.fire(SLOT)
    letters = films.dead_letters()
    assert [each["body"] for each in letters] == [
        {"trigger": "schedule", "scheduledTime": SLOT, "scheduleArn": schedule}
    ], "what it would have started with, to start it by hand"
    assert [
        {key: each[key] for key in ("ERROR_CODE", "SCHEDULE_ARN", "TARGET_ARN")} for each in letters
    ] == [
        {
            "ERROR_CODE": "AccessDeniedException",
            "SCHEDULE_ARN": schedule,
            "TARGET_ARN": machine,
        }
    ]
