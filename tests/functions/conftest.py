"""Tests of functions/: the requests that are sent, the responses that are read, and the errors.

They use botocore's Stubber, which refuses fields that the real API does not have, and a clock that
the tests move. They do not prove that AWS behaves in this way.
"""

import importlib
import pkgutil
from datetime import timedelta

import boto3
import pytest
from botocore.stub import Stubber

import functions
from functions.common import aws
from functions.common import clock as functions_clock
from functions.common.aws import translate_transient_errors
from functions.report import send
from tests.functions.samples import NOW, REGION
from tests.inbox import Inbox


class ManualClock:
    """A clock that only moves by `sleep` and `advance`. It lists the seconds that were slept."""

    def __init__(self):
        self.time = NOW
        self.slept = []

    def now(self):
        """Return the time."""
        return self.time

    def sleep(self, seconds):
        """Add the seconds to the time and to the list."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds):
        """Move the time forward, or back if the number is negative."""
        self.time += timedelta(seconds=seconds)


class Service:
    """An AWS service that expects requests in a fixed order, with all their parameters."""

    def __init__(self, client):
        self.client = client
        self.stubber = Stubber(client)

    def expect(self, method, response, /, **request):
        """Expect a request, and return this response."""
        self.stubber.add_response(method, response, request)

    def expect_error(self, method, code, message="", /, status=400, **request):
        """Expect a request, and return an error."""
        self.stubber.add_client_error(
            method, code, message, http_status_code=status, expected_params=request
        )


@pytest.fixture(scope="session")
def clients():
    """Return the clients of all services. All tests share them, because creating them is slow."""
    # A module that is first imported during a test would keep the client of this test.
    for module in pkgutil.iter_modules(functions.__path__):
        importlib.import_module(f"functions.{module.name}")
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    clients = {
        service: boto3.client(service, region_name=REGION, **keys)
        for service in ("personalize", "personalize-runtime", "s3", "stepfunctions", "scheduler")
    }
    translate_transient_errors(clients["personalize"])

    return clients


def stubbed(client):
    """Yield a service, and check at the end of the test that every expected request was sent."""
    service = Service(client)
    with service.stubber:
        yield service

    service.stubber.assert_no_pending_responses()


@pytest.fixture
def personalize(clients):
    yield from stubbed(clients["personalize"])


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
def inbox(monkeypatch):
    """Return the receiver of all messages and events."""
    receiver = Inbox()
    monkeypatch.setattr(send, "sns", lambda: receiver)
    monkeypatch.setattr(send, "eventbridge", lambda: receiver)

    return receiver


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    manual = ManualClock()
    monkeypatch.setattr(functions_clock, "now", manual.now)
    monkeypatch.setattr(functions_clock, "sleep", manual.sleep)

    return manual
