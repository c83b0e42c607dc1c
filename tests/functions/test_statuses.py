"""Tests of what each status of Personalize means."""

import pytest

from functions.personalize.statuses import (
    is_active,
    is_deleted,
    is_running,
    is_stopped,
    is_stopping,
)

MEANINGS = {
    "ACTIVE": {is_active},
    "CREATE PENDING": {is_running},
    "UPDATE IN_PROGRESS": {is_running},
    "CREATE STOPPING": {is_running, is_stopping},
    "CREATE FAILED": set(),
    "CREATE STOPPED": {is_stopped},
    "CREATE_STOPPED": {is_stopped},
    "DELETE PENDING": {is_deleted},
    "DELETE FAILED": {is_deleted},
    "CREATE PAUSED": {is_running},
    "INACTIVE": {is_running},
}
"""Status -> the functions that return True. The last two statuses are unknown."""


@pytest.mark.parametrize("status, meaning", MEANINGS.items())
def test_a_status_has_its_meaning(status, meaning):
    functions = (is_active, is_running, is_stopping, is_stopped, is_deleted)
    assert {function for function in functions if function(status)} == meaning
