"""Proves how often a delivery is retried. A list of outcomes replaces the target."""

import dataclasses
import datetime as dt

import pytest
from botocore.exceptions import ClientError

from emulator.server import scheduler as scheduler_module
from emulator.server.iam import AccessDeniedError
from emulator.server.scheduler import Delivery, Scheduler

THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow"}}, "Start")
BROKEN = ClientError(
    {"Error": {"Code": "Broken"}, "ResponseMetadata": {"HTTPStatusCode": 500}}, "Start"
)
DENIED = AccessDeniedError("no")


class RecordingScheduler(Scheduler):
    """A scheduler whose attempts have the given outcomes. It records attempts and dead letters."""

    def __init__(self, *outcomes):
        super().__init__(clients=None)
        self.outcomes = list(outcomes)
        self.attempts = []
        self.dead_letters = []

    def _start(self, delivery):
        self.attempts.append(delivery.attempt)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, ClientError):
            raise outcome
        return outcome

    def _send_to_dead_letter_queue(self, delivery, error, limit):
        self.dead_letters.append((delivery.attempt, error, limit))


@pytest.fixture
def pauses(monkeypatch):
    """The pauses between attempts in seconds. They take no real time."""
    pauses = []
    monkeypatch.setattr(scheduler_module.time, "sleep", pauses.append)
    monkeypatch.setattr(scheduler_module.time, "monotonic", lambda: sum(pauses))
    return pauses


def delivery(**policy):
    schedule = {
        "Arn": "arn:aws:scheduler:eu-west-1:123456789012:schedule/group/name",
        "Target": {"Arn": "arn:aws:states:x", "RetryPolicy": policy},
    }
    slot = dt.datetime(2026, 11, 29, 2, tzinfo=dt.UTC)
    return Delivery(schedule, slot)


def test_throttling_and_server_errors_are_retried_with_longer_and_longer_pauses(pauses):
    scheduler = RecordingScheduler(THROTTLED, BROKEN, THROTTLED, "arn:execution")
    assert scheduler.deliver(delivery()) == "arn:execution"
    assert (scheduler.attempts, pauses) == ([1, 2, 3, 4], [1, 2, 4])
    assert scheduler.dead_letters == []


@pytest.mark.parametrize(
    ("outcome", "policy", "pauses_before_the_end", "limit"),
    [
        (DENIED, {}, [], "MaximumRetryAttempts"),
        (THROTTLED, {"MaximumRetryAttempts": 2}, [1, 2], "MaximumRetryAttempts"),
        # The next pause would end after 63 seconds.
        (
            THROTTLED,
            {"MaximumEventAgeInSeconds": 60},
            [1, 2, 4, 8, 16],
            "MaximumEventAgeInSeconds",
        ),
    ],
    ids=["not retryable", "attempts", "age"],
)
def test_a_delivery_that_is_not_retried_any_more_is_a_dead_letter(
    pauses, outcome, policy, pauses_before_the_end, limit
):
    scheduler = RecordingScheduler(*[outcome] * 10)
    with pytest.raises(ClientError) as error:
        scheduler.deliver(delivery(**policy))
    assert pauses == pauses_before_the_end
    attempts = len(pauses) + 1
    assert scheduler.dead_letters == [(attempts, error.value, limit)]


def test_all_deliveries_of_a_slot_have_one_execution_name():
    first = delivery()
    assert first.execution_name == delivery().execution_name
    next_slot = dataclasses.replace(first, slot=first.slot + dt.timedelta(days=7))
    assert next_slot.execution_name != first.execution_name
