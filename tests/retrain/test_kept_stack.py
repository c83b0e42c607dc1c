"""Proves when a kept stack gets a newer export. The services are doubles."""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retrain.rehearsal import deployed_stack, kept_stack
from retrain.rehearsal.kept_stack import KeptStack


@pytest.fixture
def kept(deployed):
    """Return a kept stack with one export."""
    stack = KeptStack(deployed)
    stack.write_export()
    return stack


def test_an_export_stays_as_it_is(kept, services):
    kept.refresh()
    assert [export["rotation"] for export in services.exports] == [0]


def test_another_export_is_written_if_the_user_presses_enter(kept, services, monkeypatch):
    answers = [False, True, False]
    monkeypatch.setattr(kept_stack, "enter_was_pressed", lambda: answers.pop(0))
    for _ in range(3):
        kept.refresh()
    assert [export["rotation"] for export in services.exports] == [0, 1]


@pytest.mark.parametrize(("is_daily", "exports"), [(True, 2), (False, 1)])
def test_a_new_day_gets_an_export_if_locations_contain_the_date(
    kept, services, monkeypatch, is_daily, exports
):
    monkeypatch.setattr(KeptStack, "is_daily", is_daily)
    today = datetime.now(UTC).date()
    tomorrow = (today + timedelta(days=1)).isoformat()
    kept.day = (today - timedelta(days=1)).isoformat()
    monkeypatch.setattr(deployed_stack, "_today", lambda: tomorrow)
    kept.refresh()
    assert len(services.exports) == exports
    assert services.exports[-1]["day"] == (tomorrow if is_daily else services.exports[0]["day"])


@pytest.fixture
def keyboard(monkeypatch):
    """Make a pseudo-terminal the terminal of the tests, and return its other end."""
    controller, terminal = os.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())
        yield controller
    os.close(controller)


def test_enter_in_the_terminal_is_noticed_once(keyboard):
    assert not kept_stack.enter_was_pressed()
    os.write(keyboard, b"\n")
    assert kept_stack.enter_was_pressed()
    assert not kept_stack.enter_was_pressed()


def test_a_command_in_the_background_reads_nothing(keyboard, monkeypatch):
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
    os.write(keyboard, b"\n")
    assert not kept_stack.enter_was_pressed()


def test_a_terminal_of_another_session_is_not_read(keyboard, monkeypatch):
    def tcgetpgrp(_):
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr(os, "tcgetpgrp", tcgetpgrp)
    os.write(keyboard, b"\n")
    assert not kept_stack.enter_was_pressed()


def test_without_a_terminal_nothing_is_read(monkeypatch):
    with Path(os.devnull).open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert not kept_stack.enter_was_pressed()
    monkeypatch.setattr(sys, "stdin", None)
    assert not kept_stack.enter_was_pressed()
