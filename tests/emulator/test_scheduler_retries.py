"""How often a delivery is tried; a list of outcomes stands where the target would be."""

import datetime as dt

import pytest

from emulator.server import scheduler as module
from emulator.server.scheduler import Delivery, DeliveryError, Scheduler

BUSY = DeliveryError("ThrottlingException", "Rate exceeded", retryable=True)
DENIED = DeliveryError("AccessDeniedException", "no")


class Recorder(Scheduler):
    """Gives one outcome after the other for an attempt; keeps attempts and dead letters."""

    def __init__(self, *outcomes):
        super().__init__(clients=None)
        self.outcomes = list(outcomes)
        self.attempts = []
        self.dead = []

    def _start(self, delivery):
        self.attempts.append(delivery.attempt)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, DeliveryError):
            raise outcome
        return outcome

    def _send_to_dead_letter_queue(self, delivery, error, limit):
        self.dead.append((delivery.attempt, error.code, limit))


@pytest.fixture
def pauses(monkeypatch):
    """The pauses between attempts, which take no time here."""
    slept, clock = [], [0.0]

    def sleep(seconds):
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(module.time, "sleep", sleep)
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    return slept


def delivery(**policy):
    schedule = {
        "Arn": "arn:aws:scheduler:eu-west-1:123456789012:schedule/group/name",
        "Target": {"Arn": "arn:aws:states:x", "RetryPolicy": policy},
    }
    slot = dt.datetime(2026, 11, 29, 2, tzinfo=dt.UTC)
    return Delivery(schedule, "123456789012", "eu-west-1", slot)


def test_throttling_is_tried_again_with_longer_pauses(pauses):
    scheduler = Recorder(BUSY, BUSY, BUSY, "arn:execution")
    assert scheduler.deliver(delivery()) == "arn:execution"
    assert (scheduler.attempts, pauses, scheduler.dead) == ([1, 2, 3, 4], [1, 2, 4], [])


def test_a_refusal_is_not_tried_again(pauses):
    scheduler = Recorder(DENIED)
    with pytest.raises(DeliveryError, match="AccessDeniedException: no"):
        scheduler.deliver(delivery())
    assert (pauses, scheduler.dead) == ([], [(1, "AccessDeniedException", "MaximumRetryAttempts")])


def test_the_number_of_attempts_has_an_end(pauses):
    scheduler = Recorder(BUSY, BUSY, BUSY)
    with pytest.raises(DeliveryError):
        scheduler.deliver(delivery(MaximumRetryAttempts=2))
    assert (len(pauses), scheduler.dead) == (
        2,
        [(3, "ThrottlingException", "MaximumRetryAttempts")],
    )


def test_the_age_of_an_event_has_an_end(pauses):
    scheduler = Recorder(*[BUSY] * 10)
    with pytest.raises(DeliveryError):
        scheduler.deliver(delivery(MaximumEventAgeInSeconds=60))
    assert pauses == [1, 2, 4, 8, 16], "the next pause would end after a minute"
    assert scheduler.dead == [(6, "ThrottlingException", "MaximumEventAgeInSeconds")]


def test_every_delivery_of_a_slot_has_the_same_name():
    first, second = delivery(), delivery()
    assert first.execution_name == second.execution_name
    other = Delivery(first.schedule, first.account, first.region, first.slot + dt.timedelta(days=7))
    assert other.execution_name != first.execution_name
