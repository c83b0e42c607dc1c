"""Proves which slot of a schedule is fired, and how its first event is awaited."""

import itertools
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from retrain.rehearsal import schedule, waiting
from retrain.rehearsal.errors import RehearsalError
from tests.retrain.builders import OUTPUTS
from tests.retrain.conftest import FakeEmulator


@pytest.fixture
def next_slot(monkeypatch):
    """Return a function that returns the next slot of a schedule in UTC."""

    def call(expression, after=None, state="ENABLED"):
        response = {
            "State": state,
            "ScheduleExpression": expression,
            "ScheduleExpressionTimezone": "UTC",
            "LastModificationDate": datetime.now(UTC),
        }
        client = SimpleNamespace(get_schedule=lambda **_: response)
        monkeypatch.setattr(schedule.boto3, "client", lambda *_, **__: client)
        return schedule.next_slot(FakeEmulator(), OUTPUTS["schedule_arn"], after)

    return call


EXPRESSIONS = ("cron(* * * * ? *)", "cron(0 3 ? * MON *)", "rate(1 hours)", "rate(7 days)")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_slots_are_in_order_on_different_days_before_today(next_slot, expression):
    days = []
    slot = None
    for _ in range(schedule.PAST_SLOTS):
        slot = next_slot(expression, slot)
        days.append(datetime.fromisoformat(slot).date())
    assert sorted(set(days)) == days
    assert days[-1] < datetime.now(UTC).date(), "a run by hand belongs to a later day"


def test_a_slot_after_the_past_slots_is_not_mistaken_for_the_first_event(next_slot):
    slot = datetime.fromisoformat(next_slot("cron(* * * * ? *)", datetime.now(UTC).isoformat()))
    wait = slot - datetime.now(UTC)
    assert timedelta(minutes=10) < wait < timedelta(minutes=13)


def test_a_schedule_without_past_slots_begins_with_a_future_one(next_slot):
    year = datetime.now(UTC).year + 1
    assert next_slot(f"cron(0 3 1 1 ? {year})") == f"{year}-01-01T03:00:00+00:00"


def test_the_next_slot_comes_after_the_earlier_one(next_slot):
    assert next_slot("cron(0 3 * * ? *)", "2126-11-30T03:00:00+00:00") == (
        "2126-12-01T03:00:00+00:00"
    )


def test_a_disabled_schedule_has_no_slot(next_slot):
    assert next_slot("cron(0 3 * * ? *)", state="DISABLED") is None


def test_a_schedule_without_a_future_slot_is_an_error(next_slot):
    with pytest.raises(RehearsalError) as caught:
        next_slot("cron(0 3 1 1 ? 2026)", "2026-06-01T00:00:00+00:00")
    assert str(caught.value) == (
        "cron(0 3 1 1 ? 2026) does not fire again; change retrainingRate, for example to 7 days"
    )


@pytest.fixture
def wait_for_first_event(monkeypatch):
    """Return a function that waits while Step Functions answers with these statuses."""
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0)

    def call(responses):
        requests, remaining = [], iter(responses)

        def list_executions(**request):
            requests.append(request)
            return {"executions": [{"status": status} for status in next(remaining)]}

        client = SimpleNamespace(list_executions=list_executions)
        monkeypatch.setattr(schedule.boto3, "client", lambda *_, **__: client)
        schedule.wait_for_first_event(FakeEmulator(), "machine")
        return requests

    return call


@pytest.mark.parametrize(
    "responses",
    [
        [[], ["RUNNING"], ["RUNNING"], ["SUCCEEDED"]],
        [["FAILED"]],
        [["RUNNING", "SUCCEEDED"], ["SUCCEEDED", "SUCCEEDED"]],
    ],
    ids=["late", "ended", "two executions"],
)
def test_the_first_event_is_awaited_until_no_execution_is_running(wait_for_first_event, responses):
    assert wait_for_first_event(responses) == [{"stateMachineArn": "machine"}] * len(responses)


def test_a_first_event_that_never_comes_is_not_awaited_for_ever(wait_for_first_event, monkeypatch):
    monkeypatch.setattr(schedule, "FIRST_EVENT_SECONDS", 0.01)
    assert wait_for_first_event(itertools.repeat([])) != []
