"""Tests of functions/: the request sent, the answer read, the errors let through.

With botocore's Stubber, which refuses fields that the real API lacks, and a clock moved by hand.
They do not prove that AWS behaves so.
"""

from datetime import timedelta

import boto3
import hypothesis
import pytest
from botocore.stub import Stubber

from functions import aws
from functions import clock as functions_clock
from functions.aws import with_transient_errors
from tests.functions.samples import NOW, REGION

# Examples are drawn anew each time; how long one takes says nothing on a busy machine.
hypothesis.settings.register_profile("functions", deadline=None)
hypothesis.settings.load_profile("functions")


class HandClock:
    """Stands still but for sleeping and `advance`; remembers how long was slept."""

    def __init__(self):
        self.time = NOW
        self.slept = []

    def now(self):
        """Give the time, which no look changes."""
        return self.time

    def sleep(self, seconds):
        """Let the time pass, and remember it."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds):
        """Move the hand, forward or back."""
        self.time += timedelta(seconds=seconds)


class Service:
    """One AWS service: what it will be asked, whole and in this order, and what it says to it."""

    def __init__(self, client):
        self.client = client
        self.stubber = Stubber(client)

    def says(self, method, response, /, **request):
        """Expect a request, and answer it."""
        self.stubber.add_response(method, response, request)

    def refuses(self, method, code, message="", /, status=400, **request):
        """Expect a request, and answer it with an error."""
        self.stubber.add_client_error(
            method, code, message, http_status_code=status, expected_params=request
        )


@pytest.fixture(scope="session")
def clients():
    """Clients take a while to make, so all tests share them; none of them ever sends anything."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    made = {
        service: boto3.client(service, region_name=REGION, **keys)
        for service in ("personalize", "personalize-runtime", "s3", "stepfunctions", "scheduler")
    }
    with_transient_errors(made["personalize"])
    return made


def stubbed(client):
    service = Service(client)
    with service.stubber:
        yield service
    service.stubber.assert_no_pending_responses()


@pytest.fixture
def personalize(clients):
    yield from stubbed(clients["personalize"])


@pytest.fixture
def runtime(clients):
    yield from stubbed(clients["personalize-runtime"])


@pytest.fixture
def executions(clients, monkeypatch):
    monkeypatch.setattr(aws, "stepfunctions", lambda: clients["stepfunctions"])
    yield from stubbed(clients["stepfunctions"])


@pytest.fixture
def s3(clients, monkeypatch):
    monkeypatch.setattr(aws, "s3", lambda: clients["s3"])
    yield from stubbed(clients["s3"])


@pytest.fixture
def scheduler(clients, monkeypatch):
    monkeypatch.setattr(aws, "scheduler", lambda: clients["scheduler"])
    yield from stubbed(clients["scheduler"])


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    hand = HandClock()
    monkeypatch.setattr(functions_clock, "now", hand.now)
    monkeypatch.setattr(functions_clock, "sleep", hand.sleep)
    return hand
